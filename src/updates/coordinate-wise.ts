import type { UpdateGroup } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { type Params, type Tensor, zipParams } from "../tensor/params.ts";
import type { Aggregator } from "./aggregator.ts";

/**
 * Makes an aggregator that applies `statistic` to the sorted values of each coordinate. All clients have the same weight. A
 * group to be summed becomes the statistic times the number of clients. All updates of a round are in memory at once.
 */
export function coordinateWise(name: string, statistic: (sorted: Float64Array) => number): Aggregator {
  return {
    name,
    weighted: false,
    on: "adapter",
    async combine(groups, { entries, read }) {
      const updates: Groups[] = [];
      for (const place of entries.keys()) updates.push(await read(place));
      return Object.fromEntries(
        Object.entries(groups).map(([group, how]) => [
          group,
          combined(
            how,
            statistic,
            updates.map((update) => update[group]!),
          ),
        ]),
      );
    },
  };
}

function combined(
  { combined: how }: UpdateGroup,
  statistic: (sorted: Float64Array) => number,
  updates: readonly Params[],
): Params {
  const [first, ...others] = updates;
  if (first === undefined) throw new Error("an aggregate needs at least one update");
  // Compares names and shapes, and names the tensor that differs.
  for (const other of others) zipParams(first, other, (x) => x);
  const factor = how === "sum" ? updates.length : 1;
  return new Map(
    Array.from(first, ([name, { shape }]): [string, Tensor] => {
      const columns = updates.map((update) => update.get(name)!.data);
      const values = new Float64Array(columns.length);
      const data = Float64Array.from(columns[0]!, (_, i) => {
        for (const [k, column] of columns.entries()) values[k] = column[i]!;
        return factor * statistic(values.sort());
      });
      return [name, { shape, data }];
    }),
  );
}
