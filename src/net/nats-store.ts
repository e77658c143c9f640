import { jetstream, JetStreamApiError, type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { withRetries } from "../concurrency/retry.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { BlobError, checkKey, type Store } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import { ensureStreams, findStreams, type RunStreams, type StreamLimits } from "./nats-streams.ts";

/** Bytes of a blob's chunk. Half a mebibyte: below the server's default payload, and enough for a fast line. */
const CHUNK = 512 * 1024;
/** Chunks on their way at once. The server holds them in memory for every client. */
const WINDOW = 8;
/** Hints may be lost: after this time a watcher looks again. */
const LOOK_AGAIN_MS = 2000;
/** The server's answer to a subject that has its one message. */
const SUBJECT_IS_FULL = 10077;
/** The server's answer to another sequence than the one expected. */
const WRONG_SEQUENCE = 10071;

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
  const publisher = jetstream(connection);
  const { cells, blobs, head } = streams;
  const cellSubject = (key: string): string => `${cells.prefix}.${key.replaceAll("/", ".")}`;

  /** Publishes a message. False where the subject already has one. */
  const publishOnce = (subject: string, bytes: Uint8Array): Promise<boolean> =>
    answered(`write ${subject}`, async () => {
      try {
        await publisher.publish(subject, bytes);
        return true;
      } catch (error) {
        if (isApiError(error, SUBJECT_IS_FULL)) return false;
        throw error;
      }
    });
  const last = (stream: string, subject: string) => lastOf(manager, stream, subject);
  const keysUnder = async (prefix: string): Promise<string[]> => {
    const filter = `${cells.prefix}.${prefix.replaceAll("/", ".")}>`;
    const subjects = await subjectsOf(manager, cells.stream, filter);
    return subjects.map((subject) => subject.slice(cells.prefix.length + 1).replaceAll(".", "/")).sort();
  };

  return {
    async putBlob(bytes) {
      const hash = await sha256(bytes);
      const chunks = Math.ceil(bytes.length / CHUNK);
      const there = new Set(await subjectsOf(manager, blobs.stream, `${blobs.prefix}.${hash}.>`));
      const subject = (chunk: number | "size"): string => `${blobs.prefix}.${hash}.${chunk}`;
      if (there.has(subject("size"))) return hash;
      await inParallel(chunks, async (i) => {
        if (!there.has(subject(i))) await publishOnce(subject(i), bytes.subarray(i * CHUNK, (i + 1) * CHUNK));
      });
      // Last, so that a blob with a size is whole.
      await publishOnce(subject("size"), new TextEncoder().encode(String(bytes.length)));
      return hash;
    },
    async blob(hash) {
      const bad = (how: string): BlobError => new BlobError(`Blob ${hash} ${how}.`, { hint: "Start a new run." });
      const sizeMessage = await last(blobs.stream, `${blobs.prefix}.${hash}.size`);
      if (sizeMessage === undefined) throw bad("is not in the store");
      // Another party may have written anything: nothing is reserved before its chunks are there.
      const size = Number(new TextDecoder().decode(sizeMessage.bytes));
      const chunks = await subjectsOf(manager, blobs.stream, `${blobs.prefix}.${hash}.*`);
      if (!Number.isSafeInteger(size) || chunks.length - 1 !== Math.ceil(size / CHUNK))
        throw bad("is damaged: it is not whole");
      const bytes = new Uint8Array(size);
      await inParallel(chunks.length - 1, async (i) => {
        const chunk = await last(blobs.stream, `${blobs.prefix}.${hash}.${i}`);
        if (chunk === undefined || chunk.bytes.length > size - i * CHUNK) throw bad("is damaged: it is not whole");
        bytes.set(chunk.bytes, i * CHUNK);
      });
      if ((await sha256(bytes)) !== hash) throw bad("is damaged: its content does not match its sha256");
      return bytes;
    },
    async forget(hashes) {
      for (const hash of hashes) {
        await answered(`delete ${hash}`, () =>
          manager.streams.purge(blobs.stream, { filter: `${blobs.prefix}.${hash}.>` }),
        );
      }
    },
    async create(key, bytes) {
      checkKey(key);
      if (await publishOnce(cellSubject(key), bytes)) return bytes.slice();
      return (await last(cells.stream, cellSubject(key)))!.bytes;
    },
    async read(key) {
      checkKey(key);
      return (await last(cells.stream, cellSubject(key)))?.bytes;
    },
    list: keysUnder,
    async *changes(prefix, signal) {
      const told = new Set<string>();
      const hints = hintsOf(connection, `${cells.prefix}.${prefix.replaceAll("/", ".")}>`, signal);
      try {
        while (!signal.aborted) {
          for (const key of await keysUnder(prefix)) {
            if (told.has(key)) continue;
            told.add(key);
            yield key;
          }
          await hints.next();
        }
      } finally {
        hints.close();
      }
    },
    async head() {
      const found = await last(head.stream, head.prefix);
      return found && { revision: found.sequence, bytes: found.bytes };
    },
    setHead: (expected, bytes) =>
      answered("write the head", async () => {
        try {
          await publisher.publish(head.prefix, bytes, { expect: { lastSubjectSequence: expected } });
          return true;
        } catch (error) {
          if (!isApiError(error, WRONG_SEQUENCE)) throw error;
          return false;
        }
      }),
  };
}

async function awaitStreams(manager: JetStreamManager, name: string, wait: () => Promise<void>): Promise<RunStreams> {
  for (;;) {
    const found = await answered("tell its streams", () => findStreams(manager, name));
    if (found !== undefined) return found;
    await wait();
  }
}

interface StoredMessage {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

function lastOf(manager: JetStreamManager, stream: string, subject: string): Promise<StoredMessage | undefined> {
  return answered(`read ${subject}`, async () => {
    const found = await manager.streams.getMessage(stream, { last_by_subj: subject });
    return found === null ? undefined : { sequence: found.seq, bytes: found.data.slice() };
  });
}

/** The subjects of a stream that have a message, under a filter. */
async function subjectsOf(manager: JetStreamManager, stream: string, filter: string): Promise<string[]> {
  const info = await answered(`list ${filter}`, () => manager.streams.info(stream, { subjects_filter: filter }));
  return Object.keys(info.state.subjects ?? {});
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** A pause after each failure, milliseconds: a server that restarts is back within seconds, another within a minute. */
const PAUSES_MS = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600];

/** Repeats a request while the server does not answer. @throws UserError("storage") after the last pause. */
async function answered<T>(what: string, ask: () => Promise<T>): Promise<T> {
  let failures = 0;
  try {
    return await withRetries(ask, (failure) =>
      failure instanceof JetStreamApiError ? undefined : PAUSES_MS[failures++],
    );
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("storage", `The NATS server did not ${what}: ${why}.`, {
      hint: "Correct the problem, then run the same command again to continue.",
      cause,
    });
  }
}

/** Calls `work` with 0 to `count` − 1, at most `WINDOW` calls at once. */
async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, one));
}

/** Resolves `next` at a message under the filter, after a while without one, or at the end. */
function hintsOf(connection: NatsConnection, filter: string, signal: AbortSignal) {
  let wake = (): void => {};
  let hinted = false;
  const ring = (): void => {
    hinted = true;
    wake();
  };
  const subscription = connection.subscribe(filter, { callback: ring });
  signal.addEventListener("abort", ring);
  return {
    async next(): Promise<void> {
      if (!hinted && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, LOOK_AGAIN_MS);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      hinted = false;
    },
    close(): void {
      signal.removeEventListener("abort", ring);
      subscription.unsubscribe();
    },
  };
}
