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

/** Two answers to one prompt, of which people prefer one. Only the answers' tokens are supervised. */
export interface PairExample {
  readonly id: string;
  readonly chosen: Example;
  readonly rejected: Example;
  /** Log-probabilities of the two answers under the frozen base, nats; objectives with a reference need them. */
  readonly reference?: { readonly chosen: number; readonly rejected: number };
}

/** One answer and whether it is wanted (KTO's unpaired data). Only the answers' tokens are supervised. */
export interface RatedExample {
  readonly id: string;
  readonly answer: Example;
  readonly desirable: boolean;
  /** The same prompt with another record's answer: what KTO estimates its divergence from the base on. */
  readonly mismatched: Example;
  /** Log-probabilities of `answer` and `mismatched` under the frozen base, nats. */
  readonly reference?: { readonly answer: number; readonly mismatched: number };
}

/** What an objective learns from: one record as it enters a batch. */
export type TrainingItem = Example | PairExample | RatedExample;
