import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { UserError } from "../diagnostics/user-error.ts";
import { isLoopback } from "../serving/access.ts";
import type { Answerer } from "../serving/answerer.ts";
import { type OpenAiAppOptions, openAiApp } from "../serving/openai-app.ts";

export interface ServeOptions extends Omit<OpenAiAppOptions, "stopping"> {
  /** Default: 127.0.0.1, which only this machine can reach. */
  readonly host?: string | undefined;
  /** 0 (default): any free port. */
  readonly port?: number | undefined;
}

export interface HttpServer {
  /** The base URL for clients of OpenAI's API. */
  readonly url: string;
  /** Takes no more requests. Unfinished answers have `graceMs` milliseconds to end before they are cut off. */
  stop(graceMs?: number): Promise<void>;
}

const SWEEP_MS = 50;

/**
 * Serves a model over OpenAI's API. The answerer stays open when the server stops.
 * @throws UserError of kind `config` for an address that cannot be used, or that other machines can reach without a key.
 */
export async function serveOpenAi(
  answerer: Answerer,
  { host = "127.0.0.1", port = 0, ...options }: ServeOptions = {},
): Promise<HttpServer> {
  checkReach(host, options.apiKey);
  const stopping = new AbortController();
  const server = createAdaptorServer({ fetch: openAiApp(answerer, { ...options, stopping: stopping.signal }).fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { port: listening } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${listening}/v1`,
    stop: (graceMs = 0) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => stopping.abort(), graceMs);
        // A client keeps its connection for the next request; close() alone ends only those that are idle at the time.
        const sweep = setInterval(() => (server as Server).closeIdleConnections(), SWEEP_MS);
        server.close(() => {
          clearTimeout(timer);
          clearInterval(sweep);
          resolve();
        });
      }),
  };
}

/** Checks an address. @throws UserError of kind `config` if other machines can reach a server without a key. */
export function checkReach(host: string, apiKey: string | undefined): void {
  if (apiKey !== undefined || isLoopback(host)) return;
  throw new UserError("config", `other machines can reach the server at ${host}, but it has no API key`, {
    hint: "Set the environment variable OPENFEDLLM_API_KEY to a key, or listen at 127.0.0.1.",
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): UserError {
  const [what, hint] = {
    EADDRINUSE: [`port ${port} of ${host} is in use`, "Give another port with --port; 0 takes any free port."],
    EACCES: [`port ${port} needs special rights`, "Give a --port of 1024 or more."],
    EADDRNOTAVAIL: [
      `${host} is not an address of this machine`,
      "Give one of its addresses as --host, such as 127.0.0.1.",
    ],
    ENOTFOUND: [`the host ${host} is not known`, "Give an address of this machine as --host, such as 127.0.0.1."],
  }[error.code ?? ""] ?? [`the server cannot listen at ${host}:${port}: ${error.message}`, undefined];
  return new UserError("config", what!, { hint, cause: error });
}
