import { z } from "zod";
import { sigmoid } from "../graph/pointwise.ts";
import type { RatedExample } from "../data/items/rated.ts";
import { itemAs, type TrainingItem } from "../data/items/registry.ts";
import { supervisedTokens } from "./micro-batches.ts";
import { BETA, defineObjective, referenceOrThrow, requireAnswer } from "./objective.ts";
import { termFeeds, termValues, weightedSum, weightFeed } from "./terms.ts";

/**
 * KTO (Ethayarajh et al. 2024, §4) on single answers that are wanted or unwanted. With r = log π − log π_base summed over
 * the answer, the loss is λ_D·(1 − σ(β·(r − z₀))) for wanted and λ_U·(1 − σ(β·(z₀ − r))) for unwanted answers. z₀ ≥ 0
 * estimates the divergence of the model from the base: the mean r of answers under prompts that are not theirs, over the
 * whole step. No gradient passes through it.
 */
export const kto = defineObjective({
  settings: {
    beta: BETA,
    desirableWeight: z.number().positive().default(1).describe("KTO's weight of wanted answers."),
    undesirableWeight: z.number().positive().default(1).describe("KTO's weight of unwanted answers."),
  },
  make({ beta = 0.1, desirableWeight, undesirableWeight }) {
    const rated = (item: TrainingItem): RatedExample => itemAs("rated", item, "kto");
    const reference = (item: TrainingItem): { answer: number; mismatched: number } =>
      referenceOrThrow("kto", rated(item));
    /** Returns the weight of an item, and the sign of r − z₀ in σ. */
    const side = (item: TrainingItem): { weight: number; sign: number } =>
      rated(item).desirable ? { weight: desirableWeight, sign: -1 } : { weight: undesirableWeight, sign: 1 };

    return {
      name: "kto",
      items: "rated",
      overBatch: "its reference point is a mean over the batch",
      reference: true,
      sequences(item) {
        const { id, answer, mismatched } = rated(item);
        requireAnswer(id, "rated", answer);
        requireAnswer(id, "mismatched", mismatched);
        reference(item);
        return [answer];
      },
      count: () => 1,
      // 1 − σ(x) = σ(−x), so both sides are one sigmoid.
      loss: (builder, logProbabilities) =>
        weightedSum(builder, builder.op("sigmoid", [termValues(builder, logProbabilities, "terms")], {})),
      feeds: (items, { total, divergence }) => [
        ...termFeeds(
          items.map((item) => {
            const slope = side(item).sign * beta;
            const tokens = [supervisedTokens(rated(item).answer)];
            return { tokens, terms: [{ slopes: [slope], offset: -slope * (reference(item).answer + divergence) }] };
          }),
        ),
        weightFeed(items.map((item) => side(item).weight / total)),
      ],
      evaluate(item, [score], divergence) {
        const ratio = score!.logProbability - reference(item).answer;
        const reward = { sum: beta * ratio, count: 1 };
        return rated(item).desirable
          ? { loss: desirableWeight * (1 - sigmoid(beta * (ratio - divergence))), metrics: { chosenReward: reward } }
          : {
              loss: undesirableWeight * (1 - sigmoid(beta * (divergence - ratio))),
              metrics: { rejectedReward: reward },
            };
      },
      async divergence(items, score) {
        const scores = await score(items.map((item) => rated(item).mismatched));
        const ratios = items.map((item, i) => scores[i]!.logProbability - reference(item).mismatched);
        return Math.max(0, ratios.reduce((sum, ratio) => sum + ratio, 0) / items.length);
      },
    };
  },
});
