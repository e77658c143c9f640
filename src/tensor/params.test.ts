import { describe, expect, it } from "vitest";
import * as params from "./params.ts";
import type { Params } from "./params.ts";

const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
const f64 = (...values: number[]): Float64Array => Float64Array.from(values);
const make = (entries: Record<string, [number[], params.Floats]>): Params =>
  new Map(Object.entries(entries).map(([name, [shape, data]]) => [name, { shape, data }]));

const a = make({ w: [[2, 2], f32(1, 2, 3, 4)], b: [[1], f64(0.1)] });
const b = make({ b: [[1], f32(10)], w: [[2, 2], f64(5, 6, 7, 8)] });

describe("arithmetic", () => {
  it("matches by name, keeps the left side's order and element types, and changes nothing in place", () => {
    const sum = params.addScaled(a, 0.5, b);
    expect([...sum.keys()]).toEqual(["w", "b"]);
    expect(sum.get("w")).toEqual({ shape: [2, 2], data: f32(3.5, 5, 6.5, 8) });
    expect(sum.get("b")).toEqual({ shape: [1], data: f64(5.1) });
    expect(params.subtract(a, b).get("w")!.data).toEqual(f32(-4, -4, -4, -4));
    expect(params.scale(a, 2).get("b")!.data).toEqual(f64(0.2));
    expect(params.mapParams(a, (x) => x * x).get("w")!.data).toEqual(f32(1, 4, 9, 16));
    expect(params.zerosLike(a).get("b")!.data).toEqual(f64(0));
    expect(a.get("w")!.data).toEqual(f32(1, 2, 3, 4));
  });

  it("rounds once", () => {
    const x = make({ w: [[1], f32(1)] });
    const y = make({ w: [[1], f64(2 ** -25 * 1.5)] });
    // Rounded to float32 first, 1 + y·1 would lose y; 1 − 2^-24 is the nearest float32 to 1 − 0.75·2^-24.
    expect(params.addScaled(x, -1, y).get("w")!.data[0]).toBe(1 - 2 ** -24);
  });

  it("names the tensor and both shapes where structures differ", () => {
    expect(() => params.subtract(a, make({ w: [[4], f32(1, 2, 3, 4)], b: [[1], f32(1)] }))).toThrow(
      "tensor w: [2, 2] on the left, [4] on the right",
    );
    expect(() => params.subtract(a, make({ w: [[2, 2], f32(1, 2, 3, 4)] }))).toThrow(
      "tensor b: [1] on the left, missing on the right",
    );
    expect(() => params.subtract(make({}), a)).toThrow("tensor w: missing on the left, [2, 2] on the right");
  });
});

describe("measures", () => {
  it("norm accumulates in float64 and does not overflow float32", () => {
    expect(params.globalNorm(make({ x: [[2], f32(3, 0)], y: [[1], f32(4)] }))).toBe(5);
    expect(params.globalNorm(make({ x: [[2], f32(3e30, 4e30)] }))).toBeCloseTo(5e30, -24);
    const many = make({ x: [[2 ** 20], new Float32Array(2 ** 20).fill(1e-3)] });
    expect(params.globalNorm(many)).toBeCloseTo(Math.fround(1e-3) * 1024, 10);
    expect(params.globalNorm(new Map())).toBe(0);
  });

  it("counts and finds what is not finite", () => {
    expect(params.parameterCount(a)).toBe(5);
    expect(params.firstNonFinite(a)).toBeUndefined();
    expect(params.firstNonFinite(make({ p: [[1], f32(1)], q: [[2], f32(0, Number.NaN)] }))).toBe("q");
    expect(params.firstNonFinite(make({ p: [[1], f64(-Infinity)] }))).toBe("p");
  });

  it("toFloat32 converts float64 only", () => {
    const converted = params.toFloat32(a);
    expect(converted.get("b")!.data).toEqual(f32(0.1));
    expect(converted.get("w")).toBe(a.get("w"));
  });
});
