/**
 * Finds the coefficients w that minimise Σ cross-entropy(targets, σ(w·x)) + ridge/2·|w|², by Newton's method. `rows` [items, features] with a
 * column of ones for an intercept, which is penalised too; `targets` are probabilities. `ridge` must be above 0: it keeps the
 * minimum finite where the targets can be told apart completely.
 */
export function fitLogistic(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  ridge: number,
): readonly number[] {
  let weights = (rows[0] ?? []).map(() => 0);
  let loss = lossOf(rows, targets, ridge, weights);
  for (let step = 0; step < 100; step++) {
    const gradient = weights.map((weight) => ridge * weight);
    const curvature = weights.map((_, i) => weights.map((_, j) => (i === j ? ridge : 0)));
    for (const [item, row] of rows.entries()) {
      const p = sigmoid(dot(weights, row));
      for (const [i, x] of row.entries()) {
        gradient[i]! += (p - targets[item]!) * x;
        for (const [j, y] of row.entries()) curvature[i]![j]! += p * (1 - p) * x * y;
      }
    }
    const direction = solve(curvature, gradient);
    // Far from the minimum a whole step may go too far; the loss is convex, so a part of it does not. Near the minimum the loss
    // cannot tell steps apart in float64, but the gradient can: hence the allowance.
    const allowed = loss + 1e-12 * (1 + loss);
    let size = 1;
    let next = weights;
    let nextLoss = Infinity;
    for (; size > 1e-9; size /= 2) {
      next = weights.map((weight, i) => weight - size * direction[i]!);
      nextLoss = lossOf(rows, targets, ridge, next);
      if (nextLoss <= allowed) break;
    }
    if (!(nextLoss <= allowed)) break;
    [weights, loss] = [next, nextLoss];
    if (Math.max(...direction.map(Math.abs)) < 1e-12) break;
  }
  return weights;
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * b[i]!, 0);
}

function lossOf(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  ridge: number,
  weights: readonly number[],
): number {
  const fit = rows.reduce((sum, row, i) => {
    const z = dot(weights, row);
    return sum + Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - targets[i]! * z;
  }, 0);
  return fit + (ridge / 2) * dot(weights, weights);
}

/** Solves by Gaussian elimination; the matrix is positive definite, so no pivot is 0. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (const [i, pivot] of rows.entries()) {
    for (const row of rows.slice(i + 1)) {
      const factor = row[i]! / pivot[i]!;
      for (let j = i; j < row.length; j++) row[j]! -= factor * pivot[j]!;
    }
  }
  const solution = right.map(() => 0);
  for (let i = rows.length - 1; i >= 0; i--) {
    const row = rows[i]!;
    const known = solution.reduce((sum, x, j) => (j > i ? sum + row[j]! * x : sum), 0);
    solution[i] = (row.at(-1)! - known) / row[i]!;
  }
  return solution;
}
