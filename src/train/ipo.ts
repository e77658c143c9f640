import { BETA, defineObjective } from "./objective.ts";
import { ofMargin } from "./pair-objective.ts";

/**
 * IPO (Azar et al. 2023, eq. 17): (δ − 1/(2β))², where δ is the difference of log-ratios to the base. Ratios are averaged
 * over an answer's tokens, as TRL does with the authors' agreement; the paper does not say so. Rewards use the same means.
 */
export const ipo = defineObjective({
  settings: { beta: BETA },
  make: ({ beta = 0.1 }) =>
    ofMargin({
      name: "ipo",
      beta,
      averaged: true,
      reference: true,
      loss: (h) => (h / beta - 1 / (2 * beta)) ** 2,
      link: "square",
      arguments: [{ slope: 1 / beta, offset: -1 / (2 * beta), weight: 1 }],
    }),
});
