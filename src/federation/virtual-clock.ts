import { stream } from "../tensor/random.ts";

/** Seconds that a client takes for its part in a round, on the clock of a simulation. */
export type Pace = (client: string, round: number) => number;

/**
 * The pace of a simulation, drawn from the seed: a client takes 1 to 4 seconds, the same in each round but for a tenth more or
 * less. So the order of arrival is a function of the seed, and a simulation can be repeated.
 */
export function virtualPace(seed: number): Pace {
  return (client, round) => {
    const slowness = 1 + 3 * stream(seed, "slowness", client).uniform();
    return slowness * (0.9 + 0.2 * stream(seed, "pace", client, round).uniform());
  };
}
