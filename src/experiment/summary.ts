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
  /** Over all accepted updates. */
  readonly supervisedTokens: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Wall time spent training and evaluating, restarts added up. */
  readonly seconds: number;
}
