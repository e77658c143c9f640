export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly milliseconds?: number | undefined;
}

/** Wakes one waiter. A notification that comes while nobody waits is kept for the next wait. */
export class Notifier {
  #pending = false;
  #wake: (() => void) | undefined;

  notify(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Resolves at a notification since the last wait, after the time, or when the signal is aborted. */
  async wait({ signal, milliseconds }: WaitOptions = {}): Promise<void> {
    if (!this.#pending && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal?.addEventListener("abort", this.#wake);
      });
      signal?.removeEventListener("abort", this.#wake!);
      this.#wake = undefined;
    }
    this.#pending = false;
  }
}
