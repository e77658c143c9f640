import { z } from "zod";
import { softplus } from "../graph/pointwise.ts";
import { BETA, defineObjective } from "./objective.ts";
import { ofMargin } from "./pair-objective.ts";

/**
 * DPO (Rafailov et al. 2023, eq. 7): −log σ(h), h = β·[(log π − log π_base)(chosen) − (…)(rejected)], log-probabilities
 * summed over the answer. With label smoothing ε: −(1 − ε)·log σ(h) − ε·log σ(−h) (Mitchell 2023, cDPO).
 */
export const dpo = defineObjective({
  settings: {
    beta: BETA,
    labelSmoothing: z
      .number()
      .min(0)
      .lt(0.5)
      .default(0)
      .describe("DPO's label smoothing: the share of pairs that are assumed to be labelled the wrong way round."),
  },
  make: ({ beta = 0.1, labelSmoothing }) =>
    ofMargin({
      name: "dpo",
      beta,
      averaged: false,
      reference: true,
      loss: (h) => (1 - labelSmoothing) * softplus(-h) + labelSmoothing * softplus(h),
      link: "softplus",
      arguments: [
        { slope: -1, offset: 0, weight: 1 - labelSmoothing },
        ...(labelSmoothing === 0 ? [] : [{ slope: 1, offset: 0, weight: labelSmoothing }]),
      ],
    }),
});
