import { UserError } from "../diagnostics/user-error.ts";
import { isLoopback } from "../serving/access.ts";
import type { Answerer } from "../serving/answerer.ts";
import { type OpenAiAppOptions, openAiApp } from "../serving/openai-app.ts";
import { listenHttp } from "./http-listener.ts";

export interface ServeOptions extends Omit<OpenAiAppOptions, "stopping"> {
  /** Default: 127.0.0.1, which only this machine can reach. */
  readonly host?: string | undefined;
  /** 0 (default): any free port. */
  readonly port?: number | undefined;
}

export interface HttpServer {
  /** The base URL for clients of OpenAI's API. */
  readonly url: string;
  /**
   * Takes no more requests, and closes the connections without one. Unfinished answers have `graceMs` milliseconds to end
   * before they are cut off; then every connection is closed.
   */
  stop(graceMs?: number): Promise<void>;
}

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
  const app = openAiApp(answerer, { ...options, stopping: stopping.signal });
  const listener = await listenHttp(app.fetch, { host, port, flags: { host: "--host", port: "--port" } });
  return {
    url: `${listener.url}/v1`,
    stop: (graceMs) => listener.stop(graceMs, () => stopping.abort()),
  };
}

/** Checks an address. @throws UserError of kind `config` if other machines can reach a server without a key. */
export function checkReach(host: string, apiKey: string | undefined): void {
  if (apiKey !== undefined || isLoopback(host)) return;
  throw new UserError("config", `other machines can reach the server at ${host}, but it has no API key`, {
    hint: "Set the environment variable OPENFEDLLM_API_KEY to a key, or listen at 127.0.0.1.",
  });
}
