import { product } from "./dims.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { ValueType } from "./value.ts";
import type { ReshapeAttributes, None } from "./op-attributes.ts";
import { plus, type NdArray, type OpRow } from "./op-row.ts";

export function requireSame(op: string, a: ValueType, b: ValueType): void {
  if (!sameShape(a.shape, b.shape))
    throw new Error(`${op}: shapes differ, ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
}

function elementwise(a: NdArray, b: NdArray, f: (x: number, y: number) => number): NdArray {
  return { shape: a.shape, data: a.data.map((x, i) => f(x, b.data[i]!)) };
}

/** Sum of two tensors of one shape. */
export const add: OpRow<None> = {
  infer([a, b]) {
    requireSame("add", a!, b!);
    return [a!].map(({ dtype, shape }) => ({ dtype, shape }));
  },
  evaluate: ([a, b]) => [elementwise(a!, b!, (x, y) => x + y)],
  gradient({ builder, upstream, needs, contribute }) {
    for (const i of [0, 1]) if (needs(i)) contribute(i, (sum) => plus(builder, sum, upstream));
  },
  lower: (emit, inputs) => [emit.node("Add", inputs)],
};

/** Elementwise product of two tensors of one shape (a dropout mask). */
export const multiply: OpRow<None> = {
  infer([a, b]) {
    requireSame("multiply", a!, b!);
    return [{ dtype: a!.dtype, shape: a!.shape }];
  },
  evaluate: ([a, b]) => [elementwise(a!, b!, (x, y) => x * y)],
  gradient({ builder, inputs, upstream, needs, contribute }) {
    for (const [i, other] of [
      [0, inputs[1]!],
      [1, inputs[0]!],
    ] as const) {
      if (needs(i)) contribute(i, (sum) => plus(builder, sum, builder.op("multiply", [upstream, other], {})));
    }
  },
  lower: (emit, inputs) => [emit.node("Mul", inputs)],
};

/** Σ x·w over all elements, a scalar: it makes a loss from per-token terms and their weights. */
export const dot: OpRow<None> = {
  infer([x, w]) {
    requireSame("dot", x!, w!);
    return [{ dtype: x!.dtype, shape: [] }];
  },
  evaluate: ([x, w]) => [{ shape: [], data: Float64Array.of(x!.data.reduce((sum, v, i) => sum + v * w!.data[i]!, 0)) }],
  gradient({ builder, inputs, upstream, needs, contribute }) {
    for (const [i, other] of [
      [0, inputs[1]!],
      [1, inputs[0]!],
    ] as const) {
      if (needs(i)) contribute(i, (sum) => plus(builder, sum, builder.op("scaleBy", [other, upstream], {})));
    }
  },
  lower: (emit, inputs) => [emit.node("ReduceSum", [emit.node("Mul", inputs)], { keepdims: 0 })],
};

/** A tensor times a scalar value of the graph. */
export const scaleBy: OpRow<None> = {
  infer([x, s]) {
    if (s!.shape.length !== 0) throw new Error(`scaleBy: the factor must be a scalar, got ${formatShape(s!.shape)}`);
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  evaluate: ([x, s]) => [{ shape: x!.shape, data: x!.data.map((v) => v * s!.data[0]!) }],
  gradient({ builder, inputs, upstream, needs, contribute }) {
    if (needs(0)) contribute(0, (sum) => plus(builder, sum, builder.op("scaleBy", [upstream, inputs[1]!], {})));
    if (needs(1)) contribute(1, (sum) => plus(builder, sum, builder.op("dot", [upstream, inputs[0]!], {})));
  },
  lower: (emit, inputs) => [emit.node("Mul", inputs)],
};

/** Column sums of a matrix: [N, D] → [D]. The gradient of a broadcast bias. */
export const sumRows: OpRow<None> = {
  infer: ([x]) => [{ dtype: x!.dtype, shape: [x!.shape[1]!] }],
  evaluate([x]) {
    const [rows, columns] = x!.shape as [number, number];
    const data = new Float64Array(columns);
    for (let i = 0; i < rows * columns; i++) data[i % columns]! += x!.data[i]!;
    return [{ shape: [columns], data }];
  },
  gradient: null,
  lower: (emit, [x]) => [emit.node("ReduceSum", [x!, emit.ints([0])], { keepdims: 0 })],
};

/** The same elements in another shape, without a copy. */
export const reshape: OpRow<ReshapeAttributes> = {
  infer([x], { shape }) {
    if (product(x!.shape) !== product(shape))
      throw new Error(`reshape: ${formatShape(x!.shape)} cannot become ${formatShape(shape)}`);
    return [{ dtype: x!.dtype, shape }];
  },
  evaluate: ([x], { shape }, resolve) => [{ shape: shape.map(resolve), data: x!.data }],
  gradient({ builder, inputs, upstream, needs, contribute }) {
    if (needs(0)) {
      contribute(0, (sum) => plus(builder, sum, builder.op("reshape", [upstream], { shape: inputs[0]!.shape })));
    }
  },
  lower(emit, [x], { shape }) {
    const symbolic = shape.filter((dim) => typeof dim === "string").length;
    if (symbolic <= 1)
      return [emit.node("Reshape", [x!, emit.ints(shape.map((dim) => (typeof dim === "string" ? -1 : dim)))])];
    const target = emit.once(`shape:${shape.join(",")}`, () =>
      emit.node(
        "Concat",
        shape.map((dim) => emit.dim(dim)),
        { axis: 0 },
      ),
    );
    return [emit.node("Reshape", [x!, target])];
  },
};
