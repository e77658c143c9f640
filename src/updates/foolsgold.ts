import type { Groups } from "../tensor/groups.ts";
import { addScaled, type Params, pickOrZeros, toFloat32 } from "../tensor/params.ts";
import { defineAggregator } from "./aggregator.ts";
import { foolsGoldWeights } from "./robust/factors.ts";
import { gramOnFactors } from "./robust/distances.ts";
import { mixed } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";

/**
 * FoolsGold: clients of which the changes, summed over rounds, look alike count less (Fung et al. 2020, "The limitations of
 * federated learning in sybil settings", algorithm 1). It is meant for honest clients with unlike data and several hostile ones
 * with one aim. The result is the mean by its weights; where all are 0, no change. It keeps the sum of each client's changes: as
 * many adapters as there are clients. The cosines are on the factors A and B: sums of products have no low rank.
 */
export const foolsgold = defineAggregator({
  settings: {},
  make: () =>
    robustAggregator(
      {
        name: "foolsgold",
        weighted: false,
        fewest: () => 1,
        async combine(round) {
          const { entries, read } = round.updates;
          const { kept = {}, keep } = round.context;
          const histories: Record<string, Params> = {};
          for (const [place, { client }] of entries.entries()) {
            const change = toFloat32((await read(place))["delta"]!);
            histories[groupOf(client)] = added(kept[groupOf(client)] ?? new Map(), change);
          }
          // Rounds may change different tensors, and clients may have missed some.
          const like: Params = new Map(Object.values(histories).flatMap((history) => [...history]));
          const whole = (place: number): Params => pickOrZeros(histories[groupOf(entries[place]!.client)]!, like);
          const summed = { entries, read: async (place: number): Promise<Groups> => ({ delta: whole(place) }) };
          const gram = await gramOnFactors(summed, "delta", like);
          keep?.({ ...kept, ...histories });
          const factors = foolsGoldWeights(gram);
          const total = factors.reduce((sum, factor) => sum + factor, 0);
          return mixed(round, { factors, divisor: total === 0 ? 1 : total });
        },
      },
      {},
    ),
});

/** The name of the group of a client's history: group names hold no slash. */
function groupOf(client: string): string {
  return encodeURIComponent(client);
}

/** Adds a change to the sum of earlier ones, which may lack some of its tensors, or have others. */
function added(history: Params, change: Params): Params {
  return new Map([...history, ...addScaled(pickOrZeros(history, change), 1, change)]);
}
