import type { ByteLedger } from "../../federation/protocol/messages.ts";
import type { PlantedCount } from "../records/canaries.ts";

/** Folder in the run folder that holds the final common adapter. */
export const FINAL_ADAPTER = "adapter";

/** Folder in the run folder that holds the clients' own adapters, where they keep their own. */
export const CLIENT_ADAPTERS = "client-adapters";

/** Folder in the run folder that holds the best round's adapter or, where clients keep their own, a folder for each. */
export const BEST = "best";

/** The best of the evaluated rounds, and where its adapter is. */
export interface BestAdapter {
  readonly metric: string;
  /** Taken on the common set, or as the mean over the clients' own (of a client's own adapter: on its own). */
  readonly over: "common" | "clients";
  /** The records that chose it: validation parts, which no report contains, or those that are reported. */
  readonly chosenOn: "validation" | "reported";
  /** 0: no round was better than the base. */
  readonly round: number;
  readonly value: number;
  /** Folder in the run folder. */
  readonly adapter: string;
}

/** The best rounds' adapters, where the configuration asks for them. */
export interface BestAdapters {
  readonly best?: BestAdapter;
  /** By client, where clients keep their own adapters. */
  readonly clientBests?: Readonly<Record<string, BestAdapter>>;
}

/**
 * A held-out set's loss with the adapter of round 0 (the base, unless the run started from another adapter) and the final one; where clients keep their own adapters, with the
 * set's client's, and the mean over all of them for the common set.
 */
export interface HeldOutResult {
  /** A client's name, or `common`. */
  readonly set: string;
  readonly records: number;
  readonly supervisedTokens: number;
  /** The losses are means over this many supervised tokens (SFT) or records (preference objectives). */
  readonly count: number;
  readonly before: number;
  readonly after: number;
  /** Further means, by name. */
  readonly metrics: Readonly<Record<string, { readonly before: number; readonly after: number }>>;
}

/** A held-out set's scores with the base alone, where the run started from an adapter. */
export interface BaseScore {
  readonly set: string;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** A held-out set without a loss before and after. */
export interface WithheldSet {
  readonly set: string;
  readonly reason: string;
}

/** A benchmark's metrics with the base alone and with the final adapter (`client`: that client's own). */
export interface BenchmarkChange {
  readonly benchmark: string;
  readonly client?: string | undefined;
  readonly questions: number;
  readonly metrics: Readonly<Record<string, { readonly before: number; readonly after: number }>>;
}

export interface PromptAnswer {
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
}

/** The result of a finished run; also `summary` in `metrics.json`. */
export interface RunSummary extends BestAdapters {
  /** Rounds that were done. */
  readonly rounds: number;
  /** Set where the run stopped early: the rounds it would have had. */
  readonly plannedRounds?: number | undefined;
  /** sha256 of the final common adapter's tensors; with `clientAdapters`, of the one that all began with. */
  readonly adapter: string;
  /** Folders of the clients' own adapters by client, in the run folder, where there is no common one. */
  readonly clientAdapters?: Readonly<Record<string, string>> | undefined;
  readonly heldOut: readonly HeldOutResult[];
  /** Absent where the run started from a fresh adapter: what it had before training is then the base. */
  readonly baseScores?: readonly BaseScore[] | undefined;
  /** Absent where every set has its losses. */
  readonly withheld?: readonly WithheldSet[] | undefined;
  /** Absent where no benchmark was put. */
  readonly benchmarks?: readonly BenchmarkChange[] | undefined;
  readonly answers: readonly PromptAnswer[];
  /** Made-up secrets in the clients' training records (`data.canaries`); absent where there are none. */
  readonly canaries?: readonly PlantedCount[] | undefined;
  /** Over all updates that clients sent; absent where they keep their figures. */
  readonly supervisedTokens?: number | undefined;
  /** Privacy that clients have spent, the largest ε of any; absent without privacy.client. */
  readonly privacy?: { readonly epsilon: number; readonly budget: number; readonly delta: number } | undefined;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** The bytes by kind, and in float32; absent where updates and adapters travel as they are. */
  readonly ledger?: ByteLedger | undefined;
  /** Wall time of the rounds and evaluations; of a round that was interrupted, only the part after the restart. */
  readonly seconds: number;
}
