import { weightOf } from "../../algorithms/settings.ts";
import type { UpdateGroups } from "../../algorithms/algorithm.ts";
import type { Groups } from "../../tensor/groups.ts";
import { mapParams, type Params } from "../../tensor/params.ts";
import type { RandomStream } from "../../tensor/random.ts";
import type { Judgement, Updates } from "../aggregator.ts";
import { weightedSums } from "../weighted-sum.ts";
import { loraPairs } from "./lora-pairs.ts";
import { medianOf } from "./order.ts";

/** A client is cut out where ‖A‖/‖B‖ is so many times the cohort's median, or its inverse. */
const MOST_RATIO = 10;

/**
 * Cuts out the clients of which ‖A‖/‖B‖, over all modules, is beyond 10 times the cohort's median or below a tenth of it. (c·B, A/c)
 * is the same model at any c, so no distance on products shows it; but the mean of factors of unlike sizes is ruled by the
 * largest.
 */
export async function wellScaled(
  updates: Updates,
  global: Params,
): Promise<{ readonly kept: Updates; readonly cut: readonly Judgement[] }> {
  const { entries, read } = updates;
  if (entries.length === 0) return { kept: updates, cut: [] };
  // Where one factor stays as it is, there is nothing to exchange between the two.
  const { pairs } = loraPairs((await read(0))["delta"]!);
  const ratios: number[] = [];
  for (const place of entries.keys()) {
    const { delta } = await read(place);
    const squares = (name: string): number => squaredNorm(global.get(name)!.data, delta!.get(name)!.data);
    const [a, b] = (["a", "b"] as const).map((side) => pairs.reduce((sum, pair) => sum + squares(pair[side]), 0));
    ratios.push(Math.sqrt(a! / b!));
  }
  const usual = medianOf(ratios);
  if (pairs.length === 0 || !Number.isFinite(usual) || usual === 0) return { kept: updates, cut: [] };
  const places = [...ratios.keys()].filter((i) => isNear(ratios[i]!, usual));
  const cut = entries.flatMap(({ client }, i): Judgement[] =>
    isNear(ratios[i]!, usual) ? [] : [{ client, weight: 0, reason: scaleReason(ratios[i]!, usual) }],
  );
  return { kept: subset(updates, places), cut };
}

function isNear(ratio: number, usual: number): boolean {
  return ratio <= MOST_RATIO * usual && ratio >= usual / MOST_RATIO;
}

function scaleReason(ratio: number, usual: number): string {
  if (ratio === Number.POSITIVE_INFINITY) return "its B is 0, and that of others is not";
  return `‖A‖/‖B‖ is ${ratio.toPrecision(3)}, and the median of the round is ${usual.toPrecision(3)}`;
}

function squaredNorm(base: ArrayLike<number>, change: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < base.length; i++) sum += (base[i]! + change[i]!) ** 2;
  return sum;
}

/** The updates at places. */
export function subset({ entries, read }: Updates, places: readonly number[]): Updates {
  return { entries: places.map((i) => entries[i]!), read: (place) => read(places[place]!) };
}

/** Updates that are means of others, with the places that each is made of. */
export interface Buckets {
  readonly updates: Updates;
  readonly members: readonly (readonly number[])[];
}

/**
 * Deals updates to `count` buckets of nearly one size, in random order (Karimireddy et al. 2022, "Byzantine-robust
 * learning on heterogeneous datasets via bucketing"). A bucket's update is the mean of its members, weighted as the groups
 * say where `weighted` is true. It has the records of all of them.
 */
export function inBuckets(
  updates: Updates,
  groups: UpdateGroups,
  { count, weighted, random }: { readonly count: number; readonly weighted: boolean; readonly random: RandomStream },
): Buckets {
  const { entries } = updates;
  const order = [...random.permutation(entries.length)];
  // The first ones have one member more where the number of updates is no multiple.
  const end = (bucket: number): number =>
    bucket * Math.floor(order.length / count) + Math.min(bucket, order.length % count);
  const members = Array.from({ length: Math.min(count, order.length) }, (_, i) => order.slice(end(i), end(i + 1)));
  const bucketEntries = members.map((places, i) => ({
    client: `bucket ${i + 1}`,
    records: places.reduce((sum, place) => sum + entries[place]!.records, 0),
  }));
  const mean = async (bucket: number): Promise<Groups> => {
    const own = subset(updates, members[bucket]!);
    const sums = await weightedSums(groups, own, (group, place) =>
      weighted ? weightOf(groups[group]!.weighting, own.entries[place]!.records) : 1,
    );
    return Object.fromEntries(
      Object.entries(sums).map(([name, { tensors, weight }]) => [name, mapParams(tensors, (x) => x / weight)]),
    );
  };
  return { updates: { entries: bucketEntries, read: mean }, members };
}
