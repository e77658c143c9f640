import { Background } from "../concurrency/background.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { AuditEntry } from "./audit.ts";
import type { MemberStore, Store } from "./store.ts";

export interface AuditOptions {
  /** Appends an entry, durably. Entries may come again after a restart. */
  readonly log: (entry: AuditEntry) => Promise<void>;
  readonly run: string;
  /** The member that writes a cell; undefined for the coordinator's. */
  readonly writerOf?: ((key: string) => string | undefined) | undefined;
}

/**
 * The same store with a log of everything that passes it: an entry `sent` before a write, an entry `received` after the first
 * read. So nothing leaves that is not in the log. A read does not wait for its entry, but the next write does: a round begins
 * with several reads, and each entry waits for the disk.
 */
export function auditedStore<S extends MemberStore>(store: S, { log, run, writerOf }: AuditOptions): S {
  /** Hash of the content of each cell and blob that was logged last. */
  const seen = new Map<string, string>();
  const received = new Background();
  const describe = async (cell: string, bytes: Uint8Array) => ({
    run,
    cell,
    sha256: await sha256(bytes),
    bytes: bytes.length,
  });
  const send = async (entry: AuditEntry): Promise<void> => {
    await Promise.all([log(entry), received.settled()]);
  };
  const noteSent = async (key: string, bytes: Uint8Array): Promise<void> => {
    const what = await describe(key, bytes);
    seen.set(key, what.sha256);
    await send({ what: "sent", ...what });
  };
  const noteReceived = (key: string, bytes: Uint8Array): void =>
    received.start(async () => {
      const what = await describe(key, bytes);
      if (seen.get(key) === what.sha256) return;
      seen.set(key, what.sha256);
      const client = writerOf?.(key);
      await log({ what: "received", ...(client !== undefined && { client }), ...what });
    });
  const audited: Partial<Store> = {
    async putBlob(bytes) {
      await send({ what: "sent", run, blob: await sha256(bytes), bytes: bytes.length });
      return store.putBlob(bytes);
    },
    async blob(hash, owner) {
      const bytes = await store.blob(hash, owner);
      if (seen.get(hash) === undefined) {
        seen.set(hash, hash);
        const client = owner === undefined ? {} : { client: owner };
        received.start(() => log({ what: "received", run, ...client, blob: hash, bytes: bytes.length }));
      }
      return bytes;
    },
    async create(key, bytes) {
      await noteSent(key, bytes);
      return store.create(key, bytes);
    },
    async read(key) {
      const bytes = await store.read(key);
      if (bytes !== undefined) noteReceived(key, bytes);
      return bytes;
    },
    async head() {
      const head = await store.head();
      if (head !== undefined) noteReceived("head", head.bytes);
      return head;
    },
  };
  if ("setHead" in store) {
    audited.setHead = async (expected, bytes) => {
      await noteSent("head", bytes);
      return (store as unknown as Store).setHead(expected, bytes);
    };
  }
  return { ...store, ...audited };
}
