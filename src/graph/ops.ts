import { attention, attentionGrad, type AttentionAttributes } from "./ops-attention.ts";
import { cachedAttention, type CachedAttentionAttributes } from "./ops-cached-attention.ts";
import { add, dot, multiply, reshape, scaleBy, sumRows, type ReshapeAttributes } from "./ops-elementwise.ts";
import { joinRows, rotateHeads, splitHeads, type SplitHeadsAttributes } from "./ops-heads.ts";
import { gatherRows, gemm, scatterRows, type GemmAttributes } from "./ops-linear.ts";
import { logProbabilities, logProbabilitiesGrad } from "./ops-loss.ts";
import { logOdds, logOddsGrad, relu, reluGrad, sigmoid, sigmoidGrad, softplus, softplusGrad } from "./ops-pointwise.ts";
import { rmsNorm, rmsNormGrad, rotary, rotaryGrad, type RmsNormAttributes, type RotaryAttributes } from "./ops-norm.ts";
import type { OpRow } from "./op-row.ts";
import { swiglu, swigluGrad } from "./ops-swiglu.ts";

type None = Record<string, never>;

/** Every operation and its attributes. The table below is total over these names: a missing rule does not compile. */
export interface OpAttributes {
  readonly add: None;
  readonly attention: AttentionAttributes;
  readonly attentionGrad: AttentionAttributes;
  readonly cachedAttention: CachedAttentionAttributes;
  readonly dot: None;
  readonly gatherRows: None;
  readonly gemm: GemmAttributes;
  readonly joinRows: None;
  readonly logOdds: None;
  readonly logOddsGrad: None;
  readonly logProbabilities: None;
  readonly logProbabilitiesGrad: None;
  readonly multiply: None;
  readonly relu: None;
  readonly reluGrad: None;
  readonly reshape: ReshapeAttributes;
  readonly rmsNorm: RmsNormAttributes;
  readonly rmsNormGrad: None;
  readonly rotary: RotaryAttributes;
  readonly rotaryGrad: RotaryAttributes;
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

export const OPS: { readonly [K in OpName]: OpRow<OpAttributes[K]> } = {
  add,
  attention,
  attentionGrad,
  cachedAttention,
  dot,
  gatherRows,
  gemm,
  joinRows,
  logOdds,
  logOddsGrad,
  logProbabilities,
  logProbabilitiesGrad,
  multiply,
  relu,
  reluGrad,
  reshape,
  rmsNorm,
  rmsNormGrad,
  rotary,
  rotaryGrad,
  rotateHeads,
  scaleBy,
  scatterRows,
  sigmoid,
  sigmoidGrad,
  softplus,
  softplusGrad,
  splitHeads,
  sumRows,
  swiglu,
  swigluGrad,
};
