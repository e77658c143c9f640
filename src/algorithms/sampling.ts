import { PythonRandom } from "../tensor/python-random.ts";
import { stream } from "../tensor/random.ts";
import type { Fidelity } from "./settings.ts";

/** Who trains when is a pure function of these and the round. */
export interface Sampling {
  readonly seed: number;
  /** Clients in the federation. */
  readonly population: number;
  /** Clients a round; all of them where there are no more. */
  readonly perRound: number;
  /** `original`: OpenFedLLM's choice, which depends on the round alone. */
  readonly fidelity?: Fidelity;
}

/** Indices of the clients of round `round` (1 is the first), ascending, drawn without replacement. */
export function clientsOfRound({ seed, population, perRound, fidelity }: Sampling, round: number): readonly number[] {
  const count = Math.min(perRound, population);
  if (fidelity === "original") {
    // random.seed(round) with rounds from 0, sorted(random.sample(range(N), s)).
    return new PythonRandom(round - 1).sample(population, count).sort((a, b) => a - b);
  }
  return stream(seed, "clients", round).sample(population, count);
}

/** In how many of the rounds before `round` each client was drawn, by client index. */
export function earlierRounds(sampling: Sampling, round: number): readonly number[] {
  const counts = Array.from({ length: sampling.population }, () => 0);
  for (let earlier = 1; earlier < round; earlier++) {
    for (const client of clientsOfRound(sampling, earlier)) counts[client]! += 1;
  }
  return counts;
}
