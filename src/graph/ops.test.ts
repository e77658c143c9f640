import { describe, expect, test } from "vitest";
import { builtCases, OP_CASES } from "../../test/support/op-cases.ts";
import { interpret } from "./interpreter.ts";
import type { OpName } from "./op-attributes.ts";
import { OPS } from "./ops.ts";

describe("gradients against central differences of the reference interpreter", () => {
  test("every differentiable op has a case", () => {
    const covered = new Set(OP_CASES.map(({ name }) => name));
    expect(Object.entries(OPS).filter(([name, row]) => row.gradient !== null && !covered.has(name as OpName))).toEqual(
      [],
    );
  });

  for (const { title, graph, values, differentiable } of builtCases()) {
    test(title, () => {
      const results = interpret(graph, values);
      const lossAt = (name: string, i: number, by: number): number => {
        const array = values.get(name)!;
        const data = array.data.slice();
        data[i]! += by;
        return interpret(graph, new Map(values).set(name, { ...array, data })).get("loss")!.data[0]!;
      };
      for (const name of differentiable) {
        const gradient = results.get(`gradient:${name}`)!;
        expect(gradient.shape).toEqual(values.get(name)!.shape);
        gradient.data.forEach((value, i) => {
          const numeric = (lossAt(name, i, 1e-5) - lossAt(name, i, -1e-5)) / 2e-5;
          expect(Math.abs(value - numeric)).toBeLessThan(1e-8);
        });
      }
    });
  }
});
