import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { EncodingPool } from "../../data/encoding/encode-all.ts";
import type { Encoded, EncodeJob, EncoderSetup } from "../../data/encoding/encoder.ts";
import { type ErrorKind, UserError } from "../../diagnostics/user-error.ts";

/** What a thread is asked. */
export interface Question {
  readonly number: number;
  readonly job: EncodeJob;
}

/** What it answers. */
export interface Answer {
  readonly number: number;
  readonly encoded?: Encoded;
  readonly refusal?: { readonly kind: ErrorKind; readonly message: string; readonly hint: string | undefined };
  /** An error that is a defect. */
  readonly defect?: unknown;
}

/** A pool whose threads end with `close`. */
export interface OpenPool extends EncodingPool {
  readonly close: () => Promise<void>;
}

const WORKER = fileURLToPath(new URL("./encoding-worker.js", import.meta.url));
/**
 * A thread opens the tokenizer and learns words anew, which takes as long as encoding some 800 records: with fewer than twice
 * as many it is no help.
 */
const RECORDS_A_THREAD = 1600;
const MOST_THREADS = 8;

/**
 * Opens threads that encode, at most `threads`, where there are enough records for them; undefined for few. The sources
 * run without them: a thread needs the built file.
 */
export function openEncodingPool(setup: EncoderSetup, records: number, threads: number): OpenPool | undefined {
  const size = Math.min(threads, MOST_THREADS, Math.floor(records / RECORDS_A_THREAD));
  if (size < 1 || !existsSync(WORKER)) return undefined;
  const waiting = new Map<number, { resolve: (encoded: Encoded) => void; reject: (error: unknown) => void }>();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const open = (): Worker => {
    const worker = new Worker(WORKER, { workerData: setup, execArgv: [] });
    worker.on("message", ({ number, encoded, refusal, defect }: Answer) => {
      const asked = waiting.get(number);
      waiting.delete(number);
      if (encoded !== undefined) asked?.resolve(encoded);
      else if (refusal !== undefined)
        asked?.reject(new UserError(refusal.kind, refusal.message, { hint: refusal.hint }));
      else asked?.reject(defect);
    });
    worker.on("error", fail);
    worker.on("exit", (code) => fail(new Error(`a thread that tokenises ended with code ${code}`)));
    return worker;
  };
  // At the first question: where everything is kept already, there is none.
  let workers: readonly Worker[] | undefined;
  let next = 0;
  return {
    size,
    encode: (job) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure.error);
          return;
        }
        workers ??= Array.from({ length: size }, open);
        const number = next++;
        waiting.set(number, { resolve, reject });
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
        workers[number % size]!.postMessage({ number, job } satisfies Question);
      }),
    async close() {
      failure ??= { error: new Error("the threads that tokenise were ended") };
      await Promise.all((workers ?? []).map((worker) => worker.terminate()));
    },
  };
}
