import { UserError } from "../diagnostics/user-error.ts";
import { checkKey, type Store, type Head } from "./store.ts";
import { sha256 } from "../tensor/sha256.ts";

/** An exchange that lives as long as the process: tests, notebooks, a page in a browser. */
export function memoryStore(): Store {
  const blobs = new Map<string, Uint8Array>();
  const cells = new Map<string, Uint8Array>();
  let head: Head | undefined;

  return {
    async putBlob(bytes) {
      const copy = bytes.slice();
      const hash = await sha256(copy);
      blobs.set(hash, copy);
      return hash;
    },
    async blob(hash) {
      const bytes = blobs.get(hash);
      if (bytes === undefined) throw new UserError("storage", `Blob ${hash} is not in the exchange.`);
      return bytes.slice();
    },
    async create(key, bytes) {
      checkKey(key);
      if (!cells.has(key)) cells.set(key, bytes.slice());
      return cells.get(key)!.slice();
    },
    async read(key) {
      checkKey(key);
      return cells.get(key)?.slice();
    },
    async list(prefix) {
      return [...cells.keys()].filter((key) => key.startsWith(prefix)).sort();
    },
    async head() {
      return head && { ...head, bytes: head.bytes.slice() };
    },
    async setHead(expected, bytes) {
      if ((head?.revision ?? 0) !== expected) return false;
      head = { revision: expected + 1, bytes: bytes.slice() };
      return true;
    },
  };
}
