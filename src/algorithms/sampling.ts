import { stream } from "../tensor/random.ts";

/** Who trains when is a pure function of these and the round. */
export interface Sampling {
  readonly seed: number;
  /** Clients in the federation. */
  readonly population: number;
  /** Clients a round; all of them where there are no more. */
  readonly perRound: number;
}

/** Indices of the clients of round `round` (1 is the first), ascending, drawn without replacement. */
export function clientsOfRound({ seed, population, perRound }: Sampling, round: number): readonly number[] {
  return stream(seed, "clients", round).sample(population, Math.min(perRound, population));
}

/** In how many of the rounds before `round` each client was drawn, by client index. */
export function earlierRounds(sampling: Sampling, round: number): readonly number[] {
  const counts = Array.from({ length: sampling.population }, () => 0);
  for (let earlier = 1; earlier < round; earlier++) {
    for (const client of clientsOfRound(sampling, earlier)) counts[client]! += 1;
  }
  return counts;
}
