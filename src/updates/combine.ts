import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import type { AggregationContext, Aggregator, Updates } from "./aggregator.ts";
import { asChange, changeFrom, putOn } from "./wire.ts";

/** Combines the updates of a round. Updates and result have the group `adapter`, whatever the aggregator works on. */
export async function combine(
  { on, combine: combined }: Pick<Aggregator, "on" | "combine">,
  groups: UpdateGroups,
  { entries, read }: Updates,
  context: AggregationContext,
): Promise<Groups> {
  if (on === "adapter") return combined(groups, { entries, read }, context);
  const { global } = context;
  const change = async (place: number): Promise<Groups> => changeFrom(await read(place), global);
  return putOn(await combined(asChange(groups), { entries, read: change }, context), global);
}
