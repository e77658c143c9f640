import { describe, expect, test } from "vitest";
import { backward } from "../src/graph/backward.ts";
import { GraphBuilder } from "../src/graph/graph.ts";
import { interpret } from "../src/graph/interpreter.ts";
import type { DType, TensorData } from "../src/graph/value.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { referenceRuntime } from "../src/train/reference-runtime.ts";
import type { Runtime, RuntimeTensor } from "../src/train/runtime.ts";
import { relativeError, weightsFromParams, weightsInMemory } from "./support/golden.ts";
import { builtCases } from "./support/op-cases.ts";

const ARRAYS: Record<DType, (data: Float64Array) => TensorData> = {
  float32: (data) => Float32Array.from(data),
  int64: (data) => BigInt64Array.from(data, BigInt),
  uint8: (data) => Uint8Array.from(data),
};

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
            data: ARRAYS[input.dtype](data),
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

    // Each number for itself: against the largest of the tensor, a lost tail would not show.
    test.each([
      ["gelu", [-15, -5, -1, 0, 0.5, 3, 100]],
      ["softplus", [-15, -1, 0, 1, 15, 100, 1e4]],
      ["sigmoid", [-15, -1, 0, 1, 15, 100, 1e4]],
      ["logOdds", [-1e-7, -1e-4, -0.01, -0.5, -0.7, -2, -17, -88, -200, -1e4]],
    ] as const)("%s keeps its digits at both ends", async (op, xs) => {
      const builder = new GraphBuilder();
      const x = builder.input("x", "float32", ["rows"]);
      const ones = builder.input("ones", "float32", ["rows"]);
      const y = builder.op(op, [x], {});
      builder.output("y", y);
      builder.output("slope", backward(builder, builder.op("dot", [y, ones], {}), [x])[0]!);
      const graph = builder.build();
      const session = await runtime.load(graph, weightsFromParams(new Map()));
      const data = Float32Array.from(xs);
      const all = { x: data, ones: data.map(() => 1) };
      const shape = [data.length];
      const feeds = new Map(Object.entries(all).map(([name, data]) => [name, { shape, data }]));
      const results = await session.run(feeds, ["y", "slope"]);
      const expected = interpret(
        graph,
        new Map([...feeds].map(([name, { data }]) => [name, { shape, data: Float64Array.from(data) }])),
      );
      for (const output of ["y", "slope"]) {
        expected.get(output)!.data.forEach((value, i) => {
          const error = Math.abs(Number(results.get(output)!.data[i]) - value);
          // Where float32 has no digits left beside 1 (a probability of 1 − 1e-7), absolute; elsewhere relative.
          expect(error, `${output} at ${data[i]}`).toBeLessThan(1e-7 + 1e-5 * Math.abs(value));
        });
      }
      await session.dispose();
    });

    test.each([
      ["file", weightsFromParams],
      ["memory", weightsInMemory],
    ])("binds weights of several types from a %s", async (_where, stored) => {
      const builder = new GraphBuilder();
      const x = builder.input("x", "float32", ["rows", 16]);
      const codes = builder.parameter("w.codes", [2, 1, 16], "uint8");
      const scales = builder.parameter("w.scales", [2, 1]);
      builder.output("y", builder.op("quantizedLinear", [x, codes, scales], { bits: 8, blockSize: 16 }));
      const weights = stored(
        new Map<string, RuntimeTensor>([
          ["w.codes", { shape: [2, 1, 16], data: Uint8Array.from({ length: 32 }, (_, i) => 120 + i) }],
          ["w.scales", { shape: [2, 1], data: Float32Array.of(0.5, -2) }],
        ]),
      );
      const session = await runtime.load(builder.build(), weights);
      const feeds = new Map([["x", { shape: [1, 16], data: new Float32Array(16).fill(1) }]]);
      // Σ of −8 … 7 is −8, and of 8 … 23 it is 248.
      expect([...(await session.run(feeds, ["y"])).get("y")!.data]).toEqual([-4, -496]);
      await session.dispose();
    });

    test("logOdds of a certain answer is large, and its slope finite", async () => {
      const builder = new GraphBuilder();
      const x = builder.input("x", "float32", ["rows"]);
      const y = builder.op("logOdds", [x], {});
      builder.output("y", y);
      builder.output("slope", backward(builder, builder.op("dot", [y, x], {}), [x])[0]!);
      const session = await runtime.load(builder.build(), weightsFromParams(new Map()));
      const results = await session.run(new Map([["x", { shape: [1], data: Float32Array.of(0) }]]), ["y", "slope"]);
      expect(Number(results.get("y")!.data[0])).toBeCloseTo(24 * Math.LN2, 4);
      expect(results.get("slope")!.data[0]).toSatisfy(Number.isFinite);
      await session.dispose();
    });
  });
}
