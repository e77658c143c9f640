import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";

/** An aggregation under way. */
export interface Aggregation {
  /**
   * The aggregation with one more update in it, of a client with so many records. Consumes this one: use only what it
   * returns. Throws an Error that names the tensor where the update does not have the shape of the others.
   */
  readonly add: (update: Groups, records: number) => Aggregation;
  /** The groups combined, in float64. Throws an Error if nothing was added. */
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
  /** An aggregation of updates with these groups. */
  readonly start: (groups: UpdateGroups) => Aggregation;
}

/** Declares an aggregator with the settings of `federation` that it reads. */
export function defineAggregator<F extends SettingFields>(
  aggregator: Declared<F, [], Aggregator>,
): Declared<F, [], Aggregator> {
  return aggregator;
}
