import { itemAs } from "../data/items/registry.ts";
import type { Objective } from "./objective.ts";
import { supervisedTokens } from "./micro-batches.ts";
import { vector } from "./runtime.ts";

const COEFFICIENTS = "coefficients";

/** Supervised fine-tuning: the mean negative log-likelihood of the supervised tokens of the step. */
export const sft: Objective = {
  name: "sft",
  items: "example",
  reference: false,
  sequences: (item) => [itemAs("example", item, "sft")],
  count: (item) => supervisedTokens(itemAs("example", item, "sft")),
  loss(builder, logProbabilities) {
    const coefficients = builder.input(COEFFICIENTS, "float32", logProbabilities.shape);
    return builder.op("dot", [logProbabilities, coefficients], {});
  },
  feeds(items, { total }) {
    const rows = items.reduce((sum, item) => sum + sft.count(item), 0);
    return [[COEFFICIENTS, vector(new Float32Array(rows).fill(-1 / total))]];
  },
  evaluate: (_item, [score]) => ({ loss: -score!.logProbability, metrics: {} }),
};
