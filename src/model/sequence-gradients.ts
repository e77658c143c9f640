import { backward } from "../graph/backward.ts";
import type { Value } from "../graph/value.ts";
import type { ModelGraph } from "./model-graph.ts";

/**
 * Adds the gradient of a loss for every LoRA tensor, sequence by sequence: name → [batch, ...shape of the tensor]. The loss has
 * to be a sum of parts that depend on one sequence, or on those of one record, each. With u = A·x, v = Bᵀ·dy and the scale s
 * of a module, the gradients of a sequence are s·Σ_t dy_t·u_tᵀ for B and s·Σ_t v_t·x_tᵀ for A. For LoRA that costs no more
 * than their sum does; norms without the gradients themselves would cost the square of the length.
 */
export function sequenceGradients(graph: ModelGraph, loss: Value): Map<string, Value> {
  const { builder, loraSites, ids, rows } = graph;
  const upstream = backward(
    builder,
    loss,
    loraSites.flatMap(({ low, y }) => [low, y]),
  );
  return new Map(
    loraSites.flatMap(({ a, b, x, low, scale }, i) => {
      const [ofLow, ofY] = upstream.slice(2 * i, 2 * i + 2) as [Value, Value];
      // After the last layer's attention there is a row for each supervised token, not for each position.
      const places = x.shape[0] === "rows" ? [ids, rows!] : [ids];
      return [
        [a, builder.op("gemmBySequence", [ofLow, x, ...places], {})],
        [b, builder.op("gemmBySequence", [ofY, low, ...places], { alpha: scale })],
      ] as const;
    }),
  );
}
