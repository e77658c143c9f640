import { interpret } from "../graph/interpreter.ts";
import type { NdArray } from "../graph/op-row.ts";
import type { Runtime, RuntimeTensor } from "./runtime.ts";

/** Runs graphs slowly and obviously, in float64, one operation at a time: for tests and tiny models. */
export const referenceRuntime: Runtime = {
  async load(graph, weights) {
    const held = new Map<string, NdArray>();
    for (const { name, shape } of graph.parameters) {
      const { data } = await weights.read(name);
      held.set(name, { shape: shape as number[], data: Float64Array.from(data, Number) });
    }
    return {
      async run(feeds, outputs) {
        const values = new Map(held);
        for (const [name, { shape, data }] of feeds) values.set(name, { shape, data: Float64Array.from(data, Number) });
        const results = interpret(graph, values);
        return new Map(
          outputs.map((name): [string, RuntimeTensor] => {
            const { shape, data } = results.get(name)!;
            return [name, { shape, data: Float32Array.from(data) }];
          }),
        );
      },
      async dispose() {
        held.clear();
      },
    };
  },
};
