import { BETA, defineObjective } from "./objective.ts";
import { ofMargin } from "./pair-objective.ts";

/** The hinge of SLiC-HF (Zhao et al. 2023) on DPO's margin, as in RSO (Liu et al. 2023): max(0, 1 − h). */
export const hinge = defineObjective({
  settings: { beta: BETA },
  make: ({ beta = 0.1 }) =>
    ofMargin({
      name: "hinge",
      beta,
      averaged: false,
      reference: true,
      loss: (h) => Math.max(0, 1 - h),
      link: "relu",
      arguments: [{ slope: -1, offset: 1, weight: 1 }],
    }),
});
