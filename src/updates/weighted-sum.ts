import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { filledLike, mapParams, type Params } from "../tensor/params.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Updates } from "./aggregator.ts";

/** Σ weight·tensor in float64, and Σ weight. `addWeighted` changes the tensors in place. */
export interface WeightedSum {
  readonly weight: number;
  readonly tensors: Params;
}

/**
 * Adds weight·params to a running sum, or starts one. The same tensors and weights in the same order give the same
 * bits. With whole-number weights that total less than 2²⁹, every product and sum of equal float32 values is exact:
 * equal clients average to themselves bit for bit.
 *
 * Throws an Error that names the tensor where one is missing, new, or of another shape.
 */
export function addWeighted(sum: WeightedSum | undefined, params: Params, weight: number): WeightedSum {
  // −0 leaves every addend as it is; 0 + −0 is 0, and a client alone would lose the sign of its zeros.
  const tensors = sum?.tensors ?? filledLike(params, -0, Float64Array);
  for (const name of tensors.keys()) if (!params.has(name)) throw new Error(`tensor ${name}: missing in an update`);
  for (const [name, { shape, data }] of params) {
    const into = tensors.get(name);
    if (into === undefined) throw new Error(`tensor ${name}: in one update, missing in another`);
    if (!sameShape(shape, into.shape)) {
      throw new Error(`tensor ${name}: ${formatShape(shape)} in one update, ${formatShape(into.shape)} in another`);
    }
    for (let i = 0; i < data.length; i++) into.data[i]! += weight * data[i]!;
  }
  return { weight: (sum?.weight ?? 0) + weight, tensors };
}

/** Adds up the updates, each read once: one sum a group, and none where there is no update. */
export async function weightedSums(
  groups: UpdateGroups,
  { entries, read }: Updates,
  weightIn: (group: string, place: number) => number,
): Promise<Record<string, WeightedSum>> {
  const sums: Record<string, WeightedSum> = {};
  for (const place of entries.keys()) {
    const update = await read(place);
    for (const group of Object.keys(groups)) {
      sums[group] = addWeighted(sums[group], update[group]!, weightIn(group, place));
    }
  }
  return sums;
}

/** The weighted mean, in float64. Throws an Error if nothing was added. */
export function mean(sum: WeightedSum | undefined): Params {
  if (sum === undefined || !(sum.weight > 0)) throw new Error("a mean needs at least one update of positive weight");
  return mapParams(sum.tensors, (x) => x / sum.weight);
}
