import type { Algorithm } from "../algorithms/algorithm.ts";
import type { Fidelity } from "../algorithms/settings.ts";
import type { SecureRules } from "../secagg/rules.ts";
import type { Store } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import type { AggregationContext, Aggregator } from "../updates/aggregator.ts";
import type { Stage } from "../updates/stage.ts";
import type { AdapterSet } from "./adapter-set.ts";
import type { StopRule } from "./early-stop.ts";
import type { Evaluate } from "./evaluation.ts";
import type { EventSink } from "./events.ts";
import type { Member, RoundEvaluation, RunHead } from "./protocol/messages.ts";
import type { PrivateRounds } from "./privacy/private-rounds.ts";
import type { AsynchronousRules, StalenessRule } from "./staleness.ts";
import type { Pace } from "./virtual-clock.ts";

export interface CoordinatorOptions {
  readonly store: Store;
  readonly algorithm: Algorithm;
  /** Default: the mean. */
  readonly aggregator?: Aggregator | undefined;
  /** What the aggregator may ask for. Default: nothing. */
  readonly aggregation?: Pick<AggregationContext, "scales" | "trusted"> | undefined;
  /** The privacy of clients: it draws them, charges them, and makes the mean of a round. Default: none. */
  readonly privacy?: PrivateRounds | undefined;
  /** The stages of an update's way, the same as the participants'. Default: none. */
  readonly stages?: readonly Stage[] | undefined;
  /** The codec of the adapter's changes on their way to the clients, the same as theirs. Default: the adapter goes whole. */
  readonly downlink?: Stage | undefined;
  /** The adapter of round 0. A run that goes on does not look at it. */
  readonly initialAdapter: Params;
  /** Stands for everything the outcome depends on: settings, data, base model. A run goes on only under its own. */
  readonly identity: string;
  readonly seed: number;
  readonly rounds: number;
  /** The roster: every client that joined, in the order of tables. */
  readonly members: readonly Member[];
  /** Clients that may join for a later round: those that did not join, and those that were enrolled since. Default: none. */
  readonly newcomers?: (() => readonly string[]) | undefined;
  /** Clients that the operator has put out: their updates are refused. Default: none. */
  readonly revoked?: (() => ReadonlySet<string>) | undefined;
  /** Clients that ended their membership of the federation themselves: what they sent before counts. Default: none. */
  readonly departed?: (() => ReadonlySet<string>) | undefined;
  /** Clients that are there: a round's clients are drawn from them first. Nothing else rests on it. Default: all. */
  readonly available?: (() => ReadonlySet<string>) | undefined;
  readonly clientsPerRound: number;
  /** `original`: clients are drawn as OpenFedLLM draws them. */
  readonly fidelity?: Fidelity;
  /** Fewest usable updates a round can go on with; at least 1. */
  readonly minClients: number;
  /** Seconds that a round waits for its clients, by this process's clock, once `minClients` have answered. Default: for all. */
  readonly deadlineSeconds?: number | undefined;
  /** Times that the deadline is extended where `minClients` have not answered; then the run stops. Default: without end. */
  readonly extendDeadline?: number | undefined;
  /** Clients drawn for each of `clientsPerRound`; the first to answer are in the round. At least 1, the default. */
  readonly overSelect?: number | undefined;
  /** The rule for updates that missed the close of their round. Default: they do not count. */
  readonly late?: StalenessRule | undefined;
  /** Secure aggregation: the coordinator learns the sum of a round's updates, and takes `aggregator` for nothing. Default: none. */
  readonly secure?: SecureRules | undefined;
  /** Asynchronous rounds: each client goes on at its own pace. Without it rounds are synchronous. */
  readonly asynchronous?: AsynchronousRules | undefined;
  /** In a simulation, the time that a client takes: who arrives first. Default: nobody knows before. */
  readonly pace?: Pace | undefined;
  /** The learning rate of round 1, 2, … */
  readonly learningRate: (round: number) => number;
  /** The coordinator's own part of an evaluation: the common set, benchmarks. Without it nothing is evaluated. */
  readonly evaluate?: Evaluate;
  /** Rounds from one evaluation to the next. 0: only before the first round and after the last. */
  readonly evaluateEvery: number;
  /** True to have validation parts scored too, in a run that has done so from its beginning. */
  readonly scoreValidation?: boolean | undefined;
  /** Decides whether to end before the last round; asked where a round was evaluated. */
  readonly stop?: StopRule | undefined;
  /** Called for every finished round, again where a run goes on after that round. */
  readonly onRound?: (finished: FinishedRound) => Promise<void>;
  /** The clients' own adapters after a round, where the algorithm has such and this process can read them. */
  readonly ownAdapters?: ((round: number, common: Params) => AdapterSet) | undefined;
  readonly events: EventSink;
  readonly signal?: AbortSignal | undefined;
}

/** A round that is over, and evaluated if that was due. */
export interface FinishedRound {
  readonly round: number;
  readonly adapters: AdapterSet;
  /** True where the run ends with it. */
  readonly last: boolean;
  /** So far, in round order. */
  readonly evaluations: readonly RoundEvaluation[];
  /** The adapters after this or an earlier round. */
  readonly adaptersAfter: (round: number) => Promise<AdapterSet>;
}

export interface FederationOutcome {
  readonly head: RunHead;
  /** The common adapter; where clients keep their own, the one that all began with. */
  readonly adapter: Params;
  readonly adapters: AdapterSet;
  /** In round order, those of before a restart too. */
  readonly evaluations: readonly RoundEvaluation[];
}

/** The result of one step of the coordinator. */
export type CoordinatorStep =
  | { readonly state: "moved" }
  /** There is nothing to do before one of `clients` writes a cell. */
  | {
      readonly state: "waiting";
      readonly clients: readonly string[];
      /** After this time there is something to do all the same. */
      readonly milliseconds?: number | undefined;
    }
  | { readonly state: "over"; readonly outcome: FederationOutcome };
