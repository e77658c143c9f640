import { weightOf } from "../algorithms/settings.ts";
import { factoredSvd, type FactoredSvd, type Product } from "../tensor/factored-svd.ts";
import { jacobiSvd } from "../tensor/jacobi-svd.ts";
import { type Matrix, multiply, transpose, zeroMatrix } from "../tensor/matrix.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params, Tensor } from "../tensor/params.ts";
import { defineAggregator } from "./aggregator.ts";
import { mean } from "./mean.ts";
import { loraPairs } from "./robust/lora-pairs.ts";

/**
 * FlexLoRA at equal ranks (Bai et al. 2024, "Federated fine-tuning of large language models under heterogeneous tasks and
 * client resources", sec. 3): the best adapter of the run's rank for the mean of what the clients' adapters do,
 * Σ p_k·B_k·A_k, by a singular value decomposition of each module. The mean of the factors differs from it by the
 * covariance of B and A over the clients. Groups other than the adapter, and tensors that are no LoRA pair, are averaged.
 *
 * The factors that stand for the product are those nearest to the mean of the clients' A (`nearestFactors`). All updates of
 * a round are in memory at once.
 */
export const flexlora = defineAggregator({
  settings: {},
  make: () => ({
    name: "flexlora",
    weighted: true,
    on: "adapter",
    async combine(groups, { entries, read }, context) {
      const updates: Groups[] = [];
      for (const place of entries.keys()) updates.push(await read(place));
      const averaged = await mean.make({}).combine(groups, { entries, read: async (i) => updates[i]! }, context);
      const { weighting } = groups["adapter"]!;
      const total = entries.reduce((sum, { records }) => sum + weightOf(weighting, records), 0);
      const adapter = new Map(averaged["adapter"]);
      for (const { a, b } of loraPairs(adapter).pairs) {
        const products = updates.map(({ adapter: update }, i): Product => {
          const weight = weightOf(weighting, entries[i]!.records) / total;
          return { weight, b: matrixOf(update!, b), a: matrixOf(update!, a) };
        });
        const near = { mean: matrixOf(adapter, a), before: matrixOf(context.global, a) };
        const factors = nearestFactors(factoredSvd(products, near.mean.rows), near);
        adapter.set(a, tensorOf(factors.a)).set(b, tensorOf(factors.b));
      }
      return { ...averaged, adapter };
    },
  }),
});

/** A larger condition number of the change of basis makes B's columns of unlike sizes. */
const LARGEST_CONDITION = 1e4;

/** Step of Adam is one size for all elements: rows of this norm train as fast as those of a fresh A, uniform in ±1/√n. */
const FRESH_NORM = 1 / Math.sqrt(3);

/**
 * Chooses the factors B·A of a product U·σ·V. Of all A with the rows of V it takes the one nearest to `mean` in the Frobenius
 * norm, A = G·V and B = U·σ·G⁻¹ with G = mean·V', so that training goes on where averaging would have put it. Where G is
 * nearly singular, or the product has a lower rank, A's rows are V's with the norm of a fresh adapter's rows; further rows
 * are those of `before` with zeros in B: they have no effect, and a gradient.
 */
export function nearestFactors(
  { u, values, v }: FactoredSvd,
  { mean: near, before }: { readonly mean: Matrix; readonly before: Matrix },
): { readonly a: Matrix; readonly b: Matrix } {
  const rank = near.rows;
  const scaled = zeroMatrix(u.rows, values.length);
  for (let i = 0; i < scaled.data.length; i++) scaled.data[i] = u.data[i]! * values[i % values.length]!;
  if (values.length === rank) {
    const basis = multiply(near, transpose(v));
    const inverse = inverseOf(basis);
    if (inverse !== undefined) return { a: multiply(basis, v), b: multiply(scaled, inverse) };
  }
  const a = zeroMatrix(rank, near.columns);
  const b = zeroMatrix(u.rows, rank);
  a.data.set(before.data);
  for (let i = 0; i < v.data.length; i++) a.data[i] = FRESH_NORM * v.data[i]!;
  for (let i = 0; i < u.rows; i++) {
    for (let k = 0; k < values.length; k++) b.data[i * rank + k] = scaled.data[i * values.length + k]! / FRESH_NORM;
  }
  return { a, b };
}

/** The inverse V·Σ⁻¹·U' of a square matrix by its singular values; undefined where they are of too unlike sizes. */
function inverseOf(matrix: Matrix): Matrix | undefined {
  const n = matrix.rows;
  const { values, u, v } = jacobiSvd(transpose(matrix).data, n);
  if (!(values[0]! > 0 && values[0]! <= LARGEST_CONDITION * values[n - 1]!)) return undefined;
  // Columns of U and V lie one after the other: as rows they are the transposes.
  const scaled = v.map((x, at) => x / values[Math.floor(at / n)]!);
  return multiply(transpose({ rows: n, columns: n, data: scaled }), { rows: n, columns: n, data: u });
}

function matrixOf(params: Params, name: string): Matrix {
  const { shape, data } = params.get(name)!;
  return { rows: shape[0]!, columns: shape[1]!, data: Float64Array.from(data) };
}

function tensorOf({ rows, columns, data }: Matrix): Tensor {
  return { shape: [rows, columns], data };
}
