import { STALENESS, type Staleness } from "../updates/staleness.ts";
import type { AcceptedUpdate } from "./protocol/messages.ts";

/** The rule for updates that answer an earlier round. */
export interface StalenessRule {
  readonly by: Staleness;
  /** An update that is older, in rounds, does not count. */
  readonly most: number;
}

/** The rules of an asynchronous run. */
export interface AsynchronousRules {
  /** Updates with which a round closes: K. */
  readonly bufferSize: number;
  /** Clients that train at the same time. Default: all. */
  readonly concurrency?: number | undefined;
  readonly staleness: StalenessRule;
}

/** The entry of a close for an update of the round `answered`, which began with the adapter `base`. */
export function aged(
  entry: AcceptedUpdate,
  answered: { readonly round: number; readonly adapter: string },
  round: number,
  { by }: StalenessRule,
): AcceptedUpdate {
  if (answered.round === round) return entry;
  return { ...entry, round: answered.round, base: answered.adapter, factor: STALENESS[by](round - answered.round) };
}

/** Ascending by client, then by the round that was answered: the sum does not depend on who arrived first. */
export function inAggregationOrder(accepted: readonly AcceptedUpdate[]): readonly AcceptedUpdate[] {
  return [...accepted].sort((a, b) => byClient(a, b) || (a.round ?? 0) - (b.round ?? 0));
}

/** Ascending, as `sort()` orders names. */
export function byClient(a: { readonly client: string }, b: { readonly client: string }): number {
  return a.client < b.client ? -1 : a.client > b.client ? 1 : 0;
}
