/** A tokenised record, ready to train or score on. */
export interface Example {
  /** The stable id of the record, which events name. */
  readonly id: string;
  readonly tokens: Int32Array;
  /**
   * Same length as `tokens`: 1 where the prediction of this token (from the tokens before it) counts in the loss.
   * Position 0 is never supervised, because it has no token before it.
   */
  readonly supervised: Uint8Array;
}
