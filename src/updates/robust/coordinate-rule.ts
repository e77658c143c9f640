import { filledLike, type Params } from "../../tensor/params.ts";
import { chunksOf, columnsOf, NUMBERS_IN_MEMORY } from "./chunks.ts";
import type { CoordinateRule } from "./coordinates.ts";
import type { RobustResult, RobustRound } from "./robust-aggregator.ts";

/**
 * Combines each coordinate by a rule, in chunks: one pass over the updates for each. A group to be summed becomes the rule's
 * result times the number of participants.
 */
export async function byCoordinate(
  { groups, updates, participants }: Pick<RobustRound, "groups" | "updates" | "participants">,
  rule: CoordinateRule,
  inMemory: number = NUMBERS_IN_MEMORY,
): Promise<RobustResult> {
  const size = updates.entries.length;
  if (size === 0) throw new Error("an aggregate needs at least one update");
  const shares = new Float64Array(size);
  const combined: Record<string, Params> = {};
  let coordinates = 0;
  for (const [group, { like, combined: how }] of Object.entries(groups)) {
    const result = filledLike(like, 0, Float64Array);
    const times = how === "sum" ? participants : 1;
    const values = new Float64Array(size);
    // Only the adapter's shares are reported.
    const own = group === "delta" || group === "adapter";
    const counted = own ? shares : new Float64Array(size);
    for (const chunk of chunksOf(like, inMemory / size)) {
      const columns = await columnsOf(updates, group, like, chunk);
      let at = 0;
      for (const { name, from, to } of chunk) {
        const { data } = result.get(name)!;
        for (let i = from; i < to; i++, at++) {
          for (let k = 0; k < size; k++) values[k] = columns[k]![at]!;
          data[i] = times * rule(values, counted);
        }
        if (own) coordinates += to - from;
      }
    }
    combined[group] = result;
  }
  return { combined, weights: Array.from(shares, (share) => (share / coordinates) * size) };
}
