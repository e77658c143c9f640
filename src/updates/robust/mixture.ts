import { weightOf } from "../../algorithms/settings.ts";
import type { Groups } from "../../tensor/groups.ts";
import { mapParams, type Params, pick } from "../../tensor/params.ts";
import { weightedSums } from "../weighted-sum.ts";
import { gramOnFactors, gramOnProducts } from "./distances.ts";
import { normalised } from "./factors.ts";
import type { Gram } from "./gram.ts";
import type { RobustResult, RobustRound } from "./robust-aggregator.ts";

/** Σ factors_i·x_i/divisor. */
export interface Mix {
  readonly factors: readonly number[];
  readonly divisor: number;
}

/** The inner products of a round's changes of the adapter, on products or on factors. `more`: changes behind the updates'. */
export function gramOf(
  { groups, updates, context: { global, scales } }: RobustRound,
  on: "product" | "factors" = "product",
  more: readonly Params[] = [],
): Promise<Gram> {
  return on === "factors"
    ? gramOnFactors(updates, "delta", groups["delta"]!.like, { more })
    : gramOnProducts(updates, "delta", pick(global, groups["delta"]!.like), { more, scales });
}

/** The clients' weights in the mean of a group. */
export function weightsOf({ groups, updates }: RobustRound, group = "delta"): number[] {
  return updates.entries.map(({ records }) => weightOf(groups[group]!.weighting, records));
}

/**
 * Mixes the updates: one pass over them. A mix rules all groups, or each its own. A group to be summed becomes its mix times the
 * number of participants. `fair`: the clients' weights in the mean, which the reported weights are relative to. Default: all equal.
 */
export async function mixed(
  { groups, updates, participants }: RobustRound,
  mix: Mix | Readonly<Record<string, Mix>>,
  fair: readonly number[] = updates.entries.map(() => 1),
): Promise<RobustResult> {
  const mixOf = (group: string): Mix => ("divisor" in mix ? (mix as Mix) : (mix as Record<string, Mix>)[group]!);
  const sums = await weightedSums(groups, updates, (group, place) => mixOf(group).factors[place]!);
  const combined: Groups = Object.fromEntries(
    Object.entries(groups).map(([group, { combined: how }]) => {
      const times = how === "sum" ? participants : 1;
      const { divisor } = mixOf(group);
      return [group, mapParams(sums[group]!.tensors, (x) => (times * x) / divisor)];
    }),
  );
  const { factors, divisor } = mixOf("delta");
  const shares = normalised(fair);
  return { combined, weights: updates.entries.map((_, i) => factors[i]! / divisor / shares[i]!) };
}
