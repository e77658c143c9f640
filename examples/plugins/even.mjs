/**
 * An objective of one's own: `sft` counts every token the same, so that long answers count more than short ones. Here the
 * tokens of an answer of n tokens have the weight n^−e, e the setting `evenness`: 0 is `sft`, 1 gives every answer the
 * same weight.
 *
 *   npx openfedllm run examples/quickstart.yaml --plugin examples/plugins/even.mjs \
 *     --set objective.name=even --set objective.evenness=0.5 --out runs/even
 *
 * @type {import("openfedllm").PluginModule}
 */
export default function plugin({ OBJECTIVES, supervisedTokens, vector, z }) {
  const sft = OBJECTIVES.sft.make({});
  const even = {
    settings: {
      evenness: z.number().min(0).max(1).optional().describe("Even's exponent of an answer's length. Default: 1."),
    },
    make({ evenness = 1 }) {
      const weight = (item) => supervisedTokens(item) ** -evenness;
      return {
        ...sft,
        name: "even",
        count: (item) => supervisedTokens(item) * weight(item),
        // The loss as the engine computes it: the dot product of log-probabilities and these coefficients.
        feeds(items, { total }) {
          const each = items.flatMap((item) =>
            Array.from({ length: supervisedTokens(item) }, () => -weight(item) / total),
          );
          return [["coefficients", vector(Float32Array.from(each))]];
        },
        // The same, slowly, from the sum of an answer's log-probabilities.
        evaluate: (item, [score]) => ({ loss: -score.logProbability * weight(item), metrics: {} }),
      };
    },
  };
  return { objectives: { even } };
}
