import { parentPort, workerData } from "node:worker_threads";
import { type EncodeJob, type EncoderSetup, openEncoder } from "../../data/encoding/encoder.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Answer, Question } from "./encoding-pool.ts";

// A thread of the pool: it opens the tokenizer once, and answers jobs in the order they come.
const encode = openEncoder(workerData as EncoderSetup);

parentPort!.on("message", ({ number, job }: Question) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort!.postMessage({ number, ...answer(job) } satisfies Answer);
});

function answer(job: EncodeJob): Omit<Answer, "number"> {
  try {
    return { encoded: encode(job) };
  } catch (error) {
    // The class of an error is lost between threads.
    if (!(error instanceof UserError)) return { defect: error };
    const { kind, message, hint } = error;
    return { refusal: { kind, message, hint } };
  }
}
