import { z } from "zod";
import type { Example } from "../data/example.ts";
import type { TrainingItem } from "../data/items/registry.ts";
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
 *
 * With `likelihood: sequence` the first part is TRL's: over prompt and answer, every token of a step with the same weight.
 * The chosen sequence then runs twice, as the answer and as a whole.
 */
export const orpo = defineObjective({
  settings: {
    beta: BETA,
    likelihood: z
      .enum(["answer", "sequence"])
      .optional()
      .describe(
        "Tokens of ORPO's likelihood: the chosen answer's, as in the paper, or those of prompt and answer, as in TRL. Default: answer.",
      ),
  },
  make: ({ beta = 0.1, likelihood = "answer" }) => {
    const whole = likelihood === "sequence";
    const sequences = (item: TrainingItem): readonly Example[] => {
      const [chosen, rejected] = answersOf("orpo", item);
      return whole ? [chosen, rejected, wholeOf(chosen)] : [chosen, rejected];
    };
    return {
      name: "orpo",
      items: "pair",
      overBatch: whole ? "its likelihood is a mean over the tokens of the batch" : undefined,
      reference: false,
      sequences,
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
      feeds(items, { total, items: all }) {
        const tokens = items.map((item) => sequences(item).map(supervisedTokens));
        const means = tokens.map((counts) => ({
          tokens: counts,
          terms: [0, 1].map((side) => ({
            slopes: counts.map((count, i) => (i === side ? 1 / count : 0)),
            offset: 0,
          })),
        }));
        const learnt = whole ? all.reduce((sum, item) => sum + supervisedTokens(sequences(item)[2]!), 0) : undefined;
        const coefficients = tokens.flatMap((counts) =>
          counts.flatMap((count, i) => {
            const slope = i !== (whole ? 2 : 0) ? 0 : -1 / (learnt ?? count * total);
            return Array.from({ length: count }, () => slope);
          }),
        );
        return [
          ...termFeeds(means),
          weightFeed(items.map(() => beta / total)),
          [COEFFICIENTS, vector(Float32Array.from(coefficients))],
        ];
      },
      evaluate(_item, scores) {
        const means = scores.map(({ logProbability, tokens }) => logProbability / tokens);
        const [chosen, rejected] = means as [number, number];
        return {
          loss: -means[whole ? 2 : 0]! + beta * softplus(logOdds(rejected) - logOdds(chosen)),
          metrics: pairMetrics(beta * chosen, beta * rejected),
        };
      },
    };
  },
});

/** The sequence with every token supervised but the first, which nothing predicts. */
function wholeOf(sequence: Example): Example {
  return { ...sequence, supervised: sequence.supervised.map((_, i) => (i === 0 ? 0 : 1)) };
}
