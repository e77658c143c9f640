import { describe, expect, test } from "vitest";
import { interpret } from "../src/graph/interpreter.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { referenceRuntime } from "../src/train/reference-runtime.ts";
import type { Runtime, RuntimeTensor } from "../src/train/runtime.ts";
import { relativeError, weightsFromParams } from "./support/golden.ts";
import { builtCases } from "./support/op-cases.ts";

const RUNTIMES: Record<string, Runtime> = { reference: referenceRuntime, onnx: onnxRuntime({ threads: 2 }) };

for (const [name, runtime] of Object.entries(RUNTIMES)) {
  describe(`the Runtime port: ${name}`, () => {
    for (const { title, graph, values } of builtCases()) {
      test(title, async () => {
        const session = await runtime.load(graph, weightsFromParams(new Map()));
        const feeds = new Map<string, RuntimeTensor>();
        for (const input of graph.inputs) {
          const { shape, data } = values.get(input.name)!;
          feeds.set(input.name, {
            shape,
            data: input.dtype === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data),
          });
        }
        const outputs = [...graph.outputs.keys()];
        const results = await session.run(feeds, outputs);
        const expected = interpret(graph, values);
        for (const output of outputs) {
          expect([...results.get(output)!.shape]).toEqual([...expected.get(output)!.shape]);
          expect(relativeError(results.get(output)!.data as Float32Array, expected.get(output)!.data)).toBeLessThan(
            2e-5,
          );
        }
        await session.dispose();
      });
    }
  });
}
