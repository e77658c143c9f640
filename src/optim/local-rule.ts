import type { Params } from "../tensor/params.ts";

/**
 * What a federated algorithm adds to local training, as data. The trainer applies it and knows no algorithm; the
 * algorithm makes it and knows no trainer.
 */
export interface LocalTerm {
  /** FedProx (Li et al. 2020, eq. 2): μ·(w − anchor) is added to the gradient before clipping. */
  readonly proximal?: { readonly mu: number; readonly anchor: Params };
  /** SCAFFOLD for any optimizer, as OpenFedLLM has it: after the optimizer's step, w ← w − lr·correction (c − cᵢ). */
  readonly correction?: Params;
  /** SCAFFOLD as its paper has it, y ← y − η·(g + c − cᵢ): c − cᵢ, added to the gradient before clipping and the optimizer. */
  readonly drift?: Params;
}

/** What one client-round of local training produced, before the algorithm turns it into an update. */
export interface LocalResult {
  /** The adapter the client received, and the adapter it ended with. */
  readonly before: Params;
  readonly after: Params;
  /** Optimizer steps taken. */
  readonly steps: number;
  /** Sum over the steps of the learning rate: SCAFFOLD's K·lr. */
  readonly learningRateSum: number;
  /**
   * Mean over the steps of the gradient by itself, before pull, drift and clipping, float32: SCAFFOLD's cᵢ⁺ (alg. 1,
   * option II). Only with a `drift`.
   */
  readonly gradientMean?: Params | undefined;
}
