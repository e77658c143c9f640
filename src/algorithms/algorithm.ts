import type { LocalResult, LocalRule } from "../optim/local-rule.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";
import type { Fidelity, Weighting } from "./settings.ts";

/** The things that a client is sent when its round begins. */
export interface Received {
  readonly round: number;
  /** The global adapter. */
  readonly adapter: Params;
  /** The groups of `broadcast`. */
  readonly extra: Groups;
}

/** The result of a client's round: `update` travels, `memory` stays with the client for its next round. */
export interface Report {
  readonly update: Groups;
  readonly memory: Groups;
}

/** The client's half. Its functions are pure: the client stores what `report` returns as `memory`. */
export interface ClientRule {
  /**
   * The client's own adapter: it begins its round with it and is evaluated with it. Without this function every client
   * has the global adapter.
   */
  readonly ownAdapter?: (received: Received, memory: Groups) => Params;
  /** True where `report` returns a memory. A client that has lost its memory is then refused. */
  readonly keepsMemory?: boolean;
  /** Changes to local training. `memory` is `{}` until the client's first accepted round. */
  readonly localRule: (received: Received, memory: Groups) => LocalRule;
  /** The update has the groups that `update` declares. */
  readonly report: (result: LocalResult, received: Received, memory: Groups) => Report;
  /**
   * Groups of memory in place of those of `report`, where the coordinator decodes something else than was reported, as after
   * compression: `sent` has the groups as decoded, with `delta` in the place of `adapter`.
   */
  readonly remembered?: (sent: Groups, received: Received, memory: Groups) => Groups;
}

/** A group of an update: its shape, and how the groups of a round's clients become one. */
export interface UpdateGroup {
  /** Tensors with the names and shapes of the group; their values do not count. */
  readonly like: Params;
  /** Weight of a client. */
  readonly weighting: Weighting;
  /** The weighted mean, or Σ weight·tensor. */
  readonly combined: "mean" | "sum";
}

export type UpdateGroups = Readonly<Record<string, UpdateGroup>>;

/** The server's side when a round ends. */
export interface ServerRound {
  readonly round: number;
  readonly global: Params;
  readonly state: Groups;
  /** Number of clients in the federation, whether they take part or not. */
  readonly population: number;
  /** Number of clients whose updates are in the aggregate. */
  readonly participants: number;
}

/** The server's half. Its functions are pure: the coordinator stores what `init` and `apply` return as state. */
export interface ServerRule {
  /** The server's state before round 1; `{}` if it has none. */
  readonly init: (global: Params) => Groups;
  /** Groups that go to the clients of a round besides the adapter. */
  readonly broadcast: (state: Groups, round: number) => Groups;
  /**
   * The groups of an update of a round, from any adapter of the run's shape. The group `adapter` may have some of its tensors
   * only. The coordinator refuses an update with others.
   */
  readonly update: (adapter: Params, round: number) => UpdateGroups;
  /**
   * The next adapter and state. `aggregate` has the groups that `update` declares, in float64; results have the element
   * type of what they replace.
   */
  readonly apply: (round: ServerRound, aggregate: Groups) => { readonly global: Params; readonly state: Groups };
}

/** A federated algorithm: both halves in one record of pure functions over named tensors. State is passed, never kept. */
export interface Algorithm extends ClientRule, ServerRule {
  readonly name: string;
  /** `pooled`: a baseline without federation, one client that holds everybody's records. */
  readonly data: "apart" | "pooled";
  /** True if clients send adapters. Otherwise an update only reports that the client is done, and has no bytes. */
  readonly federated: boolean;
}

/** Declares an algorithm with the settings of `federation` that it reads. `fidelity` is given to each. */
export function defineAlgorithm<F extends SettingFields>(
  algorithm: Declared<F, [fidelity: Fidelity], Algorithm>,
): Declared<F, [fidelity: Fidelity], Algorithm> {
  return algorithm;
}
