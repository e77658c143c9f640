import { describe, expect, it } from "vitest";
import { PythonRandom } from "./python-random.ts";

describe("CPython's random", () => {
  /** `random.seed(seed); random.sample(range(n), k)[:8]` of Python 3.11; both ways `sample` goes, and their border. */
  it.each([
    [0, 20, 2, [12, 13]],
    [1, 20, 2, [4, 18]],
    [7, 100, 10, [41, 19, 50, 83, 6, 9, 68, 12]],
    [3, 1000, 160, [243, 606, 557, 133, 378, 937, 618, 485]],
    [5, 1000, 5, [637, 261, 759, 367, 814]],
    [0, 160, 160, [98, 107, 10, 66, 130, 124, 103, 77]],
    [2, 85, 21, [7, 11, 10, 46, 21, 39, 32, 77]],
    [9, 86, 21, [59, 78, 47, 34, 17, 23, 0, 43]],
    [4, 5, 5, [1, 2, 0, 4, 3]],
    [123456789, 50000, 30, [42034, 28984, 35532, 46527, 39454, 26029, 19914, 45161]],
  ])("seed %i: sample(range(%i), %i)", (seed, n, k, first) => {
    const sample = new PythonRandom(seed).sample(n, k);
    expect(sample.slice(0, 8)).toEqual(first);
    expect(new Set(sample).size).toBe(k);
  });

  it("refuses what CPython would take otherwise", () => {
    expect(() => new PythonRandom(-1)).toThrow("[0, 2^32)");
    expect(() => new PythonRandom(1).sample(3, 4)).toThrow("0 <= k <= n");
  });
});
