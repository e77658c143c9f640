import { BlobError, type Store } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { NatsAccess } from "./nats-access.ts";
import type { Subjects } from "./nats-streams.ts";

/** Bytes of a blob's chunk. Half a mebibyte: below the server's default payload, and enough for a fast line. */
const CHUNK = 512 * 1024;
/** Chunks on their way at once. The server holds them in memory for every client. */
const WINDOW = 8;
/** Blobs in chunks, each a subject that takes one message. An upload that broke off continues with the missing chunks. */
export function natsBlobs(
  access: NatsAccess,
  { stream, prefix }: Subjects,
): Pick<Store, "putBlob" | "blob" | "forget"> {
  return {
    async putBlob(bytes) {
      const hash = await sha256(bytes);
      const chunks = Math.ceil(bytes.length / CHUNK);
      const there = new Set(await access.subjects(stream, `${prefix}.${hash}.>`));
      const subject = (chunk: number | "size"): string => `${prefix}.${hash}.${chunk}`;
      if (there.has(subject("size"))) return hash;
      await inParallel(chunks, async (i) => {
        if (!there.has(subject(i))) await access.publishOnce(subject(i), bytes.subarray(i * CHUNK, (i + 1) * CHUNK));
      });
      // Last, so that a blob with a size is whole.
      await access.publishOnce(subject("size"), new TextEncoder().encode(String(bytes.length)));
      return hash;
    },
    async blob(hash) {
      const bad = (how: string): BlobError => new BlobError(`Blob ${hash} ${how}.`, { hint: "Start a new run." });
      const sizeMessage = await access.last(stream, `${prefix}.${hash}.size`);
      if (sizeMessage === undefined) throw bad("is not in the store");
      // Another party may have written anything: nothing is reserved before its chunks are there.
      const size = Number(new TextDecoder().decode(sizeMessage.bytes));
      const chunks = await access.subjects(stream, `${prefix}.${hash}.*`);
      if (!Number.isSafeInteger(size) || chunks.length - 1 !== Math.ceil(size / CHUNK))
        throw bad("is damaged: it is not whole");
      const bytes = new Uint8Array(size);
      await inParallel(chunks.length - 1, async (i) => {
        const chunk = await access.last(stream, `${prefix}.${hash}.${i}`);
        if (chunk === undefined || chunk.bytes.length > size - i * CHUNK) throw bad("is damaged: it is not whole");
        bytes.set(chunk.bytes, i * CHUNK);
      });
      if ((await sha256(bytes)) !== hash) throw bad("is damaged: its content does not match its sha256");
      return bytes;
    },
    async forget(hashes) {
      for (const hash of hashes) await access.purge(stream, `${prefix}.${hash}.>`);
    },
  };
}

/** Calls `work` with 0 to `count` − 1, at most `WINDOW` calls at once. */
async function inParallel(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) await work(i);
  };
  await Promise.all(Array.from({ length: Math.min(WINDOW, count) }, one));
}
