import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";

/** The accepted updates of a round, in sorted order of clients. */
export interface Updates {
  readonly entries: readonly { readonly client: string; readonly records: number }[];
  /** Fetches the update of the entry at a place. It is not kept: an aggregator may read each update several times. */
  readonly read: (place: number) => Promise<Groups>;
}

/** The round that updates are combined in. */
export interface AggregationContext {
  readonly round: number;
  /** The adapter that the round began with. */
  readonly global: Params;
}

/**
 * A way to make one update of many. The coordinator gives updates in sorted order of clients; the same updates in the same
 * order give the same bits.
 */
export interface Aggregator {
  readonly name: string;
  /** True if the clients' weights change the result. */
  readonly weighted: boolean;
  /**
   * `adapter`: updates and result have the group `adapter`, as clients ended with it. `delta`: they have the group `delta`
   * in its place, the change against the adapter that the client received, in float64.
   */
  readonly on: "adapter" | "delta";
  /**
   * Combines updates with these groups to one, in float64. Throws an Error where there is no update, or one that names the
   * tensor where an update does not have the shape of the others.
   */
  readonly combine: (groups: UpdateGroups, updates: Updates, context: AggregationContext) => Promise<Groups>;
}

/** Declares an aggregator with the settings of `federation` that it reads. */
export function defineAggregator<F extends SettingFields>(
  aggregator: Declared<F, [], Aggregator>,
): Declared<F, [], Aggregator> {
  return aggregator;
}
