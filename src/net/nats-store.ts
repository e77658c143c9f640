import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { Notifier } from "../concurrency/notifier.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { checkKey, type Store } from "../store/store.ts";
import { answered, natsAccess } from "./nats-access.ts";
import { natsBlobs } from "./nats-blobs.ts";
import { ensureStreams, findStreams, type RunStreams, type StreamLimits } from "./nats-streams.ts";

/** Hints may be lost: after this time a watcher looks again. */
const LOOK_AGAIN_MS = 2000;
export interface NatsStoreOptions extends StreamLimits {
  readonly connection: NatsConnection;
  /** Tells the streams of one run from those of another: letters, digits, - and _. */
  readonly name: string;
  /** Where set, the streams are not made: another party makes them, and this is called again and again until it did. */
  readonly wait?: (() => Promise<void>) | undefined;
}

/**
 * Opens a store in JetStream streams. Each cell and each chunk of a blob has a subject that takes one message. The head has a
 * subject that takes a message only at the expected sequence. An upload that broke off continues with the missing chunks.
 *
 * All who share the connection's account may write every cell. Parties that do not trust each other need accounts of their
 * own.
 */
export async function natsStore({ connection, name, wait, ...limits }: NatsStoreOptions): Promise<Store> {
  if (!/^[\w-]{1,64}$/.test(name))
    throw new UserError("config", `"${name}" is not the name of a run: expected 1 to 64 letters, digits, - or _`);
  const manager = await answered("make the streams", () => jetstreamManager(connection));
  const streams = await (wait === undefined ? ensureStreams(manager, name, limits) : awaitStreams(manager, name, wait));
  const access = natsAccess(connection, manager);
  const { cells, blobs, head } = streams;
  const cellSubject = (key: string): string => `${cells.prefix}.${key.replaceAll("/", ".")}`;

  const keysUnder = async (prefix: string): Promise<string[]> => {
    const filter = `${cells.prefix}.${prefix.replaceAll("/", ".")}>`;
    const subjects = await access.subjects(cells.stream, filter);
    return subjects.map((subject) => subject.slice(cells.prefix.length + 1).replaceAll(".", "/")).sort();
  };

  return {
    ...natsBlobs(access, blobs),
    async create(key, bytes) {
      checkKey(key);
      if (await access.publishOnce(cellSubject(key), bytes)) return bytes.slice();
      return (await access.last(cells.stream, cellSubject(key)))!.bytes;
    },
    async read(key) {
      checkKey(key);
      return (await access.last(cells.stream, cellSubject(key)))?.bytes;
    },
    list: keysUnder,
    async watch(prefix) {
      const notifier = new Notifier();
      const callback = (): void => notifier.notify();
      const subscription = connection.subscribe(`${cells.prefix}.${prefix.replaceAll("/", ".")}>`, { callback });
      await connection.flush();
      return {
        next: ({ signal, milliseconds = LOOK_AGAIN_MS } = {}) =>
          notifier.wait({ signal, milliseconds: Math.min(milliseconds, LOOK_AGAIN_MS) }),
        close: () => subscription.unsubscribe(),
      };
    },
    async head() {
      const found = await access.last(head.stream, head.prefix);
      return found && { revision: found.sequence, bytes: found.bytes };
    },
    setHead: (expected, bytes) => access.publishAt(head.prefix, expected, bytes),
  };
}

async function awaitStreams(manager: JetStreamManager, name: string, wait: () => Promise<void>): Promise<RunStreams> {
  for (;;) {
    const found = await answered("tell its streams", () => findStreams(manager, name));
    if (found !== undefined) return found;
    await wait();
  }
}
