import type { Dim } from "./dims.ts";

export interface AttentionAttributes {
  readonly heads: number;
  readonly kvHeads: number;
  /** Number of latest positions that a query attends to, its own included; absent: all earlier ones. */
  readonly window?: number;
}

export interface CachedAttentionAttributes {
  /** Number of latest positions that a query attends to, its own included; absent: all earlier ones. */
  readonly window?: number;
}

export interface MaskedAttentionAttributes {
  /** Number of latest places that a query attends to, its own included; absent: all earlier ones. */
  readonly window?: number;
}

export interface JoinPlacesAttributes {
  /** The joined number of places: sums of symbols are no dimensions, so it has a symbol of its own. */
  readonly places: Dim;
}

export interface ReshapeAttributes {
  readonly shape: readonly Dim[];
}

export interface SplitHeadsAttributes {
  /** Number of heads of each output. */
  readonly counts: readonly number[];
  readonly batch: Dim;
  readonly length: Dim;
}

export interface GemmAttributes {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Factor of the product, not of the addend. Default 1. */
  readonly alpha?: number;
}

export interface GemmBySequenceAttributes {
  /** Factor of the products. Default 1. */
  readonly alpha?: number;
}

export interface RmsNormAttributes {
  readonly epsilon: number;
  /** True: y alone, in one node instead of seven, for graphs with so little work at a time that the number of nodes counts. */
  readonly forwardOnly?: boolean;
}

export interface RotaryAttributes {
  readonly heads: number;
}

export interface QuantizedLinearAttributes {
  readonly bits: 4 | 8;
  /** Weights of one row that share a scale: 16, 32, 64, 128 or 256, a divisor of the row. */
  readonly blockSize: number;
}

/** No attributes. */
export type None = Record<string, never>;

/** Every operation and its attributes. `OPS` is total over these names. */
export interface OpAttributes {
  readonly add: None;
  readonly attention: AttentionAttributes;
  readonly attentionGrad: AttentionAttributes;
  readonly cachedAttention: CachedAttentionAttributes;
  readonly dot: None;
  readonly gatherRows: None;
  readonly gelu: None;
  readonly geluGrad: None;
  readonly gemm: GemmAttributes;
  readonly gemmBySequence: GemmBySequenceAttributes;
  readonly joinPlaces: JoinPlacesAttributes;
  readonly joinRows: None;
  readonly logOdds: None;
  readonly logOddsGrad: None;
  readonly logProbabilities: None;
  readonly logProbabilitiesGrad: None;
  readonly maskedAttention: MaskedAttentionAttributes;
  readonly multiply: None;
  readonly quantizedLinear: QuantizedLinearAttributes;
  readonly quantizedLinearGrad: QuantizedLinearAttributes;
  readonly relu: None;
  readonly reluGrad: None;
  readonly reshape: ReshapeAttributes;
  readonly rmsNorm: RmsNormAttributes;
  readonly rmsNormGrad: None;
  readonly rotary: RotaryAttributes;
  readonly rotaryGrad: RotaryAttributes;
  readonly rotateAt: None;
  readonly rotateHeads: None;
  readonly scaleBy: None;
  readonly scatterRows: None;
  readonly sigmoid: None;
  readonly sigmoidGrad: None;
  readonly softplus: None;
  readonly softplusGrad: None;
  readonly splitHeads: SplitHeadsAttributes;
  readonly sumRows: None;
  readonly swiglu: None;
  readonly swigluGrad: None;
}

export type OpName = keyof OpAttributes;
