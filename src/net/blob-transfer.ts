import { BlobError } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import { CHUNK_BYTES } from "./layout.ts";

/** Chunks on their way at once. The server holds them in memory for every party. */
const WINDOW = 8;

export interface Transfer {
  readonly direction: "up" | "down";
  readonly hash: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
  readonly bytesPerSecond: number;
}

export interface TransferOptions {
  /** Chunks on their way at once. Default: 8. */
  readonly window?: number | undefined;
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined;
}

type Part = number | "size";

/** Sends the parts of a blob that are not there yet, the size last: a blob with a size is whole. */
export async function sendBlob(
  bytes: Uint8Array,
  hash: string,
  there: ReadonlySet<string>,
  send: (part: Part, bytes: Uint8Array) => Promise<unknown>,
  options: TransferOptions = {},
): Promise<void> {
  if (there.has("size")) return;
  const report = reporter("up", hash, bytes.length, options);
  await inParallel(Math.ceil(bytes.length / CHUNK_BYTES), options.window ?? WINDOW, async (i) => {
    const chunk = bytes.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
    if (!there.has(String(i))) await send(i, chunk);
    report(chunk.length);
  });
  await send("size", new TextEncoder().encode(String(bytes.length)));
}

/**
 * Fetches a blob and checks it. Memory grows only with bytes that came, whatever size another party wrote.
 * @throws BlobError for a missing part or other bytes than those of the hash.
 */
export async function fetchBlob(
  hash: string,
  get: (part: Part) => Promise<Uint8Array | undefined>,
  options: TransferOptions = {},
): Promise<Uint8Array> {
  const bad = (how: string): BlobError => new BlobError(`Blob ${hash} ${how}.`, { hint: "Start a new run." });
  const sizeBytes = await get("size");
  if (sizeBytes === undefined) throw bad("is not in the store");
  const sizeText = new TextDecoder().decode(sizeBytes.subarray(0, 20));
  const size = /^\d{1,15}$/.test(sizeText) ? Number(sizeText) : Number.NaN;
  if (Number.isNaN(size)) throw bad("is damaged: its size is no number");
  const chunks = new Map<number, Uint8Array>();
  const report = reporter("down", hash, size, options);
  await inParallel(Math.ceil(size / CHUNK_BYTES), options.window ?? WINDOW, async (i) => {
    const chunk = await get(i);
    if (chunk?.length !== Math.min(CHUNK_BYTES, size - i * CHUNK_BYTES)) throw bad("is damaged: it is not whole");
    chunks.set(i, chunk);
    report(chunk.length);
  });
  const bytes = new Uint8Array(size);
  for (const [i, chunk] of chunks) bytes.set(chunk, i * CHUNK_BYTES);
  if ((await sha256(bytes)) !== hash) throw bad("is damaged: its content does not match its sha256");
  return bytes;
}

function reporter(direction: "up" | "down", hash: string, total: number, options: TransferOptions) {
  const start = performance.now();
  let done = 0;
  return (bytes: number): void => {
    done += bytes;
    const seconds = Math.max(0.001, (performance.now() - start) / 1000);
    options.onTransfer?.({ direction, hash, done, total, bytesPerSecond: done / seconds });
  };
}

/** Calls `work` with 0 to `count` − 1, at most `window` calls at once; none begins after a failure. */
async function inParallel(count: number, window: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    try {
      for (let i = next++; i < count; i = next++) await work(i);
    } catch (failure) {
      next = count;
      throw failure;
    }
  };
  await Promise.all(Array.from({ length: Math.min(window, count) }, one));
}
