/** A tokenised record, ready to train or score on. */
export interface Example {
  /** Stable record id, as the event stream names it. */
  readonly id: string;
  readonly tokens: Int32Array;
  /**
   * Same length as `tokens`: 1 where predicting this token (from those before it) counts in the loss. Position 0 is
   * never supervised, having no token before it.
   */
  readonly supervised: Uint8Array;
}
