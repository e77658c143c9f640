import path from "node:path";
import { z } from "zod";
import type { FederationStatus } from "../../federation/status.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";

const EVERY_MS = 1000;

const schema = z.looseObject({ federation: z.string(), run: z.string(), members: z.array(z.unknown()) });

/** Writes the state of a federation every second, for `federation status`. Returns the function that ends it. */
export function keepStatus(folder: string, snapshot: () => FederationStatus): () => Promise<void> {
  const file = path.join(folder, "status.json");
  let last: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    // A full disk has to stop the run where it matters, not here.
    last = last.then(() => writeJsonFile(file, snapshot())).catch(() => undefined);
    return last;
  };
  const timer = setInterval(() => void write(), EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await write();
  };
}

/** The state that was written last; undefined where no host ever ran. */
export async function readStatus(folder: string): Promise<FederationStatus | undefined> {
  return (await readJsonFile(path.join(folder, "status.json"), schema)) as unknown as FederationStatus | undefined;
}
