import { Worker } from "node:worker_threads";

/** A loop that does not turn for so long after a signal is stuck: on a busy machine one that works may need some seconds. */
const PATIENCE_MS = 10_000;

/**
 * Ends the process where a signal came and the event loop does not turn: a regular expression of a tokenizer or a loop of a
 * chat template may have no end, and no handler runs before it. The process ends as by `kill -9`, after which the same
 * command continues.
 *
 * A thread of its own receives the signal too. Node gives signals to the main thread only, but for the binding that its own
 * handlers are made of; where a later Node lacks it, this does nothing.
 */
export function watchStuckLoop(signals: readonly NodeJS.Signals[]): { dispose(): void } {
  const worker = new Worker(WATCH, {
    eval: true,
    workerData: { signals, patienceMs: PATIENCE_MS },
    stdin: false,
    env: {},
    execArgv: [],
  });
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.on("message", () => worker.postMessage("turning"));
  worker.on("error", () => {});
  worker.unref();
  return { dispose: () => void worker.terminate() };
}

const WATCH = String.raw`
const { constants } = require("node:os");
const { writeSync } = require("node:fs");
const { isatty } = require("node:tty");
const { parentPort, workerData } = require("node:worker_threads");
process.noDeprecation = true;
let clock;
parentPort.on("message", () => {
  clearTimeout(clock);
  clock = undefined;
});
function onSignal() {
  parentPort.postMessage("signal");
  // A second press does not begin the time anew.
  clock ??= setTimeout(() => {
    try {
      writeSync(2, (isatty(2) ? "\u001b[?25h" : "") + "Stopped at once: the work under way cannot be interrupted.\n");
    } catch {}
    process.kill(process.pid, "SIGKILL");
  }, workerData.patienceMs);
}
try {
  const { Signal } = process.binding("signal_wrap");
  for (const name of workerData.signals) {
    const watch = new Signal();
    watch.onsignal = onSignal;
    watch.start(constants.signals[name]);
  }
} catch {}
`;
