import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyStream, type SecretStream } from "../privacy/secret-stream.ts";
import type { Example } from "../data/example.ts";
import { globalNorm, type Params } from "../tensor/params.ts";
import { clippedOnGrid, privateGradient } from "./private-step.ts";
import type { RecordGradientEngine } from "./record-gradients.ts";

const adapter: Params = new Map([
  ["b", { shape: [2], data: Float32Array.of(0, 0) }],
  ["a", { shape: [1, 2], data: Float32Array.of(0, 0) }],
]);
const params = (...values: readonly number[]): Params =>
  new Map([
    ["b", { shape: [2], data: Float64Array.from(values.slice(0, 2)) }],
    ["a", { shape: [1, 2], data: Float64Array.from(values.slice(2)) }],
  ]);
const values = (of: Params): number[] => ["b", "a"].flatMap((name) => [...of.get(name)!.data]);

/** An engine that knows the gradient of each record by its id. */
const engineOf = (gradients: Readonly<Record<string, Params>>): RecordGradientEngine => ({
  async each(_adapter, items, _dropout, take) {
    for (const [place, { id }] of items.entries()) take(place, gradients[id]!);
  },
  dispose: async () => {},
});
const record = (id: string): Example => ({ id, tokens: new Int32Array(), supervised: new Uint8Array() });
const secret = (byte: number): Promise<SecretStream> => keyStream(new Uint8Array(32).fill(byte));
const noDropout = (): never => {
  throw new Error("no dropout here");
};

/** The gradient of one step with these records. */
async function stepOf(
  gradients: Readonly<Record<string, Params>>,
  { clip = 1, noiseMultiplier = 0, expectedBatch = 1, key = 1 },
): Promise<number[]> {
  const engine = engineOf(gradients);
  const noise = { clip, noiseMultiplier, expectedBatch };
  const items = Object.keys(gradients).map(record);
  return values(await privateGradient(engine, adapter, items, noDropout, noise, await secret(key)));
}

test("without noise and without a bound it is the sum divided by the expected batch, not by the records that came", async () => {
  const gradients = { one: params(1, 2, 3, 4), two: params(-8, 0.5, 1, 1) };
  expect(await stepOf(gradients, { clip: Infinity, expectedBatch: 4 })).toEqual([-7 / 4, 2.5 / 4, 1, 5 / 4]);
});

test("each record is clipped by its norm over all tensors; one without a norm and one that is not finite count as 0", async () => {
  const gradients = {
    long: params(0, 3, 4, 0),
    short: params(0.25, 0, 0, 0),
    nothing: params(0, 0, 0, 0),
    bad: params(Number.NaN, 1, 1, 1),
    endless: params(0, Infinity, 0, 0),
  };
  const step = await stepOf(gradients, { clip: 0.5, expectedBatch: 1 });
  for (const [i, expected] of [0.25, 0.3, 0.4, 0].entries()) expect(step[i]).toBeCloseTo(expected, 6);
});

describe("the clipped gradient on the grid", () => {
  const numbers = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 4, maxLength: 4 });
  test("has whole steps, a norm of at most C, and is near the clipped gradient", () => {
    fc.assert(
      fc.property(
        numbers,
        fc.double({ min: 0.01, max: 5, noNaN: true }),
        fc.constantFrom(2, 0.3, 0.01),
        (of, clip, share) => {
          const step = clip * share;
          const whole = clippedOnGrid(params(...of), clip, step);
          expect(values(whole).every(Number.isInteger)).toBe(true);
          expect(globalNorm(whole) * step).toBeLessThanOrEqual(clip * (1 + 1e-12));
          const factor = Math.min(1, clip / globalNorm(params(...of)));
          for (const [i, value] of values(whole).entries()) {
            expect(Math.abs(value * step - of[i]! * factor)).toBeLessThanOrEqual(3 * step);
          }
        },
      ),
    );
  });
});

describe("noise", () => {
  test("has the deviation z·C/B in every coordinate, on whole steps of the grid, also without a record", async () => {
    const noise = { clip: 0.5, noiseMultiplier: 3, expectedBatch: 10 };
    const many: Params = new Map([["a", { shape: [20_000], data: new Float32Array(20_000) }]]);
    const empty = await privateGradient(engineOf({}), many, [], noDropout, noise, await secret(1));
    const draws = [...empty.get("a")!.data];
    const deviation = Math.sqrt(draws.reduce((sum, x) => sum + x * x, 0) / draws.length);
    // Four standard errors of a deviation of 20,000 draws.
    expect(Math.abs(deviation / 0.15 - 1)).toBeLessThan(4 / Math.sqrt(2 * 20_000));
    const unit = (3 * 0.5) / 2 ** 14 / 10;
    for (const x of draws) expect(Math.abs(x / unit - Math.round(x / unit))).toBeLessThan(0.02);
  });

  test("of any size leaves the gradient as it is: the grid is as fine as the number of coordinates asks for", async () => {
    const length = 100_000;
    const many: Params = new Map([["a", { shape: [length], data: new Float32Array(length) }]]);
    const gradient = { shape: [length], data: Float64Array.from({ length }, (_, i) => Math.sin(i + 1)) };
    const noise = { clip: 1, noiseMultiplier: 200, expectedBatch: 1 };
    const engine = engineOf({ one: new Map([["a", gradient]]) });
    const [noised, alone] = [
      await privateGradient(engine, many, [record("one")], noDropout, noise, await secret(1)),
      await privateGradient(engine, many, [], noDropout, noise, await secret(1)),
    ];
    const norm = globalNorm(new Map([["a", gradient]]));
    const [was, is] = [gradient.data, noised.get("a")!.data.map((x, i) => x - alone.get("a")!.data[i]!)];
    const dot = was.reduce((sum, x, i) => sum + (x / norm) * is[i]!, 0);
    expect(dot).toBeGreaterThan(0.98);
    expect(dot).toBeLessThan(1.01);
  });

  test("is that of the key alone: the same again, other noise with another key, the same whatever the records are", async () => {
    const gradients = { one: params(0.5, 0.25, 0, 0.125) };
    const settings = { noiseMultiplier: 1, expectedBatch: 2 };
    const noised = await stepOf(gradients, settings);
    expect(await stepOf(gradients, settings)).toEqual(noised);
    expect(await stepOf(gradients, { ...settings, key: 2 })).not.toEqual(noised);
    const alone = await stepOf({}, settings);
    const own = await stepOf(gradients, { expectedBatch: 2 });
    for (const [i, x] of noised.entries()) expect(x - alone[i]!).toBeCloseTo(own[i]!, 4);
  });

  test("is drawn in the order of the tensors' names", async () => {
    const noise = { clip: 1, noiseMultiplier: 1, expectedBatch: 1 };
    const turned = new Map([...adapter].toReversed());
    const [one, other] = await Promise.all(
      [adapter, turned].map(async (of) => privateGradient(engineOf({}), of, [], noDropout, noise, await secret(3))),
    );
    expect(values(one!)).toEqual(values(other!));
  });
});
