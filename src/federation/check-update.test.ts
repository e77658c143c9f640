import { expect, test } from "vitest";
import type { Params } from "../tensor/params.ts";
import { problemWith } from "./check-update.ts";
import { decodeGroups, encodeGroups } from "../store/codec.ts";

const params = (data: Float32Array | Float64Array): Params => new Map([["a", { shape: [data.length], data }]]);
const expected = { adapter: params(Float32Array.of(1, 2)) };

test("an update like the expected one has no problem", () => {
  expect(problemWith({ adapter: params(Float32Array.of(3, 4)) }, expected)).toBeUndefined();
});

test("a foreign group named like an object's own members is refused in words", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    const bytes = encodeGroups(Object.fromEntries([[name, params(Float32Array.of(1))]]), {});
    expect(problemWith(decodeGroups(bytes, "the update"), expected)).toBe(`an unknown group ${name}`);
  }
});

test("a value that only float64 can hold is refused before the round is closed", () => {
  expect(problemWith({ adapter: params(Float64Array.of(1, 1e300)) }, expected)).toContain("not finite");
});
