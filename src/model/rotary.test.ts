import { describe, expect, test } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { frequenciesFor, parseRotary } from "./rotary.ts";

interface Golden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly frequencies: readonly number[];
  readonly factor: number;
  readonly long?: readonly number[];
  readonly beyond?: number;
}

function expectClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  wanted.forEach((value, i) => expect(Math.abs(got[i]! / value - 1), `frequency ${i}`).toBeLessThan(3e-7));
}

/** transformers made these numbers: scripts/golden/make_rotary.py. */
describe.each(Object.entries(goldenJson("rotary.json") as Record<string, Golden>))("%s", (_name, golden) => {
  const positions = (golden.config["max_position_embeddings"] ?? 2048) as number;
  const rotary = parseRotary(golden.config, 16, positions, "config.json");

  test("has the frequencies of transformers, and its factor", () => {
    expectClose(rotary.inverseFrequencies, golden.frequencies);
    expect(rotary.attentionFactor ?? 1).toBeCloseTo(golden.factor, 12);
  });

  test("changes with the longest sequence where transformers' does", () => {
    expectClose(frequenciesFor(rotary, golden.beyond ?? positions), golden.frequencies);
    expectClose(frequenciesFor(rotary, (golden.beyond ?? positions) + 1), golden.long ?? golden.frequencies);
  });
});

describe("what cannot be read is refused by name", () => {
  const read =
    (rope: object, options = {}) =>
    () =>
      parseRotary({ rope_parameters: rope }, 16, 2048, "config.json", options);

  test.each([
    [{ rope_type: "mrope" }, 'rope_parameters: rotary embedding type "mrope" is not supported; supported are default'],
    [{ rope_type: "yarn" }, "factor must be a positive number, got undefined"],
    [{ rope_type: "longrope", factor: 2, short_factor: [1], long_factor: [1] }, "short_factor must be a list of 8"],
    [{ rope_type: "dynamic", factor: "2" }, 'factor must be a positive number, got "2"'],
    [{ partial_rotary_factor: 0.5 }, "rotation of only a part of a head"],
  ])("%j", (rope, message) => {
    expect(read(rope)).toThrow(message);
  });

  test("a type that the family does not have", () => {
    expect(read({ rope_type: "linear", factor: 2 }, { types: ["default", "longrope"] })).toThrow(
      "supported are default and longrope",
    );
  });
});

test("a part of each head has its own frequencies", () => {
  const { inverseFrequencies } = parseRotary({ partial_rotary_factor: 0.75 }, 16, 2048, "config.json", {
    partial: true,
  });
  expectClose(
    inverseFrequencies,
    Array.from({ length: 6 }, (_, i) => 10_000 ** (-i / 6)),
  );
});
