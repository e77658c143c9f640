import { z } from "zod";
import { softplus } from "../graph/pointwise.ts";
import { BETA, defineObjective } from "./objective.ts";
import { ofMargin } from "./pair-objective.ts";

/** SimPO (Meng et al. 2024, eq. 6): −log σ(β·(mean log π(chosen) − mean log π(rejected)) − γ), without a base. */
export const simpo = defineObjective({
  settings: { beta: BETA, gamma: z.number().min(0).default(0.5).describe("SimPO's target margin.") },
  make: ({ beta = 2, gamma }) =>
    ofMargin({
      name: "simpo",
      beta,
      averaged: true,
      reference: false,
      loss: (h) => softplus(gamma - h),
      link: "softplus",
      arguments: [{ slope: -1, offset: gamma, weight: 1 }],
    }),
});
