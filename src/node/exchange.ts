import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions } from "@nats-io/transport-node";
import { UserError } from "../diagnostics/user-error.ts";
import type { Store } from "../store/store.ts";
import { directoryStore } from "./store/directory-store.ts";

/** The store that coordinator and participants meet in, opened. */
export interface Exchange {
  readonly store: Store;
  readonly close: () => Promise<void>;
}

/** A party that waits for the coordinator looks again after this time. */
const LOOK_AGAIN_MS = 500;

/** `nats://host:4222/run` or `tls://host:4222/run`. */
const SERVER = /^(?:nats|tls):\/\//;

export interface ExchangeOptions {
  /** True: the coordinator makes the exchange, and this party waits until it is there. */
  readonly wait?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an exchange by reference: a folder, or `nats://host:port/NAME` for the streams of a run on a NATS server.
 *
 * @throws UserError of kind `config` for an address without a name, `storage` for a server that does not answer,
 * `interrupted` once the signal is aborted while this waits.
 */
export async function openExchange(
  reference: string,
  { wait = false, signal }: ExchangeOptions = {},
): Promise<Exchange> {
  if (!SERVER.test(reference)) return { store: directoryStore(reference), close: async () => {} };
  const { server, name, options } = addressOf(reference);
  const [{ connect }, { natsStore }] = await Promise.all([
    import("@nats-io/transport-node"),
    import("../net/nats-store.ts"),
  ]);
  const connection = await connect(options).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("storage", `Cannot connect to the NATS server at ${server}: ${why}`, {
      hint: hintFor(why),
      cause,
    });
  });
  const close = (): Promise<void> => connection.close();
  const pause = async (): Promise<void> => {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch((cause: unknown) => {
      throw new UserError("interrupted", "Stopped before a coordinator was there.", {
        hint: "Run the same command again to continue.",
        cause,
      });
    });
  };
  try {
    return { store: await natsStore({ connection, name, wait: wait ? pause : undefined }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Does work with an exchange and closes it, also if the work fails: an open connection would keep the process alive. */
export async function withExchange<T>(
  reference: string,
  options: ExchangeOptions,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { store, close } = await openExchange(reference, options);
  try {
    return await work(store);
  } finally {
    await close();
  }
}

function addressOf(reference: string): { server: string; name: string; options: ConnectionOptions } {
  const url = URL.canParse(reference) ? new URL(reference) : undefined;
  const name = url?.pathname.slice(1) ?? "";
  if (url === undefined || name === "" || name.includes("/")) {
    throw new UserError("config", `${withoutPassword(reference)} is not the address of an exchange`, {
      hint: "Write nats://HOST:PORT/NAME; NAME is a name for the run.",
    });
  }
  const server = `${url.protocol}//${url.host}`;
  return {
    server,
    name,
    options: {
      servers: server,
      ...(url.username !== "" && { user: decodeURIComponent(url.username) }),
      ...(url.password !== "" && { pass: decodeURIComponent(url.password) }),
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      ...(url.protocol === "tls:" && { tls: {} }),
    },
  };
}

function hintFor(why: string): string {
  if (/authorization/i.test(why)) return "Check the user and the password in the address.";
  if (/certificate/i.test(why)) {
    return "Name the certificate of your own authority: NODE_EXTRA_CA_CERTS=ca.pem before the command.";
  }
  return "Start a server with JetStream (nats-server -js -a 127.0.0.1), or correct the address.";
}

/** An address as messages may show it. */
export function withoutPassword(reference: string): string {
  return reference.replace(/:\/\/[^@/]*@/, "://…@");
}
