import type { Algorithm } from "../algorithms/algorithm.ts";
import type { MemberStore } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import type { Stage } from "../updates/stage.ts";
import type { ClientMemory } from "./client-memory.ts";
import type { Evaluate } from "./evaluation.ts";
import type { EventSink } from "./events.ts";
import type { LocalTrainer } from "./local-trainer.ts";
import type { Protect } from "./privacy/protect.ts";
import type { Seal } from "./privacy/sealing.ts";
import type { SecureClientOptions } from "./secure/secure-client.ts";
import type { StalenessRule } from "./staleness.ts";

/** Says why a client does not train in a round, in one sentence; undefined where it trains. */
export type RefuseRound = (round: number, client: string) => string | undefined | Promise<string | undefined>;

export interface ParticipantOptions {
  /** The store that coordinator and participants meet in. */
  readonly store: MemberStore;
  readonly client: string;
  readonly algorithm: Algorithm;
  /** The stages of an update's way, the same as the coordinator's. Default: none. */
  readonly stages?: readonly Stage[] | undefined;
  /**
   * `kept`: the client sends its update and nothing else about its records: no count of them, no figures of training, no scores,
   * and in place of an update that is not finite one that changes nothing. Default: sent.
   */
  readonly figures?: "sent" | "kept" | undefined;
  /** What the client does to its update before anything of it leaves: clipping, noise. Default: nothing. */
  readonly protect?: Protect | undefined;
  /** Makes the update readable for the coordinator only. Default: it is sent as it is. */
  readonly seal?: Seal | undefined;
  /** The codec of the adapter's changes, the same as the coordinator's. Default: the adapter comes whole. */
  readonly downlink?: Stage | undefined;
  /** The adapter that the run starts from, as this client makes it of the settings. With a downlink it is not fetched. */
  readonly start?: Params | undefined;
  /** The seed of the run: all randomness follows from it, that of the stages too. */
  readonly seed: number;
  readonly trainer: LocalTrainer;
  readonly memory: ClientMemory;
  /** Scores adapters on this client's held-out records. Without it the client withholds its scores. */
  readonly evaluate?: Evaluate | undefined;
  /** Asynchronous rounds: the client has tasks of its own. Without it, a round's opening names its clients. */
  readonly asynchronous?: { readonly staleness: Pick<StalenessRule, "most"> } | undefined;
  /** Secure aggregation: the client masks its updates. Its own store holds the keys. Default: none. */
  readonly masking?: Omit<SecureClientOptions, "store" | "client"> | undefined;
  /** A reason not to train in a round, in one sentence; undefined: it trains. The coordinator gets it as a refusal. */
  readonly refuseRound?: RefuseRound | undefined;
  /** sha256 of the adapter that the run has to start from. Default: any. */
  readonly startsFrom?: string | undefined;
  readonly events: EventSink;
  readonly signal?: AbortSignal | undefined;
}
