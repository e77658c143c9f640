import { resolveDim } from "./dims.ts";
import type { Graph } from "./graph.ts";
import { OPS } from "./ops.ts";
import type { NdArray, OpRow } from "./op-row.ts";
import type { Value } from "./value.ts";

/**
 * Runs a graph with the table's reference rules, in float64, node by node. It is the oracle that every fast runtime is
 * compared with. `values` has inputs and parameters by name. Returns the graph's outputs by output name.
 */
export function interpret(graph: Graph, values: ReadonlyMap<string, NdArray>): Map<string, NdArray> {
  const held = new Map<Value, NdArray>();
  const symbols = new Map<string, number>();
  for (const value of [...graph.inputs, ...graph.parameters]) {
    const array = values.get(value.name);
    if (array === undefined) throw new Error(`no value for '${value.name}'`);
    value.shape.forEach((dim, i) => {
      if (typeof dim === "string" && !dim.includes("*")) symbols.set(dim, array.shape[i]!);
    });
    held.set(value, array);
  }
  for (const { value, data } of graph.constants) {
    held.set(value, { shape: value.shape as number[], data: Float64Array.from(data) });
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => held.get(input)!);
    const row = OPS[node.op] as OpRow<unknown>;
    const outputs = row.evaluate(inputs, node.attributes, (dim) => resolveDim(dim, symbols));
    node.outputs.forEach((output, i) => held.set(output, outputs[i]!));
  }
  return new Map([...graph.outputs].map(([name, value]) => [name, held.get(value)!]));
}
