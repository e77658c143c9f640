import type { Store } from "../store/store.ts";

/** The clients that are to answer a cell, and those that have, as this process sees it. It lists keys and reads no cell. */
export class Answers {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #missing: Map<string, string>;
  readonly #began = performance.now();
  /** In the order in which this process saw them; those of one look in the order of `clients`. */
  readonly arrived: string[] = [];

  /** `keyOf`: the key of a client's answer, under `prefix`. */
  constructor(store: Store, clients: readonly string[], prefix: string, keyOf: (client: string) => string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#missing = new Map(clients.map((client) => [keyOf(client), client]));
  }

  /** Looks once. Returns the clients whose answers are new. */
  async look(): Promise<readonly string[]> {
    if (this.#missing.size === 0) return [];
    const written = new Set(await this.#store.list(this.#prefix));
    const found: string[] = [];
    for (const [key, client] of this.#missing) if (written.has(key)) found.push(client);
    for (const key of written) this.#missing.delete(key);
    this.arrived.push(...found);
    return found;
  }

  get missing(): string[] {
    return [...this.#missing.values()];
  }

  /** Seconds since this process first saw the cell. */
  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }
}

/** The rules that let a coordinator go on without all answers. */
export interface Patience {
  /** Answers that are enough once the deadline has passed; at least 1. */
  readonly fewest: number;
  readonly deadlineSeconds?: number | undefined;
  /** Times that the deadline is extended where `fewest` are not there. Default: as often as needed. */
  readonly extensions?: number | undefined;
}

/** Milliseconds to wait for the others; undefined: until they answer. Zero: time to go on with those that are there. */
export function timeLeft(
  seconds: number,
  answers: number,
  { fewest, deadlineSeconds = Number.POSITIVE_INFINITY, extensions = Number.POSITIVE_INFINITY }: Patience,
): number | undefined {
  const enough = answers >= Math.max(1, fewest);
  const left = (enough ? deadlineSeconds : deadlineSeconds * (1 + extensions)) - seconds;
  return Number.isFinite(left) ? Math.max(0, left * 1000) : undefined;
}
