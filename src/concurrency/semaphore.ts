interface Waiting {
  readonly count: number;
  readonly enter: () => void;
}

/** A fair counting semaphore: permits are given in the order of the calls, so no later call overtakes one for many permits. */
export class Semaphore {
  #free: number;
  readonly #waiting: Waiting[] = [];

  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Waits for `count` permits, at most as many as there are, and returns the function that gives them back.
   * @throws the signal's reason where it is aborted before.
   */
  async acquire(count = 1, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.#admit();
        reject(signal!.reason as Error);
      };
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const waiting = { count, enter };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
      this.#admit();
    });
    return () => {
      this.#free += count;
      this.#admit();
    };
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.count <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.count;
      next.enter();
    }
  }
}
