import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseExperiment } from "./parse.ts";
import { starterBatch, starterEpochs, starterHeldOut, starterText } from "./starter.ts";

describe("first settings", () => {
  it("hold out a tenth, within limits", () => {
    expect([4, 5, 40, 150, 10_000].map(starterHeldOut)).toEqual([0, 1, 4, 15, 50]);
  });

  it("make a round one pass, or the part of one that 2,000 records are", () => {
    expect([1, 2000, 4000, 52_000].map(starterEpochs)).toEqual([1, 1, 0.5, 0.04]);
    expect([10, 64, 499, 500].map(starterBatch)).toEqual([4, 8, 8, 16]);
  });

  it("can be read, whatever the files are called", () => {
    const name = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !/\$\{/.test(text));
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), fc.nat(5), (names, heldOutRecords) => {
        const text = starterText({
          base: "m",
          schema: "s.json",
          clients: names.map((each) => ({ name: each, file: each, records: 20 })),
          heldOutRecords,
          rounds: 3,
          objective: "sft",
        });
        const { data } = parseExperiment(parse(text), "test");
        expect(data.clients).toEqual(names.map((each) => ({ name: each, train: each })));
        expect(data.heldOutRecords).toBe(heldOutRecords);
      }),
    );
  });
});
