import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factoredSvd } from "../tensor/factored-svd.ts";
import { type Matrix, multiply, zeroMatrix } from "../tensor/matrix.ts";
import type { Params } from "../tensor/params.ts";
import { aggregatorOf } from "./aggregator-registry.ts";
import { nearestFactors } from "./flexlora.ts";

const A = "base_model.model.q_proj.lora_A.weight";
const B = "base_model.model.q_proj.lora_B.weight";

interface Golden {
  readonly records: number[];
  readonly A: number[][][];
  readonly B: number[][][];
  readonly A0: number[][];
  readonly B0: number[][];
  readonly meanOfProducts: number[][];
}

const golden = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "../../test/golden/lora/equal-ranks.json"), "utf8"),
) as Golden;

function matrix(rows: number[][]): Matrix {
  return { rows: rows.length, columns: rows[0]!.length, data: Float64Array.from(rows.flat()) };
}

const tensor = (rows: number[][]) => ({ shape: [rows.length, rows[0]!.length], data: Float64Array.from(rows.flat()) });
const adapterOf = (a: number[][], b: number[][]): Params =>
  new Map([
    [A, tensor(a)],
    [B, tensor(b)],
  ]);
const of = (params: Params, name: string): Matrix => {
  const { shape, data } = params.get(name)!;
  return { rows: shape[0]!, columns: shape[1]!, data: Float64Array.from(data) };
};

const worst = (got: Matrix, want: Matrix): number =>
  got.data.reduce((most, x, i) => Math.max(most, Math.abs(x - want.data[i]!)), 0);

/** The best approximation of a rank, from the dense matrix itself. */
function best(dense: Matrix, rank: number): Matrix {
  const unit = zeroMatrix(dense.columns, dense.columns);
  for (let i = 0; i < unit.rows; i++) unit.data[i * unit.rows + i] = 1;
  const { u, values, v } = factoredSvd([{ weight: 1, b: dense, a: unit }], rank);
  const scaled = zeroMatrix(u.rows, u.columns);
  scaled.data.forEach((_, i) => (scaled.data[i] = u.data[i]! * values[i % u.columns]!));
  return multiply(scaled, v);
}

async function flexlora(updates: readonly Params[], records: readonly number[], global: Params): Promise<Params> {
  const groups = { adapter: { like: global, weighting: "records", combined: "mean" } } as const;
  const entries = records.map((each, i) => ({ client: String(i), records: each }));
  const read = async (i: number) => ({ adapter: updates[i]! });
  const result = await aggregatorOf("flexlora").combine(groups, { entries, read }, { round: 1, global });
  return result["adapter"]!;
}

describe("flexlora", () => {
  const global = adapterOf(golden.A0, golden.B0);
  const updates = golden.A.map((a, i) => adapterOf(a, golden.B[i]!));

  it("gives the best adapter of the rank for PyTorch's mean of the products, to 1e-12", async () => {
    const result = await flexlora(updates, golden.records, global);
    expect(result.get(A)!.shape).toEqual([2, 5]);
    expect(worst(multiply(of(result, B), of(result, A)), best(matrix(golden.meanOfProducts), 2))).toBeLessThan(1e-12);
  });

  it("of one client gives what that client's adapter does, and its A", async () => {
    const result = await flexlora(updates.slice(0, 1), [3], global);
    const [got, want] = [result, updates[0]!].map((each) => multiply(of(each, B), of(each, A)));
    expect(worst(got!, want!)).toBeLessThan(1e-12);
    expect(worst(of(result, A), of(updates[0]!, A))).toBeLessThan(1e-12);
  });

  it("keeps A's of the round before where nobody has moved B from 0: no direction is dead", async () => {
    const still = adapterOf(
      golden.A0,
      golden.B0.map((row) => row.map(() => 0)),
    );
    const result = await flexlora([still, still], [1, 2], still);
    expect(result.get(A)!.data).toEqual(still.get(A)!.data);
    expect(result.get(B)!.data.every((x) => x === 0)).toBe(true);
  });

  it("keeps what clients of opposite A do, whose mean is 0", async () => {
    const [a, b] = [golden.A[0]!, golden.B[0]!];
    const minus = (rows: number[][]): number[][] => rows.map((row) => row.map((x) => -x));
    const opposite = [adapterOf(a, b), adapterOf(minus(a), minus(b))];
    const result = await flexlora(opposite, [1, 1], global);
    const [got, want] = [result, opposite[0]!].map((each) => multiply(of(each, B), of(each, A)));
    expect(worst(got!, want!)).toBeLessThan(1e-12);
  });

  it("gives the direction of rank one its place and leaves the other alive", async () => {
    const one = adapterOf(
      golden.A0,
      golden.B0.map((_, i) => [i + 1, 0]),
    );
    const result = await flexlora([one, one], [1, 1], one);
    const [got, want] = [result, one].map((each) => multiply(of(each, B), of(each, A)));
    expect(worst(got!, want!)).toBeLessThan(1e-12);
    const a = of(result, A);
    expect(a.data.slice(5).some((x) => x !== 0)).toBe(true);
  });
});

describe("nearestFactors", () => {
  const element = fc.float({ min: -2, max: 2, noNaN: true });
  const random = (rows: number, columns: number): fc.Arbitrary<Matrix> =>
    fc
      .array(element, { minLength: rows * columns, maxLength: rows * columns })
      .map((data) => ({ rows, columns, data: Float64Array.from(data) }));

  it("keeps the product, whatever the mean of A was", () => {
    fc.assert(
      fc.property(random(6, 2), random(2, 5), random(2, 5), (b, a, mean) => {
        const svd = factoredSvd([{ weight: 1, b, a }], 2);
        const factors = nearestFactors(svd, { mean, before: a });
        const size = Math.max(1, ...svd.spectrum);
        expect(worst(multiply(factors.b, factors.a), multiply(b, a))).toBeLessThan(1e-6 * size);
      }),
    );
  });
});
