import { describe, expect, it } from "vitest";
import { GraphBuilder } from "./graph.ts";
import { peakBytes } from "./memory.ts";
import { attentionBindings } from "./ops-attention.ts";

const KB = 1000;
/** 250 rows of float32 by one column: a kilobyte. */
const bindings = new Map([["rows", 250]]);

describe("the peak of a graph", () => {
  it("is the inputs and what is alive beside them", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["rows"]);
    const a = builder.op("sigmoid", [x], {});
    const b = builder.op("sigmoid", [a], {});
    builder.output("y", builder.op("sigmoid", [b], {}));
    // x, and two of a chain.
    expect(peakBytes(builder.build(), bindings)).toBe(3 * KB);
  });

  it("keeps what is read later, as a gradient reads the values of the way forward", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["rows"]);
    const a = builder.op("sigmoid", [x], {});
    const b = builder.op("sigmoid", [a], {});
    const c = builder.op("sigmoid", [b], {});
    builder.output("y", builder.op("multiply", [c, a], {}));
    // x, a, b and c: at multiply b has gone.
    expect(peakBytes(builder.build(), bindings)).toBe(4 * KB);
  });

  it("counts neither weights nor what nobody reads", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [250]);
    const weight = builder.parameter("w", [250]);
    builder.op("add", [x, weight], {});
    builder.output("y", builder.op("add", [x, weight], {}));
    expect(peakBytes(builder.build(), bindings)).toBe(2 * KB);
  });
});

it("an attention's runs of queries are the whole sequence, the last with the rest", () => {
  const bound = attentionBindings(11, 2);
  expect([0, 1, 2, 3].map((j) => bound.get(`queries${j}`))).toEqual([4, 4, 4, 10]);
  expect([0, 1, 2, 3].map((j) => bound.get(`keys${j}`))).toEqual([2, 4, 6, 11]);
});
