import { describe, expect, it } from "vitest";
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from "./float16.ts";

/** The definition, slowly. */
function valueOfHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const everyHalf = Uint16Array.from({ length: 65536 }, (_, i) => i);

describe("float16", () => {
  it("converts every half exactly", () => {
    const values = float16ToFloat32(everyHalf);
    for (let half = 0; half < 65536; half++) {
      if (!Object.is(values[half], valueOfHalf(half))) expect.fail(`${half}: ${values[half]}`);
    }
  });

  it("returns every half to itself", () => {
    const back = float32ToFloat16(float16ToFloat32(everyHalf));
    for (let half = 0; half < 65536; half++) {
      // A signalling NaN comes back quiet.
      const expected = Number.isNaN(valueOfHalf(half)) ? half | 0x200 : half;
      if (back[half] !== expected) expect.fail(`${half.toString(16)}: ${back[half]!.toString(16)}`);
    }
  });

  it("rounds to nearest, ties to even, at every boundary", () => {
    for (let half = 0; half < 0x7c00; half++) {
      const low = valueOfHalf(half);
      // Beyond the largest half, the boundary is where the next one would have been: 65520.
      const high = half === 0x7bff ? 65536 : valueOfHalf(half + 1);
      const middle = (low + high) / 2;
      const ulp = middle * 2 ** -23;
      const got = float32ToFloat16(Float32Array.of(middle, middle - ulp, middle + ulp, -middle));
      const even = half % 2 === 0 ? half : half + 1;
      if (got[0] !== even || got[1] !== half || got[2] !== half + 1 || got[3] !== (even | 0x8000)) {
        expect.fail(`${half.toString(16)}: ${[...got].map((x) => x.toString(16)).join()}`);
      }
    }
  });

  it("overflows to infinity and underflows to signed zero", () => {
    const got = float32ToFloat16(Float32Array.of(1e10, -65520, 65519, 1e-30, -(2 ** -25), Infinity, Number.NaN));
    expect([...got]).toEqual([0x7c00, 0xfc00, 0x7bff, 0, 0x8000, 0x7c00, 0x7e00]);
  });
});

describe("bfloat16", () => {
  it("is the upper half of a float32", () => {
    const values = bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f80, 0xff80, 0x7fc0, 0x3eab, 0x8000));
    expect([...values]).toEqual([1, -2, 2 ** -133, Infinity, -Infinity, Number.NaN, 0.333984375, -0]);
  });
});
