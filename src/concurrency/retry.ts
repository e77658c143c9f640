/**
 * Repeats work that fails. `pauseAfter` gives the pause before the next attempt, milliseconds, or undefined for a failure that
 * ends it.
 *
 * @throws the last failure, or the signal's reason where it is aborted.
 */
export async function withRetries<T>(
  work: () => Promise<T>,
  pauseAfter: (failure: unknown) => number | undefined,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (failure) {
      signal?.throwIfAborted();
      const pauseMs = pauseAfter(failure);
      if (pauseMs === undefined) throw failure;
      await pause(pauseMs, signal);
    }
  }
}

/** Reads the HTTP header `Retry-After`, seconds or a date, as milliseconds from now; undefined for neither. */
export function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      // The reason is the caller's own, whatever it is.
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
