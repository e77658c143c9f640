import { COMMON_SET } from "../experiment/records/client-records.ts";
import { betterWay } from "../settings/metric-names.ts";
import { meanOf } from "./spread.ts";
import type { StoredRound, StoredScores } from "./stored-run.ts";

/** One metric after one round of one run. */
export interface MetricValues {
  /** Values on the common held-out set by adapter: `global`, or the client's name if every client has its own adapter. */
  readonly common: ReadonlyMap<string, number>;
  /** Values on each client's own set, with the client's own adapter if it has one, else with the global adapter. */
  readonly own: ReadonlyMap<string, number>;
}

/** True for a round that measured the clients' own adapters instead of a global one. */
export function isPersonal({ heldOut, personal }: StoredRound): boolean {
  return heldOut.size === 0 && personal.size > 0;
}

/** The values of a metric in a round; undefined if the round did not measure it. */
export function metricValues(round: StoredRound, metric: string): MetricValues | undefined {
  const common = new Map<string, number>();
  const own = new Map<string, number>();
  const take = (scores: StoredScores, set: string, into: Map<string, number>, name: string): void => {
    const value = scores.get(set)?.values.get(metric);
    if (value !== undefined) into.set(name, value);
  };
  if (isPersonal(round)) {
    for (const [client, scores] of round.personal) {
      take(scores, COMMON_SET, common, client);
      take(scores, client, own, client);
    }
  } else {
    take(round.heldOut, COMMON_SET, common, "global");
    for (const set of round.heldOut.keys()) if (set !== COMMON_SET) take(round.heldOut, set, own, set);
  }
  return common.size === 0 && own.size === 0 ? undefined : { common, own };
}

/** The mean over adapters; undefined without a common set. */
export function commonMean({ common }: MetricValues): number | undefined {
  return common.size === 0 ? undefined : meanOf([...common.values()]);
}

/** The mean over clients with equal weights; undefined if no client has a set. */
export function ownMean({ own }: MetricValues): number | undefined {
  return own.size === 0 ? undefined : meanOf([...own.values()]);
}

/** The client with the worst value; undefined if no client has a set, or if no direction is better. */
export function worstClient({ own }: MetricValues, metric: string): { client: string; value: number } | undefined {
  let worst: { client: string; value: number } | undefined;
  const better = betterWay(metric);
  if (better === undefined) return undefined;
  const sign = better === "lower" ? 1 : -1;
  for (const [client, value] of own) {
    // NaN is worse than any number.
    if (worst === undefined || Number.isNaN(value) || sign * value > sign * worst.value) worst = { client, value };
    if (Number.isNaN(value)) break;
  }
  return worst;
}
