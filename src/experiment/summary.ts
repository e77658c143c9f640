import type { PlantedCount } from "./canaries.ts";

/** Folder in the run folder that holds the clients' own adapters, where they keep their own. */
export const CLIENT_ADAPTERS = "client-adapters";

/**
 * A held-out set's loss with the base alone and with the final adapter; where clients keep their own adapters, with the
 * set's client's, and the mean over all of them for the common set.
 */
export interface HeldOutResult {
  /** A client's name, or `common`. */
  readonly set: string;
  readonly records: number;
  readonly supervisedTokens: number;
  /** What the loss is a mean over: supervised tokens (SFT) or records (preference objectives). */
  readonly count: number;
  readonly before: number;
  readonly after: number;
  /** Further means, by name. */
  readonly metrics: Readonly<Record<string, { readonly before: number; readonly after: number }>>;
}

export interface PromptAnswer {
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
}

/** What a finished run comes to; also `summary` in `metrics.json`. */
export interface RunSummary {
  readonly rounds: number;
  /** sha256 of the final common adapter's tensors; with `clientAdapters`, of the one that all began with. */
  readonly adapter: string;
  /** Folders of the clients' own adapters by client, in the run folder, where there is no common one. */
  readonly clientAdapters?: Readonly<Record<string, string>> | undefined;
  readonly heldOut: readonly HeldOutResult[];
  readonly answers: readonly PromptAnswer[];
  /** Made-up secrets in the clients' training records (`data.canaries`); absent where there are none. */
  readonly canaries?: readonly PlantedCount[] | undefined;
  /** Over all updates that clients sent. */
  readonly supervisedTokens: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Wall time of the rounds and evaluations; of a round that was interrupted, only the part after the restart. */
  readonly seconds: number;
}
