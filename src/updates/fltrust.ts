import { pick, subtract } from "../tensor/params.ts";
import { defineAggregator } from "./aggregator.ts";
import { trustFactors } from "./robust/factors.ts";
import { gramOf, mixed } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { distances } from "./robust/settings.ts";

/**
 * FLTrust: the coordinator trains on records that it trusts (`data.root`). Each client's change has the length of the
 * coordinator's, and counts by its cosine with it; one that points away counts nothing (Cao et al. 2021, "FLTrust"). Where
 * all point away the adapter stays as it is.
 */
export const fltrust = defineAggregator({
  settings: { distances },
  make: ({ distances: on }) =>
    robustAggregator(
      {
        name: "fltrust",
        weighted: false,
        fewest: () => 1,
        async combine(round) {
          const { global, trusted, round: number } = round.context;
          if (trusted === undefined) throw new Error("fltrust needs the coordinator's own training on data.root");
          const { like } = round.groups["delta"]!;
          const root = subtract(pick(await trusted(number, global), like), pick(global, like));
          const { factors } = trustFactors(await gramOf(round, on, [root]));
          return mixed(round, { factors, divisor: 1 });
        },
      },
      {},
    ),
});
