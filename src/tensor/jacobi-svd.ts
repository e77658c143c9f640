/** Singular values in descending order, equal ones by their column; `u` and `v` by columns in the same order. */
export interface SVD {
  readonly values: Float64Array;
  /** [n × n] by columns; the column of a singular value 0 is zero. */
  readonly u: Float64Array;
  /** [n × n] by columns, orthonormal. */
  readonly v: Float64Array;
}

const MOST_SWEEPS = 60;
const EPSILON = 2 ** -52;

/**
 * The singular value decomposition of a square matrix by one-sided Jacobi rotations (Hestenes 1958; Demmel & Veselić 1992),
 * in float64. `matrix` is [n × n] by columns. Uses + − × ÷ √ in a fixed order only: the same bits on every machine.
 *
 * The tolerance of a pair of columns grows with n: rounding keeps their angle from falling below n·2⁻⁵².
 */
export function jacobiSvd(matrix: Float64Array, n: number): SVD {
  const work = matrix.slice();
  const right = new Float64Array(n * n);
  for (let i = 0; i < n; i++) right[i * n + i] = 1;
  let total = 0;
  for (let i = 0; i < work.length; i++) total += work[i]! * work[i]!;
  const negligible = EPSILON * EPSILON * total;
  for (let sweep = 0; sweep < MOST_SWEEPS && rotateAll(work, right, n, negligible); sweep++);
  const norms = Float64Array.from({ length: n }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += work[j * n + i]! * work[j * n + i]!;
    return Math.sqrt(sum);
  });
  const order = [...norms.keys()].sort((a, b) => norms[b]! - norms[a]! || a - b);
  const u = new Float64Array(n * n);
  const v = new Float64Array(n * n);
  for (const [place, j] of order.entries()) {
    const norm = norms[j]!;
    for (let i = 0; i < n; i++) {
      u[place * n + i] = norm > 0 ? work[j * n + i]! / norm : 0;
      v[place * n + i] = right[j * n + i]!;
    }
  }
  return { values: Float64Array.from(order, (j) => norms[j]!), u, v };
}

/** Makes each pair of columns orthogonal, once. False: all were. */
function rotateAll(work: Float64Array, right: Float64Array, n: number, negligible: number): boolean {
  const tolerance = n * EPSILON;
  let rotated = false;
  for (let p = 0; p < n - 1; p++) {
    for (let q = p + 1; q < n; q++) {
      let alpha = 0;
      let beta = 0;
      let gamma = 0;
      for (let i = 0; i < n; i++) {
        const x = work[p * n + i]!;
        const y = work[q * n + i]!;
        alpha += x * x;
        beta += y * y;
        gamma += x * y;
      }
      const angle = Math.abs(gamma);
      if (angle <= tolerance * Math.sqrt(alpha * beta) || angle <= negligible) continue;
      rotated = true;
      const zeta = (beta - alpha) / (2 * gamma);
      const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
      const cosine = 1 / Math.sqrt(1 + tangent * tangent);
      rotate(work, p * n, q * n, n, cosine, cosine * tangent);
      rotate(right, p * n, q * n, n, cosine, cosine * tangent);
    }
  }
  return rotated;
}

function rotate(data: Float64Array, p: number, q: number, n: number, cosine: number, sine: number): void {
  for (let i = 0; i < n; i++) {
    const x = data[p + i]!;
    const y = data[q + i]!;
    data[p + i] = cosine * x - sine * y;
    data[q + i] = sine * x + cosine * y;
  }
}
