import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factoredSvd, type Product } from "./factored-svd.ts";
import { qr } from "./householder.ts";
import { type Matrix, multiply, transpose, zeroMatrix } from "./matrix.ts";

const golden = (name: string): unknown =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, "../../test/golden/lora", name), "utf8"));

type Rows = number[][];

function matrix(rows: Rows): Matrix {
  const columns = rows[0]!.length;
  return { rows: rows.length, columns, data: Float64Array.from(rows.flat()) };
}

interface Case {
  readonly name: string;
  readonly rank: number;
  readonly weights: number[];
  readonly A: Rows[];
  readonly B: Rows[];
  readonly singularValues: number[];
  readonly product: Rows;
  readonly U: Rows;
}

const { cases } = golden("factored-svd.json") as { cases: Case[] };

const productsOf = ({ weights, A, B }: Case): Product[] =>
  weights.map((weight, i) => ({ weight, b: matrix(B[i]!), a: matrix(A[i]!) }));

function rebuilt({ u, values, v }: ReturnType<typeof factoredSvd>): Matrix {
  const scaled = zeroMatrix(u.rows, u.columns);
  for (let i = 0; i < u.data.length; i++) scaled.data[i] = u.data[i]! * values[i % u.columns]!;
  return multiply(scaled, v);
}

const worst = (got: Matrix, want: Matrix): number =>
  got.data.reduce((most, x, i) => Math.max(most, Math.abs(x - want.data[i]!)), 0);

describe.each(cases)("the factored SVD, golden case $name", (c) => {
  const svd = factoredSvd(productsOf(c), c.rank);

  it("gives the product and the singular values to 1e-12", () => {
    expect(worst(rebuilt(svd), matrix(c.product))).toBeLessThan(1e-12);
    c.singularValues.forEach((value, i) => expect(Math.abs(value - svd.spectrum[i]!)).toBeLessThan(1e-12));
  });

  it("has positive largest elements in U, and U itself where the singular values differ", () => {
    if (c.name !== "general") return;
    c.U.forEach((row, i) =>
      row
        .slice(0, c.rank)
        .forEach((x, k) => expect(Math.abs(x - svd.u.data[i * svd.u.columns + k]!)).toBeLessThan(1e-12)),
    );
  });
});

// As float32, which adapters are: the square of 1e-162 is 0.
const element = fc.float({ min: -3, max: 3, noNaN: true });
const factors = (rows: number, columns: number, most: number): fc.Arbitrary<Product[]> =>
  fc.array(
    fc.integer({ min: 1, max: 3 }).chain((rank) =>
      fc.record({
        weight: fc.double({ min: 0.1, max: 1, noNaN: true }),
        b: fc.array(element, { minLength: rows * rank, maxLength: rows * rank }).map((data) => ({
          rows,
          columns: rank,
          data: Float64Array.from(data),
        })),
        a: fc.array(element, { minLength: rank * columns, maxLength: rank * columns }).map((data) => ({
          rows: rank,
          columns,
          data: Float64Array.from(data),
        })),
      }),
    ),
    { minLength: 1, maxLength: most },
  );

describe("properties", () => {
  it("with the full rank the sum comes back, stacked or dense", () => {
    fc.assert(
      fc.property(factors(7, 5, 4), (products) => {
        const dense = zeroMatrix(7, 5);
        for (const { weight, b, a } of products) {
          multiply(b, a).data.forEach((x, i) => (dense.data[i]! += weight * x));
        }
        const svd = factoredSvd(products, 5);
        const size = Math.max(1, svd.spectrum[0] ?? 0);
        expect(worst(rebuilt(svd), dense)).toBeLessThanOrEqual(2 ** -20 * size);
        expect([...svd.spectrum]).toEqual([...svd.spectrum].sort((x, y) => y - x));
      }),
    );
  });

  it("leaves out the singular values behind the rank: the error is the root of their squares", () => {
    fc.assert(
      fc.property(factors(8, 9, 3), (products) => {
        const full = rebuilt(factoredSvd(products, 9));
        const svd = factoredSvd(products, 2);
        const cut = rebuilt(svd);
        const error = Math.sqrt(full.data.reduce((sum, x, i) => sum + (x - (cut.data[i] ?? 0)) ** 2, 0));
        const left = Math.sqrt(svd.spectrum.slice(2).reduce((sum, x) => sum + x * x, 0));
        expect(Math.abs(error - left)).toBeLessThanOrEqual(1e-6 * Math.max(1, svd.spectrum[0] ?? 0));
      }),
    );
  });

  it("has no direction for nothing: a sum of zeros has rank 0", () => {
    const product = { weight: 1, b: zeroMatrix(4, 2), a: zeroMatrix(2, 3) };
    const svd = factoredSvd([product], 2);
    expect([svd.u.columns, svd.values.length, svd.v.rows]).toEqual([0, 0, 0]);
  });

  it("QR: Q·R is the matrix, Q'Q the unit matrix, and no diagonal element of R is negative", () => {
    fc.assert(
      fc.property(factors(6, 4, 1), ([product]) => {
        for (const m of [product!.b, product!.a]) {
          const { q, r } = qr(m);
          expect(worst(multiply(q, r), m)).toBeLessThan(1e-13);
          const unit = multiply(transpose(q), q);
          unit.data.forEach((x, i) => expect(Math.abs(x - (i % (q.columns + 1) === 0 ? 1 : 0))).toBeLessThan(1e-13));
          for (let i = 0; i < r.rows; i++) expect(r.data[i * r.columns + i]!).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
