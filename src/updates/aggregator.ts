import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";

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
  /** Clients behind the updates, where an update is the mean of several. Default: one each. */
  readonly clients?: number | undefined;
  /** Streams of random numbers of this round, one a key. They follow from the run's seed, which is public. */
  readonly random?: ((...key: (string | number)[]) => RandomStream) | undefined;
  /** Factors of the products B·A, by the name of A. Default: 1. */
  readonly scales?: ReadonlyMap<string, number> | undefined;
  /** Makes the update of the coordinator's own training on trusted records, from `global`: what it ends with. */
  readonly trusted?: ((round: number, global: Params) => Promise<Params>) | undefined;
  /** The groups that the aggregator kept in the round before; `{}` in the first round. */
  readonly kept?: Groups | undefined;
  /** Keeps groups for the next round, in the place of `kept`. */
  readonly keep?: ((groups: Groups) => void) | undefined;
  /** Takes what the aggregator made of each client's update. */
  readonly report?: ((judgement: Judgement) => void) | undefined;
}

/** The part that a client's update has in the result of a round. */
export interface Judgement {
  readonly client: string;
  /** Its weight in the result over its weight in the mean: 1 as in the mean, 0 cut out. */
  readonly weight: number;
  /** Why it was cut out; absent where the rule weighed it. */
  readonly reason?: string | undefined;
}

/**
 * A way to make one update of many. The coordinator gives updates in sorted order of clients; the same updates in the same
 * order give the same bits.
 */
export interface Aggregator {
  readonly name: string;
  /** True if the clients' weights change the result. */
  readonly weighted: boolean;
  /** The fewest updates that it combines, of so many in a round, and f, how many of them may be hostile. Default: 1. */
  readonly fewest?: ((updates: number) => Fewest) | undefined;
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

export interface Fewest {
  readonly needs: number;
  /** The number that is compared with `needs`: of updates, or of the buckets that they are in. */
  readonly has: number;
  readonly what: "updates" | "buckets";
  readonly hostile: number;
}

/** Declares an aggregator with the settings of `federation` that it reads. */
export function defineAggregator<F extends SettingFields>(
  aggregator: Declared<F, [], Aggregator>,
): Declared<F, [], Aggregator> {
  return aggregator;
}
