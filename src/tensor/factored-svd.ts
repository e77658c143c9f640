import { qr } from "./householder.ts";
import { jacobiSvd } from "./jacobi-svd.ts";
import { type Matrix, multiply, transpose, zeroMatrix } from "./matrix.ts";

/** A product weight·B·A of LoRA factors: `b` [out × rank], `a` [rank × in]. */
export interface Product {
  readonly weight: number;
  readonly b: Matrix;
  readonly a: Matrix;
}

/** The leading part U·diag(σ)·V of a sum of products. */
export interface FactoredSvd {
  /** [out × k], orthonormal columns; in each the element of largest magnitude, the first of equals, is positive. */
  readonly u: Matrix;
  /** The k largest singular values, descending; k is at most the numerical rank. */
  readonly values: Float64Array;
  /** [k × in], orthonormal rows. */
  readonly v: Matrix;
  /** All singular values, descending. */
  readonly spectrum: Float64Array;
}

/** A singular value below this part of the largest has no direction of its own. */
const NUMERICAL_RANK = 2 ** -23;

/**
 * The best approximation of rank `rank` of Σ weight·B·A in the Frobenius norm (Eckart & Young 1936), without a matrix of
 * out × in: QR of the stacked factors, then the SVD of the small core (as FlexLoRA, Bai et al. 2024, by a dense SVD). In
 * float64 with + − × ÷ √ in a fixed order: the same bits on every machine. Where the stack is no smaller than the matrix,
 * the sum is made densely.
 *
 * Time: about 4ρ²(out + in) + 90ρ³ operations, ρ the ranks together; memory (out + in)·ρ numbers.
 */
export function factoredSvd(products: readonly Product[], rank: number): FactoredSvd {
  const [first] = products;
  if (first === undefined) throw new Error("a factored SVD needs at least one product");
  const [rows, columns] = [first.b.rows, first.a.columns];
  const ranks = products.reduce((sum, { b }) => sum + b.columns, 0);
  const stacked = ranks < Math.min(rows, columns) ? stackOf(products, ranks) : denseStack(products, rows, columns);
  const left = qr(stacked.left);
  const right = qr(stacked.right);
  const core = multiply(left.r, transpose(right.r));
  const size = Math.max(core.rows, core.columns);
  const square = new Float64Array(size * size);
  for (let i = 0; i < core.rows; i++) {
    for (let j = 0; j < core.columns; j++) square[j * size + i] = core.data[i * core.columns + j]!;
  }
  const svd = jacobiSvd(square, size);
  const spectrum = svd.values.slice(0, Math.min(rows, columns));
  const kept = Math.min(rank, spectrum.filter((value) => value > NUMERICAL_RANK * spectrum[0]!).length);
  const u = multiply(left.q, leading(svd.u, size, core.rows, kept));
  const v = multiply(right.q, leading(svd.v, size, core.columns, kept));
  fixSigns(u, v);
  return { u, values: spectrum.slice(0, kept), v: transpose(v), spectrum };
}

/** [B₁ …] and [weight₁·A₁; …]' side by side. */
function stackOf(products: readonly Product[], ranks: number): { left: Matrix; right: Matrix } {
  const left = zeroMatrix(products[0]!.b.rows, ranks);
  const right = zeroMatrix(products[0]!.a.columns, ranks);
  let offset = 0;
  for (const { weight, b, a } of products) {
    for (let j = 0; j < b.columns; j++) {
      for (let i = 0; i < b.rows; i++) left.data[i * ranks + offset + j] = b.data[i * b.columns + j]!;
      for (let i = 0; i < a.columns; i++) right.data[i * ranks + offset + j] = weight * a.data[j * a.columns + i]!;
    }
    offset += b.columns;
  }
  return { left, right };
}

/** The sum itself, as a product with the unit matrix on its shorter side. */
function denseStack(products: readonly Product[], rows: number, columns: number): { left: Matrix; right: Matrix } {
  const sum = zeroMatrix(rows, columns);
  for (const { weight, b, a } of products) {
    const product = multiply(b, a);
    for (let i = 0; i < sum.data.length; i++) sum.data[i]! += weight * product.data[i]!;
  }
  const shorter = Math.min(rows, columns);
  const unit = zeroMatrix(shorter, shorter);
  for (let i = 0; i < shorter; i++) unit.data[i * shorter + i] = 1;
  return rows <= columns ? { left: unit, right: transpose(sum) } : { left: sum, right: unit };
}

/** The first `kept` columns of an [n × n] matrix by columns, of each the first `rows` elements. */
function leading(data: Float64Array, n: number, rows: number, kept: number): Matrix {
  const result = zeroMatrix(rows, kept);
  for (let j = 0; j < kept; j++) for (let i = 0; i < rows; i++) result.data[i * kept + j] = data[j * n + i]!;
  return result;
}

function fixSigns(u: Matrix, v: Matrix): void {
  for (let j = 0; j < u.columns; j++) {
    let largest = 0;
    for (let i = 0; i < u.rows; i++) {
      const x = u.data[i * u.columns + j]!;
      if (Math.abs(x) > Math.abs(largest)) largest = x;
    }
    if (largest >= 0) continue;
    for (const { data, rows, columns } of [u, v]) for (let i = 0; i < rows; i++) data[i * columns + j]! *= -1;
  }
}
