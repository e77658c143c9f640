import path from "node:path";
import { z } from "zod";
import { readJsonFile, writeJsonFile } from "./json-file.ts";

const schema = z.array(z.string());

/** True where a person consented to the task with this hash before. */
export async function hasConsented(folder: string, task: string): Promise<boolean> {
  return ((await readJsonFile(fileIn(folder), schema)) ?? []).includes(task);
}

/** Keeps a person's consent to a task, so that nobody is asked twice. */
export async function keepConsent(folder: string, task: string): Promise<void> {
  const earlier = (await readJsonFile(fileIn(folder), schema)) ?? [];
  await writeJsonFile(fileIn(folder), [...new Set([...earlier, task])]);
}

function fileIn(folder: string): string {
  return path.join(folder, "consents.json");
}
