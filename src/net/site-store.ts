import type { NatsConnection } from "@nats-io/nats-core";
import { Notifier } from "../concurrency/notifier.ts";
import { checkKey, type MemberStore } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import { fetchBlob, sendBlob, type TransferOptions } from "./blob-transfer.ts";
import { directGet, type StoredMessage } from "./direct-get.ts";
import { blobSubject, cellSubject, headSubject, localHintSubject, localRun } from "./layout.ts";
import { openLink, type Patience } from "./link.ts";

const LOOK_AGAIN_MS = 2000;
/** Pauses before a message that is not there is asked for again, milliseconds: in a cluster a follower may answer. */
const FOLLOWER_MS = [50, 200, 800];

export interface SiteStoreOptions extends Patience, TransferOptions {
  readonly connection: NatsConnection;
  readonly run: string;
  /** True for the cells that this member writes. */
  readonly owns: (key: string) => boolean;
  /**
   * The parts of this member's blob that the coordinator finds stored; undefined where it does not answer. Asked about the first
   * blob, for an earlier process may have died in the middle of it, and about one that was sent before.
   */
  readonly have?: ((hash: string) => Promise<readonly string[] | undefined>) | undefined;
}

/** Opens a member's store of one run, over the local subjects of its account. */
export async function siteStore(options: SiteStoreOptions): Promise<MemberStore> {
  const { connection, run, owns, have, signal } = options;
  const link = openLink(connection, options);
  const up = localRun("up", run);
  const sent = new Set<string>();

  const get = (subject: string): Promise<StoredMessage | undefined> =>
    link.ask(`read ${subject}`, () => directGet(connection, subject));
  /** For a message that another one says is there. */
  const getWritten = async (subject: string): Promise<Uint8Array | undefined> => {
    for (const milliseconds of FOLLOWER_MS) {
      const found = await get(subject);
      if (found !== undefined) return found.bytes;
      await new Notifier().wait({ signal, milliseconds });
      signal?.throwIfAborted();
    }
    return (await get(subject))?.bytes;
  };
  const cellAt = (key: string): string => cellSubject(localRun(owns(key) ? "get.own" : "get.cells", run), key);

  return {
    async putBlob(bytes) {
      const copy = new Uint8Array(bytes);
      const hash = await sha256(copy);
      const mayBeThere = sent.size === 0 || sent.has(hash);
      sent.add(hash);
      const there = new Set(mayBeThere ? await have?.(hash).catch(() => undefined) : []);
      await sendBlob(copy, hash, there, (part, chunk) => link.publish(blobSubject(up, hash, part), chunk), options);
      return hash;
    },
    blob: (hash) => fetchBlob(hash, (part) => getWritten(blobSubject(localRun("get.blobs", run), hash, part)), options),
    async create(key, bytes) {
      checkKey(key);
      if (!owns(key)) throw new Error(`the cell ${key} is not this member's`);
      const copy = new Uint8Array(bytes);
      if (await link.publish(cellSubject(up, key), copy)) return copy;
      const winner = await getWritten(cellAt(key));
      if (winner === undefined) throw new Error(`the cell ${key} is written, and its stream does not have it`);
      return winner;
    },
    async read(key) {
      checkKey(key);
      return (await get(cellAt(key)))?.bytes;
    },
    head: () => get(headSubject(localRun("get.head", run))),
    async watch() {
      const notifier = new Notifier();
      const callback = (): void => notifier.notify();
      const subscription = connection.subscribe(localHintSubject(run), { callback });
      link.onReconnect(callback);
      await link.ask("answer", () => connection.flush());
      return {
        next: ({ signal: stop, milliseconds = LOOK_AGAIN_MS } = {}) =>
          notifier.wait({ signal: stop, milliseconds: Math.min(milliseconds, LOOK_AGAIN_MS) }),
        close: () => subscription.unsubscribe(),
      };
    },
  };
}
