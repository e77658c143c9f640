import type { LocalResult, LocalTerm } from "../optim/local-rule.ts";
import type { Params } from "../tensor/params.ts";
import type { Groups } from "../tensor/groups.ts";
import type { GroupSums } from "./weighted-sum.ts";

/** What a client holds when its round begins. */
export interface Received {
  /** The global adapter. */
  readonly adapter: Params;
  /** What `broadcast` added to it. */
  readonly extra: Groups;
}

/** What a client's half returns: `update` travels, `memory` stays with the client for its next round. */
export interface Report {
  readonly update: Groups;
  readonly memory: Groups;
}

/** Where aggregation starts: the server's side before the round. */
export interface ServerRound {
  readonly global: Params;
  readonly state: Groups;
  /** Clients in the federation, taking part or not. */
  readonly population: number;
}

/** Aggregation so far: one running sum a group. It belongs to the fold, which changes its sums in place. */
export interface Accumulator extends ServerRound {
  readonly sums: GroupSums;
}

/**
 * A federated algorithm: pure functions over named tensors, both halves in one record. State is passed, never kept:
 * the coordinator stores what `init` and `finish` return, the client what `report` returns as `memory`. Numbers an
 * algorithm needs (μ, β₁, τ) are arguments of the function that makes the record.
 *
 * Aggregation is a fold, `start` → `absorb` per update → `finish`, so that one update is in memory at a time. The
 * coordinator absorbs in sorted client order; sums are float64, and results have the element type of what they replace.
 */
export interface Algorithm {
  readonly name: string;
  /** `pooled`: a baseline without federation, one client that holds everybody's records. */
  readonly data: "apart" | "pooled";
  /** Whether adapters travel; where not, an update only says that the client is done, and counts for no bytes. */
  readonly federated: boolean;
  /** The server's state before round 1; `{}` where it has none. */
  readonly init: (global: Params) => Groups;
  /** What goes to the clients besides the adapter. */
  readonly broadcast: (state: Groups) => Groups;
  /**
   * The adapter a client begins a round with and is measured by, where each keeps one of its own; without this function
   * that is the global one.
   */
  readonly ownAdapter?: (received: Received, memory: Groups) => Params;
  /** What the algorithm adds to local training. `memory` is `{}` until the client's first accepted round. */
  readonly localTerm: (received: Received, memory: Groups) => LocalTerm;
  /** The shapes of the update follow from the adapter alone: the coordinator refuses one that has others. */
  readonly report: (result: LocalResult, received: Received, memory: Groups) => Report;
  readonly start: (round: ServerRound) => Accumulator;
  /** `records` is the client's number of records. Consumes `sum`: use only what it returns. */
  readonly absorb: (sum: Accumulator, update: Groups, records: number) => Accumulator;
  readonly finish: (sum: Accumulator) => { readonly global: Params; readonly state: Groups };
}
