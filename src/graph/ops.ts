import { attention, attentionGrad } from "./ops-attention.ts";
import { cachedAttention } from "./ops-cached-attention.ts";
import { joinColumns, splitColumns } from "./ops-columns.ts";
import { add, dot, multiply, reshape, scaleBy, sumRows } from "./ops-elementwise.ts";
import { joinRows, rotateHeads, splitHeads } from "./ops-heads.ts";
import { layerNorm, layerNormGrad } from "./ops-layer-norm.ts";
import { gatherRows, gemm, scatterRows } from "./ops-linear.ts";
import { gemmBySequence } from "./ops-by-sequence.ts";
import { logProbabilities, logProbabilitiesGrad } from "./ops-loss.ts";
import { joinPlaces, maskedAttention, rotateAt } from "./ops-masked-attention.ts";
import {
  gelu,
  geluGrad,
  logOdds,
  logOddsGrad,
  relu,
  reluGrad,
  sigmoid,
  sigmoidGrad,
  softCap,
  softCapGrad,
  softplus,
  softplusGrad,
} from "./ops-pointwise.ts";
import { positions } from "./ops-positions.ts";
import { quantizedLinear, quantizedLinearGrad } from "./ops-quantized.ts";
import { rmsNorm, rmsNormGrad, rotary, rotaryGrad } from "./ops-norm.ts";
import type { OpAttributes, OpName } from "./op-attributes.ts";
import type { OpRow } from "./op-row.ts";
import { swiglu, swigluGrad } from "./ops-swiglu.ts";

/** The table is total over the names of `OpAttributes`: a missing rule does not compile. */
export const OPS: { readonly [K in OpName]: OpRow<OpAttributes[K]> } = {
  add,
  attention,
  attentionGrad,
  cachedAttention,
  dot,
  gatherRows,
  gelu,
  geluGrad,
  gemm,
  gemmBySequence,
  joinColumns,
  joinPlaces,
  joinRows,
  layerNorm,
  layerNormGrad,
  logOdds,
  logOddsGrad,
  logProbabilities,
  logProbabilitiesGrad,
  maskedAttention,
  multiply,
  positions,
  quantizedLinear,
  quantizedLinearGrad,
  relu,
  reluGrad,
  reshape,
  rmsNorm,
  rmsNormGrad,
  rotary,
  rotaryGrad,
  rotateAt,
  rotateHeads,
  scaleBy,
  scatterRows,
  sigmoid,
  sigmoidGrad,
  softCap,
  softCapGrad,
  softplus,
  softplusGrad,
  splitColumns,
  splitHeads,
  sumRows,
  swiglu,
  swigluGrad,
};
