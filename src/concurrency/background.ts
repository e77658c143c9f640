/** Work that goes on while its caller goes on. A step that rests on it waits for all of it. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly why: unknown } | undefined;

  start(work: () => Promise<unknown>): void {
    const running: Promise<void> = work()
      .catch((why: unknown) => void (this.#failure ??= { why }))
      .then(() => void this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for all work that was started. @throws the first failure of any, every time. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.why;
  }
}
