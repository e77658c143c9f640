import type { WaitOptions } from "../concurrency/notifier.ts";
import { UserError } from "../diagnostics/user-error.ts";

/** A blob is not in the store, or its bytes are not those of its hash. Another party may have named or written it. */
export class BlobError extends UserError {
  constructor(message: string, options: { readonly hint?: string } = {}) {
    super("storage", message, options);
  }
}

/** The head cell's value and the revision to name when replacing it. */
export interface Head {
  readonly revision: number;
  readonly bytes: Uint8Array;
}

/** Tells when to look again. It may wake without a reason, and it may be late: read the cells themselves. */
export interface Watch {
  /**
   * Resolves once a cell was written since the watch was opened or `next` resolved last, after `milliseconds`, or when `signal`
   * is aborted. So nothing is missed by who opens a watch, looks, and then waits.
   */
  next(options?: WaitOptions): Promise<void>;
  close(): void;
}

/**
 * PORT. Blobs by hash, cells that are written once, and one cell that changes. Coordinator and participants meet in one,
 * and each participant keeps one of its own. A resolved promise means: durable. Several processes may use one store at
 * once; any of them may die at any point.
 *
 * Failures of the store itself are `UserError`s of kind `storage`. An implementation has to pass `STORE_CONFORMANCE`.
 */
export interface Store {
  /** Stores bytes under their sha256 (64 lower-case hexadecimal digits), which it returns. Storing again is harmless. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /**
   * The bytes of a hash, checked against it. `owner`: the client that stored it, where that was not the coordinator; a store
   * with one place for all blobs does not look at it. Throws a `BlobError` where they are missing or damaged.
   */
  blob(hash: string, owner?: string): Promise<Uint8Array>;
  /** Deletes blobs by hash, of one owner. One that is not there is no error, and the same bytes may be stored again. */
  forget(hashes: readonly string[], owner?: string): Promise<void>;
  /**
   * Deletes the coordinator's blobs that no participant needs any more, and keeps them for the record of the run. Absent in a
   * store that is itself the record: there they stay.
   */
  retire?(hashes: readonly string[]): Promise<void>;
  /** Writes a cell once: the first write wins. Returns the bytes that won, whole, never a part. */
  create(key: string, bytes: Uint8Array): Promise<Uint8Array>;
  /**
   * The cell as its writer signed it, for a third party to check; undefined where nothing was written. Absent in a store without
   * signatures.
   */
  readSigned?(key: string): Promise<string | undefined>;
  /** Opens what `readSigned` gave to another party. Throws a `MismatchError` for a cell that is not signed by its `by`. */
  openSigned?(key: string, signed: string): Promise<{ readonly by: string; readonly bytes: Uint8Array }>;
  /** A cell's bytes, or undefined where nothing was written. */
  read(key: string): Promise<Uint8Array | undefined>;
  /** The keys of written cells that begin with `prefix`, ascending. `prefix` is empty or ends with `/`. */
  list(prefix: string): Promise<readonly string[]>;
  /** Watches the cells under `prefix` (empty, or ends with `/`). The caller closes the watch. */
  watch(prefix: string): Promise<Watch>;
  /** The one cell that changes; undefined before the first `setHead`. */
  head(): Promise<Head | undefined>;
  /**
   * Replaces the head if its revision is still `expected` (0: there is none yet). False: another writer was first, and
   * nothing changed.
   */
  setHead(expected: number, bytes: Uint8Array): Promise<boolean>;
}

/** The part of a store that a participant needs. It reads the coordinator's cells and its own, and writes its own. */
export type MemberStore = Pick<Store, "putBlob" | "blob" | "create" | "read" | "head" | "watch" | "openSigned">;

const KEY = /^[a-z0-9_=-]{1,200}(\/[a-z0-9_=-]{1,200})*$/;

/** Every implementation refuses the keys that another could not store. Throws an Error, for keys are the program's. */
export function checkKey(key: string): void {
  if (!KEY.test(key)) throw new Error(`"${key}" is not a cell key: segments of a-z, 0-9, _, -, =, separated by /`);
}

/**
 * A person's name as one segment of a key: each character but a-z, 0-9, _ and - becomes the hexadecimal digits of its
 * UTF-8 bytes (`Zürich` is `=5a=c3=bcrich`). Upper case too: some file systems do not tell it from lower case. The sign
 * is `=` because NATS refuses `%` in keys.
 */
export function keySegment(name: string): string {
  return name.replaceAll(/[^a-z0-9_-]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return Array.from(new TextEncoder().encode(character), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join("");
}

/** The cells that clients write: a prefix, then the client as a segment. All others are the coordinator's. */
const CLIENTS_CELL = /^(?:member|decline|leave|round-\d+\/(?:keys|shares|update|agree|unmask|scores))\/([^/]+)$/;

/** The client, as a segment of keys, that writes a cell; undefined for the coordinator's cells. */
export function writerSegment(key: string): string | undefined {
  return CLIENTS_CELL.exec(key)?.[1];
}
