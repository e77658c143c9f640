import { product, type Dim } from "./dims.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { GemmAttributes, None } from "./op-attributes.ts";
import type { OpRow } from "./op-row.ts";
import { plus } from "./op-row.ts";

function matrix(shape: readonly Dim[], transposed: boolean | undefined): [Dim, Dim] {
  if (shape.length !== 2) throw new Error(`gemm: operands are matrices, got ${formatShape(shape)}`);
  return transposed ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
}

/**
 * alpha·op(A)·op(B) + C, matrices; C is optional and either a full matrix or a row to broadcast (a bias). It computes every
 * linear layer, its gradients and LoRA. Accumulating in C saves a pass over memory for each residual and each sum.
 */
export const gemm: OpRow<GemmAttributes> = {
  infer([a, b, c], { transA, transB }) {
    const [m, k] = matrix(a!.shape, transA);
    const [k2, n] = matrix(b!.shape, transB);
    if (k !== k2) throw new Error(`gemm: inner dimensions differ, ${formatShape([m, k])} and ${formatShape([k2, n])}`);
    if (c !== undefined && !sameShape(c.shape, [m, n]) && !sameShape(c.shape, [n])) {
      throw new Error(`gemm: addend ${formatShape(c.shape)} does not fit ${formatShape([m, n])}`);
    }
    return [{ dtype: "float32", shape: [m, n] }];
  },
  evaluate([a, b, c], { transA, transB, alpha = 1 }) {
    const [m, k] = matrix(a!.shape, transA) as [number, number];
    const n = matrix(b!.shape, transB)[1] as number;
    const data = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          sum += a!.data[transA ? l * m + i : i * k + l]! * b!.data[transB ? j * k + l : l * n + j]!;
        }
        const addend = c === undefined ? 0 : c.shape.length === 2 ? c.data[i * n + j]! : c.data[j]!;
        data[i * n + j] = alpha * sum + addend;
      }
    }
    return [{ shape: [m, n], data }];
  },
  gradient({ builder, inputs, upstream, needs, contribute }, { transA = false, transB = false, alpha = 1 }) {
    const [a, b, c] = inputs;
    const accumulate = (x: typeof upstream, y: typeof upstream, attributes: GemmAttributes) => (sum: typeof a) =>
      builder.op("gemm", sum === undefined ? [x, y] : [x, y, sum], { ...attributes, alpha });
    // d op(A) = dy·op(B)ᵀ and d op(B) = op(A)ᵀ·dy, written so that a transposed operand gets a transposed gradient.
    if (needs(0)) {
      contribute(
        0,
        transA
          ? accumulate(b!, upstream, { transA: transB, transB: true })
          : accumulate(upstream, b!, { transB: !transB }),
      );
    }
    if (needs(1)) {
      contribute(
        1,
        transB
          ? accumulate(upstream, a!, { transA: true, transB: transA })
          : accumulate(a!, upstream, { transA: !transA }),
      );
    }
    if (c !== undefined && needs(2)) {
      contribute(2, (sum) =>
        plus(builder, sum, c.shape.length === 2 ? upstream : builder.op("sumRows", [upstream], {})),
      );
    }
  },
  lower: (emit, inputs, { transA, transB, alpha = 1 }) => [
    emit.node("Gemm", inputs, { transA: transA ? 1 : 0, transB: transB ? 1 : 0, alpha: { float: alpha } }),
  ],
};

/** Takes rows of a matrix: [N, D] at any integer tensor of K indices → [K, D]. It makes embeddings and the rows of the loss. */
export const gatherRows: OpRow<None> = {
  infer: ([x, rows]) => [{ dtype: "float32", shape: [product(rows!.shape), x!.shape[1]!] }],
  evaluate([x, rows]) {
    const width = x!.shape[1]!;
    const data = new Float64Array(rows!.data.length * width);
    rows!.data.forEach((row, i) => data.set(x!.data.subarray(row * width, (row + 1) * width), i * width));
    return [{ shape: [rows!.data.length, width], data }];
  },
  gradient({ builder, inputs, upstream, needs, contribute }) {
    if (needs(0)) {
      contribute(0, (sum) => plus(builder, sum, builder.op("scatterRows", [upstream, inputs[1]!, inputs[0]!], {})));
    }
  },
  lower(emit, inputs, _attributes, [x, rows]) {
    const gathered = emit.node("Gather", inputs, { axis: 0 });
    return [
      rows!.shape.length === 1 ? gathered : emit.node("Reshape", [gathered, emit.ints([-1, x!.shape[1] as number])]),
    ];
  },
};

/**
 * Zeros of the third input's shape [N, D], with the first input's K rows added at the indices of the second. A row may
 * be named more than once, as the gradient of a gather needs.
 */
export const scatterRows: OpRow<None> = {
  infer: ([, , like]) => [{ dtype: "float32", shape: like!.shape }],
  evaluate([dy, rows, like]) {
    const width = like!.shape[1]!;
    const data = new Float64Array(like!.data.length);
    rows!.data.forEach((row, i) => {
      for (let j = 0; j < width; j++) data[row * width + j]! += dy!.data[i * width + j]!;
    });
    return [{ shape: like!.shape, data }];
  },
  gradient: null,
  lower(emit, [dy, rows, like], _attributes, types) {
    const zeros = emit.node("ConstantOfShape", [emit.node("Shape", [like!])]);
    const flat = types[1]!.shape.length === 1 ? rows! : emit.node("Reshape", [rows!, emit.ints([-1])]);
    return [emit.node("ScatterND", [zeros, emit.node("Unsqueeze", [flat, emit.ints([1])]), dy!], { reduction: "add" })];
  },
};
