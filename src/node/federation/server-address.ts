import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { guarded } from "../store/durable-folder.ts";
import type { ConnectOptions } from "./connect.ts";
import type { Federation } from "./federation-folder.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";

/** The running server as processes of the same machine reach it: `server.json`. */
export interface ServerAddress {
  readonly version: 1;
  readonly url: string;
  /** The server's own certificate, which a process of the same machine accepts under any name and of any authority. */
  readonly certificate?: string | undefined;
}

const schema: z.ZodType<ServerAddress> = z.strictObject({
  version: z.literal(1),
  url: z.string().min(1),
  certificate: z.string().optional(),
});

const fileOf = ({ folder }: Federation): string => path.join(folder, "server.json");

/** Tells the other processes of this machine where the server is. */
export function writeServerAddress(federation: Federation, address: ServerAddress): Promise<void> {
  return writeJsonFile(fileOf(federation), address);
}

export function removeServerAddress(federation: Federation): Promise<void> {
  return guarded(fileOf(federation), "write", () => rm(fileOf(federation), { force: true }));
}

/** The address of the server that was started last. It may be there no longer: a killed process removes nothing. */
export function readServerAddress(federation: Federation): Promise<ServerAddress | undefined> {
  return readJsonFile(fileOf(federation), schema);
}

/** The options that reach the server from its own machine. */
export async function localConnection({
  url,
  certificate,
}: ServerAddress): Promise<Pick<ConnectOptions, "servers" | "certificate">> {
  if (certificate === undefined) return { servers: [url] };
  return { servers: [url], certificate: await guarded(certificate, "read", () => readFile(certificate, "utf8")) };
}
