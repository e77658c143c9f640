import { EXIT_CODES } from "../diagnostics/user-error.ts";
import { watchStuckLoop } from "./stuck-watch.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * npx and npm pass a Ctrl-C on to a process that the terminal has already sent it to, so one key press can arrive twice.
 */
const SAME_PRESS_MS = 300;

export interface Interruption {
  /**
   * Aborted by the first Ctrl-C or SIGTERM. The second ends the process at once; so does the first, where the work under way
   * does not let this process act on it.
   */
  readonly signal: AbortSignal;
  /** The result of work that takes no signal, or an AbortError if the first signal comes before it. */
  before<T>(work: Promise<T>): Promise<T>;
  dispose(): void;
}

export function watchInterruption(onFirst: () => void): Interruption {
  const controller = new AbortController();
  const { signal } = controller;
  let pressedAt = 0;
  const onSignal = (): void => {
    const now = performance.now();
    if (!signal.aborted) {
      pressedAt = now;
      onFirst();
      controller.abort();
    } else if (now - pressedAt > SAME_PRESS_MS) {
      process.exit(EXIT_CODES.interrupted);
    }
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  const stuck = watchStuckLoop(SIGNALS);
  return {
    signal,
    before(work) {
      return new Promise((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason as Error);
        if (signal.aborted) onAbort();
        signal.addEventListener("abort", onAbort, { once: true });
        work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
      });
    },
    dispose() {
      for (const name of SIGNALS) process.off(name, onSignal);
      stuck.dispose();
    },
  };
}
