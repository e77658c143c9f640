import { PythonRandom } from "../tensor/python-random.ts";
import { stream } from "../tensor/random.ts";
import type { Fidelity } from "./settings.ts";

/** The draw of clients: together with the round it determines who trains. */
export interface ClientSampling {
  readonly seed: number;
  /** Number of clients in the federation. */
  readonly population: number;
  /** Number of clients in a round; all of them if there are no more. */
  readonly perRound: number;
  /** `original`: OpenFedLLM's choice, which depends on the round alone. */
  readonly fidelity?: Fidelity;
}

/** Indices of the clients of round `round` (1 is the first), ascending, drawn without replacement. */
export function clientsOfRound(
  { seed, population, perRound, fidelity }: ClientSampling,
  round: number,
): readonly number[] {
  const count = Math.min(perRound, population);
  if (fidelity === "original") {
    // random.seed(round) with rounds from 0, sorted(random.sample(range(N), s)).
    return new PythonRandom(round - 1).sample(population, count).sort((a, b) => a - b);
  }
  return stream(seed, "clients", round).sample(population, count);
}
