import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";

/** An aggregation under way. */
export interface Aggregation {
  /**
   * Adds the update of a client with `records` records. This aggregation must not be used afterwards, only the returned
   * one. Throws an Error that names the tensor where the update does not have the shape of the others.
   */
  readonly add: (update: Groups, records: number) => Aggregation;
  /** Returns the combined groups, in float64. Throws an Error if nothing was added. */
  readonly finish: () => Groups;
}

/**
 * A way to make one update of many. The coordinator adds updates in sorted order of clients; the same updates in the same
 * order give the same bits.
 */
export interface Aggregator {
  readonly name: string;
  /** True if the clients' weights change the result. */
  readonly weighted: boolean;
  /** Begins an aggregation of updates with these groups. */
  readonly start: (groups: UpdateGroups) => Aggregation;
}

/** Declares an aggregator with the settings of `federation` that it reads. */
export function defineAggregator<F extends SettingFields>(
  aggregator: Declared<F, [], Aggregator>,
): Declared<F, [], Aggregator> {
  return aggregator;
}
