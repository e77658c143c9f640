import { type Matrix, transpose, zeroMatrix } from "./matrix.ts";

/** Q [rows × k] with orthonormal columns and R [k × columns] of upper triangular form, k = min(rows, columns). */
export interface QR {
  readonly q: Matrix;
  readonly r: Matrix;
}

/**
 * The QR decomposition by Householder reflections (Golub & Van Loan, "Matrix computations", alg. 5.2.1), in float64. The
 * diagonal of R is not negative, so Q and R are unique where the columns are independent. Uses + − × ÷ √ in a fixed order
 * only: the same bits on every machine.
 */
export function qr(matrix: Matrix): QR {
  const { rows, columns } = matrix;
  const k = Math.min(rows, columns);
  // By columns: the inner loops run along them.
  const a = transpose(matrix).data;
  const tau = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    const at = j * rows;
    let below = 0;
    for (let i = j + 1; i < rows; i++) below += a[at + i]! * a[at + i]!;
    if (below === 0) continue;
    const head = a[at + j]!;
    const norm = Math.sqrt(head * head + below);
    const diagonal = head <= 0 ? norm : -norm;
    const pivot = head - diagonal;
    tau[j] = -pivot / diagonal;
    for (let i = j + 1; i < rows; i++) a[at + i]! /= pivot;
    a[at + j] = diagonal;
    for (let l = j + 1; l < columns; l++) reflect(a, l * rows, a, at, j, rows, tau[j]!);
  }
  const r = zeroMatrix(k, columns);
  for (let i = 0; i < k; i++) for (let j = i; j < columns; j++) r.data[i * columns + j] = a[j * rows + i]!;
  const byColumns = new Float64Array(rows * k);
  for (let j = 0; j < k; j++) byColumns[j * rows + j] = 1;
  for (let j = k - 1; j >= 0; j--) {
    if (tau[j] === 0) continue;
    for (let l = 0; l < k; l++) reflect(byColumns, l * rows, a, j * rows, j, rows, tau[j]!);
  }
  const q = zeroMatrix(rows, k);
  for (let j = 0; j < k; j++) {
    const sign = r.data[j * columns + j]! < 0 ? -1 : 1;
    if (sign < 0) for (let l = j; l < columns; l++) r.data[j * columns + l]! *= -1;
    for (let i = 0; i < rows; i++) q.data[i * k + j] = sign * byColumns[j * rows + i]!;
  }
  return { q, r };
}

/** Applies a reflection to a column in place: x ← x − τ·(v'x)·v, v with a 1 at `first` and zeros before it. */
function reflect(
  x: Float64Array,
  column: number,
  v: Float64Array,
  vector: number,
  first: number,
  rows: number,
  tau: number,
): void {
  let along = x[column + first]!;
  for (let i = first + 1; i < rows; i++) along += v[vector + i]! * x[column + i]!;
  along *= tau;
  x[column + first]! -= along;
  for (let i = first + 1; i < rows; i++) x[column + i]! -= along * v[vector + i]!;
}
