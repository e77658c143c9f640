import type { Dim } from "./dims.ts";

/** The weighing of keys by a query, which all forms of attention share. */
export interface ScoreAttributes {
  /** Number of latest positions that a query attends to, its own included; absent: all earlier ones. */
  readonly window?: number;
  /** Factor of the product of query and key; absent: 1/√d. */
  readonly scale?: number;
  /** c of c·tanh(score/c), which holds scores within ±c; absent: they are not held. */
  readonly cap?: number;
}

export interface AttentionAttributes extends ScoreAttributes {
  readonly heads: number;
  readonly kvHeads: number;
}

export interface SplitColumnsAttributes {
  /** Number of columns of each output. */
  readonly widths: readonly number[];
}

export interface SoftCapAttributes {
  /** The result lies within ±cap. */
  readonly cap: number;
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

export interface RotateAtAttributes {
  /** Factor of cosines and sines; absent: 1. */
  readonly factor?: number;
}

export interface LayerNormAttributes {
  readonly epsilon: number;
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
  readonly cachedAttention: ScoreAttributes;
  readonly dot: None;
  readonly gatherRows: None;
  readonly gelu: None;
  readonly geluGrad: None;
  readonly gemm: GemmAttributes;
  readonly gemmBySequence: GemmBySequenceAttributes;
  readonly joinColumns: None;
  readonly joinPlaces: JoinPlacesAttributes;
  readonly joinRows: None;
  readonly layerNorm: LayerNormAttributes;
  readonly layerNormGrad: None;
  readonly logOdds: None;
  readonly logOddsGrad: None;
  readonly logProbabilities: None;
  readonly logProbabilitiesGrad: None;
  readonly maskedAttention: ScoreAttributes;
  readonly multiply: None;
  readonly positions: None;
  readonly quantizedLinear: QuantizedLinearAttributes;
  readonly quantizedLinearGrad: QuantizedLinearAttributes;
  readonly relu: None;
  readonly reluGrad: None;
  readonly reshape: ReshapeAttributes;
  readonly rmsNorm: RmsNormAttributes;
  readonly rmsNormGrad: None;
  readonly rotary: RotaryAttributes;
  readonly rotaryGrad: RotaryAttributes;
  readonly rotateAt: RotateAtAttributes;
  readonly rotateHeads: None;
  readonly scaleBy: None;
  readonly scatterRows: None;
  readonly sigmoid: None;
  readonly sigmoidGrad: None;
  readonly softCap: SoftCapAttributes;
  readonly softCapGrad: SoftCapAttributes;
  readonly softplus: None;
  readonly softplusGrad: None;
  readonly splitColumns: SplitColumnsAttributes;
  readonly splitHeads: SplitHeadsAttributes;
  readonly sumRows: None;
  readonly swiglu: None;
  readonly swigluGrad: None;
}

export type OpName = keyof OpAttributes;
