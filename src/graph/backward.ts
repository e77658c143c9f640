import type { GraphBuilder } from "./graph.ts";
import { OPS } from "./ops.ts";
import type { OpRow } from "./op-row.ts";
import type { Value } from "./value.ts";

/**
 * Differentiates a graph in reverse mode, graph → graph: appends to `builder` the nodes that compute d loss / d x for every
 * `x` in `trainable`, and returns these gradients in the same order. It follows only paths that lead to a trainable value,
 * so frozen weights cost nothing. `loss` is a scalar.
 *
 * @throws Error if the loss does not depend on one of `trainable`.
 */
export function backward(builder: GraphBuilder, loss: Value, trainable: readonly Value[]): Value[] {
  const alive = new Set(trainable);
  const forward = [...builder.nodes];
  for (const node of forward) {
    if (node.inputs.some((input) => alive.has(input))) for (const output of node.outputs) alive.add(output);
  }
  const gradients = new Map<Value, Value>();
  gradients.set(loss, builder.constant("gradient.seed", Float32Array.of(1), []));
  for (const node of forward.toReversed()) {
    const upstreams = node.outputs.map((output) => gradients.get(output));
    if (upstreams.every((upstream) => upstream === undefined) || !alive.has(node.outputs[0]!)) continue;
    const row = OPS[node.op] as OpRow<unknown>;
    if (row.gradient === null) throw new Error(`${node.op} has no gradient`);
    row.gradient(
      {
        builder,
        inputs: node.inputs,
        outputs: node.outputs,
        upstream: upstreams[0]!,
        upstreams,
        needs: (i) => alive.has(node.inputs[i]!),
        contribute(i, make) {
          const input = node.inputs[i]!;
          gradients.set(input, make(gradients.get(input)));
        },
      },
      node.attributes,
    );
  }
  return trainable.map((value) => {
    const gradient = gradients.get(value);
    if (gradient === undefined) throw new Error(`the loss does not depend on '${value.name}'`);
    return gradient;
  });
}
