import type { Params } from "../tensor/params.ts";

/**
 * Changes that a federated algorithm makes to the steps of local training. The trainer calls them and knows no algorithm.
 * The algorithm makes them and knows no trainer. They change no argument in place.
 */
export interface LocalRule {
  /** Changes the batch's gradient at `adapter`, before clipping and the optimizer. */
  readonly gradient?: (gradient: Params, adapter: Params) => Params;
  /** Changes the adapter after the optimizer's step. */
  readonly step?: (adapter: Params, learningRate: number) => Params;
  /** True for a tensor that does not train: it counts in no norm, and neither optimizer nor weight decay touches it. */
  readonly frozen?: (tensor: string) => boolean;
  /** True where the result is to have `gradientMean`. */
  readonly keepsGradientMean?: boolean;
}

/** The result of one client-round of local training, before the algorithm makes an update of it. */
export interface LocalResult {
  /** The adapter the client received, and the adapter it ended with. */
  readonly before: Params;
  readonly after: Params;
  /** Optimizer steps taken. */
  readonly steps: number;
  /** Sum over the steps of the learning rate: SCAFFOLD's K·lr. */
  readonly learningRateSum: number;
  /** Mean over the steps of the batch's own gradient, float32. Only where the rule `keepsGradientMean`. */
  readonly gradientMean?: Params | undefined;
}
