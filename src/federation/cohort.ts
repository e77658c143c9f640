import { type ClientSampling, clientsOfRound } from "../algorithms/client-sampling.ts";
import type { Store } from "../store/store.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type RoundOpening, roundOpening } from "./protocol/messages.ts";

/** The draw of a round's clients. */
export interface Draw extends Omit<ClientSampling, "population"> {
  /** Members of the round. */
  readonly members: Iterable<string>;
  /** Clients that are there. They are drawn first. Default: all. */
  readonly available?: ReadonlySet<string> | undefined;
}

/**
 * The clients of a round, ascending, drawn by the seed. Where enough are there, those that are not are not drawn; otherwise all
 * that are there take part, and others are drawn beside them.
 */
export function drawCohort({ members, available, ...sampling }: Draw, round: number): string[] {
  const sorted = [...members].sort();
  const count = Math.min(sampling.perRound, sorted.length);
  const present = available === undefined ? sorted : sorted.filter((client) => available.has(client));
  const draw = (from: readonly string[], perRound: number): string[] =>
    clientsOfRound({ ...sampling, population: from.length, perRound }, round).map((index) => from[index]!);
  if (present.length >= count) return draw(present, count);
  const absent = sorted.filter((client) => !available!.has(client));
  return [...present, ...draw(absent, count - present.length)].sort();
}

/** Counts the openings that each client was drawn for. It reads each opening once. */
export class EarlierRounds {
  readonly #store: Store;
  readonly #counts = new Map<string, number>();
  #round = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The rounds before `round` that each of `clients` was drawn for. Rounds may only go up. */
  async before(round: number, clients: readonly string[]): Promise<number[]> {
    for (; this.#round < round - 1; this.#round++) {
      const opening = await readMessage(this.#store, keys.opening(this.#round + 1), roundOpening);
      this.#add(opening);
    }
    return clients.map((client) => this.#counts.get(client) ?? 0);
  }

  #add(opening: RoundOpening | undefined): void {
    for (const client of opening?.clients ?? []) this.#counts.set(client, (this.#counts.get(client) ?? 0) + 1);
  }
}
