/** A held-out set's loss (nats per supervised token) with the base alone and with the final adapter. */
export interface HeldOutResult {
  /** A client's name, or `common`. */
  readonly set: string;
  readonly records: number;
  readonly supervisedTokens: number;
  readonly before: number;
  readonly after: number;
}

export interface PromptAnswer {
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
}

/** What a finished run comes to; also `summary` in `metrics.json`. */
export interface RunSummary {
  readonly rounds: number;
  /** sha256 of the final adapter's tensors. */
  readonly adapter: string;
  readonly heldOut: readonly HeldOutResult[];
  readonly answers: readonly PromptAnswer[];
  /** Over all updates that clients sent. */
  readonly supervisedTokens: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Wall time of the rounds and evaluations; of a round that was interrupted, only the part after the restart. */
  readonly seconds: number;
}
