import { MismatchError } from "../store/check.ts";
import type { Head, Store } from "../store/store.ts";
import { type Identity, signText, type Verify, verifyText } from "./keys.ts";

/** A cell is not signed by the party that may write it. A reader treats it as a message that is not of its type. */
export class SignatureError extends MismatchError {}

/** The part of a store that cells and the head pass. */
type Cells = Pick<Store, "create" | "read" | "head"> & Partial<Pick<Store, "setHead">>;

type Signed = Required<Pick<Store, "readSigned" | "openSigned">>;

export interface SignedStoreOptions {
  /** The id of the federation. */
  readonly federation: string;
  /** The name of the run. A cell of one run is no cell of another. */
  readonly run: string;
  /** Signs the cells that this party writes. */
  readonly identity: Identity;
  /**
   * The public keys that may have written the cell (the head has the key `head`): the key of its owner, and the earlier keys
   * of an owner that was invited again. Undefined for a cell of nobody.
   */
  readonly ownerOf: (key: string) => string | readonly string[] | undefined;
  /** A faster way to check signatures. Default: the library's. */
  readonly verify?: Verify | undefined;
}

/**
 * The same store with signed cells. Each cell and the head are stored as `{ body, by, signature }`. A cell that its owner did
 * not sign is never given: `read`, `create` and `head` throw a `SignatureError`. A body is UTF-8 text. Blobs are not signed,
 * for signed cells name them by hash.
 */
export function signedStore<S extends Cells>(
  store: S,
  { federation, run, identity, ownerOf, verify }: SignedStoreOptions,
): S & Signed {
  const textOf = (key: string, body: string): string => `openfedllm cell 1\n${federation}\n${run}\n${key}\n${body}`;

  const sealed = (key: string, bytes: Uint8Array): Uint8Array => {
    const body = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const signature = signText(identity, textOf(key, body));
    return new TextEncoder().encode(JSON.stringify({ body, by: identity.publicKey, signature }));
  };

  const verified = (key: string, bytes: Uint8Array, mayWrite: (by: string) => boolean): SignedCell => {
    const cell = readCell(bytes);
    if (cell === undefined) throw new SignatureError(`${key} is not a signed message`);
    if (!mayWrite(cell.by)) throw new SignatureError(`${key} is signed by a party that may not write it`);
    if (verifyText(cell.by, textOf(key, cell.body), cell.signature, verify)) return cell;
    throw new SignatureError(`${key} has a wrong signature`);
  };

  const opened = (key: string, bytes: Uint8Array): Uint8Array => {
    const owners = [ownerOf(key) ?? []].flat();
    if (owners.length === 0) throw new SignatureError(`${key} belongs to no party of the run`);
    return new TextEncoder().encode(verified(key, bytes, (by) => owners.includes(by)).body);
  };

  const openedHead = (head: Head | undefined): Head | undefined =>
    head && { revision: head.revision, bytes: opened("head", head.bytes) };

  const { setHead } = store;
  // The spread carries the methods of a store made as an object, which every store here is.
  return {
    ...store,
    create: async (key: string, bytes: Uint8Array) => opened(key, await store.create(key, sealed(key, bytes))),
    async read(key: string) {
      const bytes = await store.read(key);
      return bytes && opened(key, bytes);
    },
    async readSigned(key: string) {
      const bytes = await store.read(key);
      if (bytes === undefined) return undefined;
      opened(key, bytes);
      return new TextDecoder().decode(bytes);
    },
    async openSigned(key: string, signed: string) {
      const { by, body } = verified(key, new TextEncoder().encode(signed), () => true);
      return { by, bytes: new TextEncoder().encode(body) };
    },
    head: async () => openedHead(await store.head()),
    ...(setHead !== undefined && {
      setHead: (expected: number, bytes: Uint8Array) => setHead.call(store, expected, sealed("head", bytes)),
    }),
  };
}

interface SignedCell {
  readonly body: string;
  readonly by: string;
  readonly signature: string;
}

function readCell(bytes: Uint8Array): SignedCell | undefined {
  try {
    const { body, by, signature } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    if (typeof body !== "string" || typeof by !== "string" || typeof signature !== "string") return undefined;
    return { body, by, signature };
  } catch {
    return undefined;
  }
}
