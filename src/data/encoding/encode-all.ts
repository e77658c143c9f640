import { type EncodeJob, type Encode, type Encoded, joined } from "./encoder.ts";

/** PORT. Encodes jobs on other threads. */
export interface EncodingPool {
  /** Jobs that are worked on at once. */
  readonly size: number;
  /** Throws what the encoder throws. */
  readonly encode: (job: EncodeJob) => Promise<Encoded>;
}

/** PORT. Keeps what was encoded, by the key of a job. What it returns was written under that key. */
export interface KeptEncodings {
  /** The key of a job, of everything that its result depends on. */
  readonly keyOf: (job: EncodeJob, signal?: AbortSignal) => Promise<string>;
  readonly read: (key: string) => Promise<Encoded | undefined>;
  readonly write: (key: string, encoded: Encoded) => Promise<void>;
}

export interface EncodeAllOptions {
  /** Encodes on this thread. */
  readonly encode: Encode;
  readonly pool?: EncodingPool | undefined;
  readonly kept?: KeptEncodings | undefined;
  /** Called with the number of records that are new since the last call. */
  readonly onDone?: ((records: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Few enough that a part takes some milliseconds, and a message between threads is small. */
const UNITS_A_PART = 32;
/** Longest time without letting anything else happen, for records of usual length. */
const SLICE_MS = 12;
/** Reading and writing less takes as long as encoding it. */
const FEWEST_KEPT = 256;

/**
 * Encodes a job in parts, on the threads of the pool or on this one, and lets timers, signals and screens live between them.
 * The result is that of `encode` on the whole job, byte for byte. What was encoded before is taken from `kept`.
 *
 * @throws what `encode` throws for the first record that it cannot encode, and the signal's reason.
 */
export async function encodeAll(job: EncodeJob, options: EncodeAllOptions): Promise<Encoded> {
  const { kept, onDone, signal } = options;
  const keeps = kept !== undefined && job.units.length >= FEWEST_KEPT;
  const key = keeps ? await kept.keyOf(job, signal) : undefined;
  const known = key === undefined ? undefined : await kept!.read(key);
  signal?.throwIfAborted();
  if (known !== undefined) {
    onDone?.(job.units.length);
    return known;
  }
  const encoded = await inParts(job, options);
  if (key !== undefined) await kept!.write(key, encoded);
  return encoded;
}

async function inParts(job: EncodeJob, { encode, pool, onDone, signal }: EncodeAllOptions): Promise<Encoded> {
  if (job.units.length === 0) return encode(job);
  const starts = Array.from({ length: Math.ceil(job.units.length / UNITS_A_PART) }, (_, i) => i * UNITS_A_PART);
  const partAt = (start: number, size = UNITS_A_PART): EncodeJob => ({
    ...job,
    units: job.units.slice(start, start + size),
  });
  if (pool !== undefined) {
    const parts: Encoded[] = [];
    // By the number of its part: the parts before it were begun before it, so the first one is that of the first record.
    const errors: unknown[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      for (let i = next++; i < starts.length && errors.length === 0; i = next++) {
        try {
          signal?.throwIfAborted();
          const part = partAt(starts[i]!);
          parts[i] = await pool.encode(part);
          onDone?.(part.units.length);
        } catch (error) {
          errors[i] = error;
        }
      }
    };
    // Two for each thread, so that none waits for this one.
    await Promise.all(Array.from({ length: 2 * pool.size }, work));
    signal?.throwIfAborted();
    for (const error of errors) if (error !== undefined) throw error;
    return joined(parts);
  }
  const parts: Encoded[] = [];
  let since = performance.now();
  for (let at = 0; at < job.units.length; at++) {
    const part = partAt(at, 1);
    parts.push(encode(part));
    onDone?.(1);
    if (performance.now() - since < SLICE_MS) continue;
    await aMoment();
    signal?.throwIfAborted();
    since = performance.now();
  }
  return joined(parts);
}

/** Lets other work happen. */
export function aMoment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
