import { describe, expect, it } from "vitest";
import { excerpt } from "./excerpt.ts";
import { nearest } from "./nearest.ts";

describe("nearest", () => {
  it.each([
    ["learningrate", ["learningRate", "rounds"], "learningRate"],
    ["ronuds", ["rounds", "round"], "rounds"],
    ["fedporx", ["fedavg", "fedprox"], "fedprox"],
    ["lr", ["ls", "rl"], "ls"],
    ["xy", ["abc"], undefined],
    ["abcdef", ["fedcba"], undefined],
    ["", ["a"], undefined],
  ])("of %j in %j is %j", (got, legal, expected) => {
    expect(nearest(got, legal)).toBe(expected);
  });

  it("prefers the nearer of two, and the first of equals", () => {
    expect(nearest("median", ["medians", "mediam", "median"])).toBe("median");
    expect(nearest("meadian", ["medlian", "median", "meadial"])).toBe("median");
  });

  it("looks at no name that is much longer or shorter, and gives up on what is no name", () => {
    const read: string[] = [];
    const seen = (text: string) =>
      Object.assign(Object(text) as string, { toLowerCase: () => (read.push(text), text) });
    expect(String(nearest("rounds", ["a", seen("r".repeat(10)), seen("round")]))).toBe("round");
    expect(read).toEqual(["round"]);
    const never = { [Symbol.iterator]: () => expect.unreachable("legal names are read") as never };
    expect(nearest("y".repeat(1_000_000), never)).toBeUndefined();
  });

  it("stops where the legal names have no end", () => {
    function* endless(): Generator<string> {
      for (;;) yield "another name of that length";
    }
    expect(nearest("a name of about that length", endless())).toBeUndefined();
  });
});

describe("excerpt", () => {
  it.each([
    ["short", 5, "short"],
    ["longer", 5, "long…"],
    ["abc😀d", 5, "abc…"],
    ["abc😀de", 6, "abc😀…"],
  ])("of %j to %d characters is %j", (text, most, expected) => {
    expect(excerpt(text, most)).toBe(expected);
  });
});
