import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { UserError } from "../diagnostics/user-error.ts";

export interface HttpListener {
  /** `http://HOST:PORT` */
  readonly url: string;
  /**
   * Takes no more requests, and closes the connections without one. After `graceMs` milliseconds, `cutOff` has to end the
   * answers under way; half a second later every connection is closed.
   */
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
/** Time for answers that were cut off to be written to their end. */
const LAST_WORDS_MS = 500;

/** Answers HTTP requests with a web-standard handler. @throws UserError of kind `config` for an address that cannot be used. */
export async function listenHttp(
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port, flags }: ListenOptions,
): Promise<HttpListener> {
  const server = createAdaptorServer({ fetch }) as Server;
  const closeIdle = connectionsWithoutRequest(server);
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
        const last = setTimeout(() => server.closeAllConnections(), graceMs + LAST_WORDS_MS);
        // A client keeps its connection for the next request.
        const sweep = setInterval(closeIdle, SWEEP_MS);
        server.close(() => {
          clearTimeout(timer);
          clearTimeout(last);
          clearInterval(sweep);
          resolve();
        });
        closeIdle();
      }),
  };
}

/**
 * Closes the connections that have no request under way when called. Node's own `closeIdleConnections` leaves those that
 * have sent nothing, or a part of a header.
 */
function connectionsWithoutRequest(server: Server): () => void {
  const idle = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    idle.add(socket);
    socket.on("close", () => idle.delete(socket));
  });
  server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket);
    response.on("close", () => {
      if (!socket.destroyed) idle.add(socket);
    });
  });
  return () => {
    // The end of an answer may still be on its way.
    for (const socket of idle) if (socket.writableLength === 0) socket.destroy();
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
