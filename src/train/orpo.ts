import { logOdds, softplus } from "../graph/pointwise.ts";
import { supervisedTokens } from "./micro-batches.ts";
import { BETA, defineObjective } from "./objective.ts";
import { answersOf, pairMetrics } from "./pair-objective.ts";
import { vector } from "./runtime.ts";
import { termFeeds, termValues, weightedSum, weightFeed } from "./terms.ts";

const COEFFICIENTS = "objective.coefficients";

/**
 * ORPO (Hong et al. 2024, eq. 6 and 7), without a base: −u(chosen) − λ·log σ(logit e^u(chosen) − logit e^u(rejected)), where
 * u is the mean log-probability of an answer's tokens. `beta` is λ. The first part is each pair's mean over its own answer.
 */
export const orpo = defineObjective({
  settings: { beta: BETA },
  make: ({ beta = 0.1 }) => ({
    name: "orpo",
    items: "pair",
    reference: false,
    sequences: (item) => answersOf("orpo", item),
    count: () => 1,
    loss(builder, logProbabilities) {
      const means = termValues(builder, logProbabilities, "2*pairs");
      const odds = builder.op("reshape", [builder.op("logOdds", [means], {})], { shape: ["pairs", 2] });
      const sides = builder.constant("objective.sides", Float32Array.of(-1, 1), [2, 1]);
      const lost = builder.op("reshape", [builder.op("gemm", [odds, sides], {})], { shape: ["pairs"] });
      const preference = weightedSum(builder, builder.op("softplus", [lost], {}));
      const coefficients = builder.input(COEFFICIENTS, "float32", logProbabilities.shape);
      return builder.op("add", [preference, builder.op("dot", [logProbabilities, coefficients], {})], {});
    },
    feeds(items, { total }) {
      const tokens = items.map((item) => answersOf("orpo", item).map(supervisedTokens) as [number, number]);
      const means = tokens.map(([chosen, rejected]) => ({
        tokens: [chosen, rejected],
        terms: [
          { slopes: [1 / chosen, 0], offset: 0 },
          { slopes: [0, 1 / rejected], offset: 0 },
        ],
      }));
      const coefficients = tokens.flatMap(([chosen, rejected]) => [
        ...Array.from({ length: chosen }, () => -1 / (chosen * total)),
        ...Array.from({ length: rejected }, () => 0),
      ]);
      return [
        ...termFeeds(means),
        weightFeed(items.map(() => beta / total)),
        [COEFFICIENTS, vector(Float32Array.from(coefficients))],
      ];
    },
    evaluate(_item, scores) {
      const [chosen, rejected] = scores.map(({ logProbability, tokens }) => logProbability / tokens) as [
        number,
        number,
      ];
      return {
        loss: -chosen + beta * softplus(logOdds(rejected) - logOdds(chosen)),
        metrics: pairMetrics(beta * chosen, beta * rejected),
      };
    },
  }),
});
