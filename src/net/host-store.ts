import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type NatsConnection, RequestError, TimeoutError } from "@nats-io/nats-core";
import { Notifier } from "../concurrency/notifier.ts";
import { checkKey, keySegment, type Store, writerSegment } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import { fetchBlob, sendBlob, type TransferOptions } from "./blob-transfer.ts";
import { CellIndex } from "./cell-index.ts";
import { directGet, directGetSubject, type StoredMessage } from "./direct-get.ts";
import {
  blobSubject,
  cellKey,
  cellSubject,
  coordinatorRun,
  headSubject,
  hintSubject,
  STREAMS,
  uplinkRun,
  uplinkBlobs,
  uplinkStream,
} from "./layout.ts";
import { lastMessage, type Lead, replaceMessage } from "./lead.ts";
import { openLink, type Patience } from "./link.ts";
import { blobParts } from "./uplinks.ts";

/** Hints may be lost: after this time a watcher looks again. */
const LOOK_AGAIN_MS = 2000;
/** A hint may overtake its cell: a watcher is woken once more after this time. */
const OVERTAKEN_MS = 150;

export interface HostStoreOptions extends Patience, TransferOptions {
  readonly connection: NatsConnection;
  readonly run: string;
  /** The account of each client, by name. It may grow. Each has a stream (`ensureUplink`). */
  readonly members: () => ReadonlyMap<string, string>;
  /** Told once of a client whose stream has as many messages as it may have: no honest one comes near. */
  readonly onFull?: ((client: string) => void) | undefined;
  /** Where set, it is checked before each change of the head and each cell that closes a round. */
  readonly lead?: Lead | undefined;
}

/**
 * Opens the coordinator's store of one run. The streams have to be there (`ensureFederationStreams`, `ensureUplink`). Its own cells, blobs and head lie in the federation's streams; a member's cells and
 * blobs are read from the member's stream, and nowhere else.
 */
export async function hostStore(options: HostStoreOptions): Promise<Store & { close(): void }> {
  const { connection, run, members, lead } = options;
  const own = coordinatorRun(run);
  const link = openLink(connection, options);
  const manager: JetStreamManager = await link.ask("tell its streams", () => jetstreamManager(connection));

  let known: ReadonlyMap<string, string> | undefined;
  let bySegment: ReadonlyMap<string, string> = new Map();
  let accounts: ReadonlySet<string> = new Set();
  const lookAtMembers = (): void => {
    const now = members();
    if (now === known && now.size === bySegment.size) return;
    bySegment = new Map(Array.from(now, ([client, account]) => [keySegment(client), account]));
    accounts = new Set(now.values());
    known = now;
  };
  const accountOf = (segment: string | undefined): string | undefined => {
    lookAtMembers();
    return segment === undefined ? undefined : bySegment.get(segment);
  };
  const last = async (stream: string, subject: string): Promise<Uint8Array | undefined> =>
    (await lastMessage(link, manager, stream, subject))?.bytes;
  /** Without the detour of base64. Where a follower does not have it yet, or nobody answers, the leader tells. */
  const lastPart = async (stream: string, subject: string): Promise<Uint8Array | undefined> => {
    const ask = (): Promise<StoredMessage | undefined> =>
      directGet(connection, directGetSubject(stream, subject)).catch((error: unknown) => {
        if (error instanceof TimeoutError || error instanceof RequestError) return undefined;
        throw error;
      });
    return (await link.ask(`read ${subject}`, ask))?.bytes ?? last(stream, subject);
  };
  const place = (account: string | undefined): { cells: string; blobs: string; runSubject: string } =>
    account === undefined
      ? { cells: STREAMS.cells, blobs: STREAMS.blobs, runSubject: own }
      : { cells: uplinkStream(account), blobs: uplinkBlobs(account), runSubject: uplinkRun(account, run) };
  /** A client without an account has no blobs, and never those of the coordinator. */
  const placeOf = (owner: string | undefined) =>
    owner === undefined ? place(undefined) : place(members().get(owner) ?? "none");

  const full = new Set<string>();
  const index = new CellIndex(link, manager, () => [
    { stream: STREAMS.cells, runSubject: own, holds: (key) => accountOf(writerSegment(key)) === undefined },
    ...[...members()].map(([client, account]) => {
      const segment = keySegment(client);
      return {
        stream: uplinkStream(account),
        runSubject: uplinkRun(account, run),
        holds: (key: string) => writerSegment(key) === segment,
        onFull() {
          if (full.size < full.add(client).size) options.onFull?.(client);
        },
      };
    }),
  ]);
  const watchers = new Map<Notifier, string>();
  const wake = (key: string): void => {
    for (const [notifier, prefix] of watchers) if (key.startsWith(prefix)) notifier.notify();
  };
  const heard = (stream: string, runSubject: string, subject: string): void => {
    const key = cellKey(runSubject, subject);
    index.hint(stream, key);
    wake(key);
    setTimeout(() => wake(key), OVERTAKEN_MS);
  };
  const subscriptions = [
    connection.subscribe(`${own}.c.>`, { callback: (_, { subject }) => heard(STREAMS.cells, own, subject) }),
    connection.subscribe(`${uplinkRun("*", run)}.c.>`, {
      callback(_, { subject }) {
        const account = subject.split(".", 3)[2]!;
        lookAtMembers();
        if (accounts.has(account)) heard(uplinkStream(account), uplinkRun(account, run), subject);
      },
    }),
  ];
  link.onReconnect(() => {
    index.forget();
    for (const notifier of watchers.keys()) notifier.notify();
  });
  await link.ask("answer", () => connection.flush());
  const tellMembers = (): void => connection.publish(hintSubject(run));

  return {
    async putBlob(bytes) {
      const copy = new Uint8Array(bytes);
      const hash = await sha256(copy);
      const there = await link.ask(`list ${hash}`, () => blobParts(manager, STREAMS.blobs, own, hash));
      const send = (part: number | "size", chunk: Uint8Array) => link.publish(blobSubject(own, hash, part), chunk);
      await sendBlob(copy, hash, new Set(there), send, options);
      return hash;
    },
    async blob(hash, owner) {
      const { blobs, runSubject } = placeOf(owner);
      if (owner !== undefined && !members().has(owner)) return fetchBlob(hash, async () => undefined);
      const read = (part: number | "size"): Promise<Uint8Array | undefined> =>
        (part === "size" ? last : lastPart)(blobs, blobSubject(runSubject, hash, part));
      return fetchBlob(hash, read, options);
    },
    async forget(hashes, owner) {
      if (owner !== undefined && !members().has(owner)) return;
      const { blobs, runSubject } = placeOf(owner);
      for (const hash of hashes) {
        const filter = `${runSubject}.b.${hash}.>`;
        await link.ask(`delete ${hash}`, () => manager.streams.purge(blobs, { filter }));
      }
    },
    async create(key, bytes) {
      checkKey(key);
      if (accountOf(writerSegment(key)) !== undefined) throw new Error(`the cell ${key} is a member's`);
      if (key.endsWith("/close")) await lead?.check();
      const copy = new Uint8Array(bytes);
      const stored = await link.publish(cellSubject(own, key), copy);
      index.hint(STREAMS.cells, key);
      if (!stored) return (await last(STREAMS.cells, cellSubject(own, key)))!;
      tellMembers();
      return copy;
    },
    async read(key) {
      checkKey(key);
      const { cells, runSubject } = place(accountOf(writerSegment(key)));
      return last(cells, cellSubject(runSubject, key));
    },
    async list(prefix) {
      return index.keys(prefix);
    },
    async watch(prefix) {
      const notifier = new Notifier();
      watchers.set(notifier, prefix);
      return {
        next: ({ signal, milliseconds = LOOK_AGAIN_MS } = {}) =>
          notifier.wait({ signal, milliseconds: Math.min(milliseconds, LOOK_AGAIN_MS) }),
        close: () => void watchers.delete(notifier),
      };
    },
    async head() {
      const [found] = await Promise.all([lastMessage(link, manager, STREAMS.head, headSubject(own)), lead?.check()]);
      return found && { revision: found.revision, bytes: found.bytes };
    },
    async setHead(expected, bytes) {
      await lead?.check();
      const done = await replaceMessage(link, manager, headSubject(own), expected, new Uint8Array(bytes));
      if (done) tellMembers();
      else await lead?.check();
      return done;
    },
    close() {
      for (const subscription of subscriptions) subscription.unsubscribe();
    },
  };
}
