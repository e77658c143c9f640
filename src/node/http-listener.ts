import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { UserError } from "../diagnostics/user-error.ts";

export interface HttpListener {
  /** `http://HOST:PORT` */
  readonly url: string;
  /** Takes no more requests. After `graceMs` milliseconds, `cutOff` has to end the answers under way. */
  stop(graceMs?: number, cutOff?: () => void): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** The options of the command line that errors name. */
  readonly flags: { readonly host: string; readonly port: string };
}

const SWEEP_MS = 50;

/** Answers HTTP requests with a web-standard handler. @throws UserError of kind `config` for an address that cannot be used. */
export async function listenHttp(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, flags }: ListenOptions,
): Promise<HttpListener> {
  const server = createAdaptorServer({ fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, { host, port, flags })));
    server.listen(port, host, resolve);
  });
  const { port: listening } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${listening}`,
    stop: (graceMs = 0, cutOff) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => cutOff?.(), graceMs);
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

function listenError(error: NodeJS.ErrnoException, { host, port, flags }: ListenOptions): UserError {
  const ownAddress = `Give one of its addresses as ${flags.host}, such as 127.0.0.1.`;
  const [what, hint] = {
    EADDRINUSE: [`port ${port} of ${host} is in use`, `Give another port with ${flags.port}; 0 takes any free port.`],
    EACCES: [`port ${port} needs special rights`, `Give a ${flags.port} of 1024 or more.`],
    EADDRNOTAVAIL: [`${host} is not an address of this machine`, ownAddress],
    ENOTFOUND: [
      `the host ${host} is not known`,
      `Give an address of this machine as ${flags.host}, such as 127.0.0.1.`,
    ],
  }[error.code ?? ""] ?? [`the server cannot listen at ${host}:${port}: ${error.message}`, undefined];
  return new UserError("config", what!, { hint, cause: error });
}
