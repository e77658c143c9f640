/**
 * The part of a model's configuration that all families have: the sizes that the rest of the program reads. A family adds
 * its own (`families/`). A run's identity is a hash of the whole record, so a renamed key gives every stored run another
 * identity.
 */
export interface ModelConfig {
  /** `model_type` of `config.json`, a name of the registry (`families/registry.ts`). */
  readonly family: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Width of the MLP between its linear layers. */
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
}
