import { BlobError } from "../store/store.ts";
import { sha256 } from "../tensor/sha256.ts";
import { CHUNK_BYTES } from "./layout.ts";

/** Most chunks on their way at once; it begins with one. The server holds them in memory for every party. */
const WINDOW = 8;
/** A chunk that takes less time makes room for one more; one that takes more, for one less. Milliseconds. */
const QUICK_MS = 2000;
const SLOW_MS = 10_000;

export interface Transfer {
  readonly direction: "up" | "down";
  readonly hash: string;
  /** Bytes. */
  readonly done: number;
  readonly total: number;
  readonly bytesPerSecond: number;
}

export interface TransferOptions {
  /** Most chunks on their way at once; over a slow line there are fewer. Default: 8. */
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

/**
 * Calls `work` with 0 to `count` − 1, at most `window` calls at once; none begins after a failure. How many follows the time of
 * a call: chunks that queue up before a slow line would be lost together when it breaks.
 */
function inParallel(count: number, window: number, work: (i: number) => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let running = 0;
    let room = 1;
    const fill = (): void => {
      if (running === 0 && next >= count) resolve();
      for (let free = room - running; free > 0 && next < count; free--) void call(next++);
    };
    const call = async (i: number): Promise<void> => {
      running++;
      const start = performance.now();
      try {
        await work(i);
      } catch (failure) {
        next = count;
        reject(failure);
        return;
      }
      running--;
      const milliseconds = performance.now() - start;
      if (milliseconds < QUICK_MS) room = Math.min(window, room + 1);
      else if (milliseconds > SLOW_MS) room = Math.max(1, room - 1);
      fill();
    };
    fill();
  });
}
