import { product } from "./dims.ts";
import { formatShape } from "../tensor/shape.ts";
import { scaleOf, weigh } from "./attention-scores.ts";
import { MICROSOFT, type Emitter } from "./emitter.ts";
import type { ValueType } from "./value.ts";
import type { AttentionAttributes } from "./op-attributes.ts";
import { plus, type NdArray, type OpRow } from "./op-row.ts";

/**
 * Number of runs of queries; each run is taken against the keys up to its end. With 4, causal attention costs 10/16 of the
 * square. The graph needs sequences of at least this length (`MINIMUM_LENGTH`); callers pad on the right.
 */
const BLOCKS = 4;

/** Shortest sequence that the ONNX lowering of `attention` accepts. */
export const MINIMUM_LENGTH: number = BLOCKS;

/** The values of the symbols in the shapes that `attention` keeps. `group`: query heads for each head of keys. */
export function attentionBindings(length: number, group: number): ReadonlyMap<string, number> {
  const run = Math.floor(length / BLOCKS);
  const end = (j: number): number => (j === BLOCKS - 1 ? length : run * (j + 1));
  return new Map(
    Array.from({ length: BLOCKS }, (_, j) => j).flatMap((j): [string, number][] => [
      [`queries${j}`, (end(j) - run * j) * group],
      [`keys${j}`, end(j)],
    ]),
  );
}

/**
 * Causal grouped-query attention: q [B, S, H·d], k and v [B, S, KV·d] → o [B, S, H·d]. Padding is on the right: causality
 * alone hides it from every real position. The other outputs are kept for the gradient: q, k, v regrouped, the
 * probabilities of each run of queries, and with a cap the tanh of each run.
 */
export const attention: OpRow<AttentionAttributes> = {
  infer([q, k, v], { heads, kvHeads, cap }) {
    const [batch, length, width] = q!.shape;
    const headDim = (width as number) / heads;
    for (const x of [k!, v!]) {
      if (x.shape.length !== 3 || x.shape[1] !== length || x.shape[2] !== kvHeads * headDim) {
        throw new Error(
          `attention: expected [batch, length, ${kvHeads * headDim}] beside ${formatShape(q!.shape)}, got ${formatShape(x.shape)}`,
        );
      }
    }
    const group = heads / kvHeads;
    const shapes = [
      q!.shape,
      [batch!, kvHeads, product([length!, group]), headDim],
      [batch!, kvHeads, length!, headDim],
      [batch!, kvHeads, length!, headDim],
      ...Array.from({ length: cap === undefined ? BLOCKS : 2 * BLOCKS }, (_, j) => [
        batch!,
        kvHeads,
        `queries${j % BLOCKS}`,
        `keys${j % BLOCKS}`,
      ]),
    ];
    return shapes.map((shape) => ({ dtype: "float32", shape }));
  },
  evaluate([q, k, v], attributes) {
    // The gradient's reference starts from q, k and v and needs nothing kept.
    const kept = Array.from({ length: 3 + 2 * BLOCKS }, () => ({ shape: [0], data: new Float64Array(0) }));
    return [attend(q!, k!, v!, attributes), ...kept];
  },
  gradient({ builder, inputs, outputs, upstream, needs, contribute }, attributes) {
    const gradients = builder.apply("attentionGrad", [upstream, ...outputs, ...inputs], attributes);
    for (const i of [0, 1, 2]) if (needs(i)) contribute(i, (sum) => plus(builder, sum, gradients[i]!));
  },
  lower(emit, [q, k, v], attributes, types) {
    const layout = layoutOf(attributes, types);
    const queries = groupQueries(emit, q!, layout);
    const keys = groupKeys(emit, k!, layout);
    const values = groupKeys(emit, v!, layout);
    const { cap } = attributes;
    const alpha = { float: scaleOf(attributes, layout.headDim) / (cap ?? 1) };
    const outputs: string[] = [];
    const probabilities: string[] = [];
    const tanhs: string[] = [];
    for (let j = 0; j < BLOCKS; j++) {
      const run = runOf(emit, j, layout);
      let scores = emit.node(
        "FusedMatMul",
        [run.queriesOf(queries), run.keysOf(keys)],
        { transB: 1, alpha },
        { domain: MICROSOFT },
      );
      if (cap !== undefined) {
        tanhs.push(emit.node("Tanh", [scores]));
        scores = emit.node("Mul", [tanhs[j]!, emit.float(cap)]);
      }
      probabilities.push(emit.node("Softmax", [emit.node("Add", [scores, run.mask(attributes.window)])], { axis: -1 }));
      outputs.push(emit.node("MatMul", [probabilities[j]!, run.keysOf(values)]));
    }
    const o = ungroupQueries(emit, emit.node("Concat", outputs, { axis: 2 }), layout);
    return [o, queries, keys, values, ...probabilities, ...tanhs];
  },
};

/**
 * Inputs do, then `attention`'s outputs, then q, k, v; outputs dq, dk, dv. With P the probabilities:
 * dv = Pᵀ·do, ds = P∘(do·vᵀ − rowsum(do∘o)), dq = ds·k/√d, dk = dsᵀ·q/√d. A cap makes ds smaller by 1 − tanh².
 */
export const attentionGrad: OpRow<AttentionAttributes> = {
  infer: (inputs) => inputs.slice(-3).map(({ dtype, shape }) => ({ dtype, shape })),
  evaluate: (inputs, attributes) =>
    attendBackward(inputs[0]!, ...(inputs.slice(-3) as [NdArray, NdArray, NdArray]), attributes),
  gradient: null,
  lower(emit, [dOut, out, queries, keys, values, ...rest], attributes, types) {
    const layout = layoutOf(attributes, types.slice(-3));
    const { headDim, group, kvHeads } = layout;
    const upstream = groupQueries(emit, dOut!, layout);
    // −rowsum(do∘o) is one more column of do against a column of ones in v, which saves a pass over the square.
    const perHead = emit.node("Reshape", [emit.node("Mul", [dOut!, out!]), emit.ints([0, 0, kvHeads, group, headDim])]);
    const rowSums = emit.node("Neg", [emit.node("ReduceSum", [perHead, emit.ints([-1])], { keepdims: 1 })]);
    const column = emit.node("Reshape", [
      emit.node("Transpose", [rowSums], { perm: [0, 2, 1, 3, 4] }),
      emit.ints([0, kvHeads, -1, 1]),
    ]);
    const augmented = emit.node("Concat", [upstream, column], { axis: -1 });
    const one = emit.once("one", () => emit.node("Cast", [emit.ints([1])], { to: 1 }));
    const ones = emit.once(`ones:${kvHeads}`, () =>
      emit.node("Expand", [
        one,
        emit.node("Concat", [emit.dim(layout.batch), emit.ints([kvHeads]), emit.dim(layout.length), emit.ints([1])], {
          axis: 0,
        }),
      ]),
    );
    const valuesAndOnes = emit.node("Concat", [values!, ones], { axis: -1 });
    const alpha = { float: scaleOf(attributes, headDim) };
    const matmul = (a: string, b: string, options: Record<string, number | { float: number }>): string =>
      emit.node("FusedMatMul", [a, b], options, { domain: MICROSOFT });

    const dQueries: string[] = [];
    let dKeys: string | undefined;
    let dValues: string | undefined;
    // Longest run first, so that every shorter one is added to its front.
    for (let j = BLOCKS - 1; j >= 0; j--) {
      const run = runOf(emit, j, layout);
      const p = rest[j]!;
      let ds = emit.node("Mul", [p, matmul(run.queriesOf(augmented), run.keysOf(valuesAndOnes), { transB: 1 })]);
      if (attributes.cap !== undefined) {
        const tanh = rest[BLOCKS + j]!;
        ds = emit.node("Mul", [ds, emit.node("Sub", [one, emit.node("Mul", [tanh, tanh])])]);
      }
      dQueries.unshift(matmul(ds, run.keysOf(keys!), { alpha }));
      dKeys = addFront(emit, dKeys, matmul(ds, run.queriesOf(queries!), { transA: 1, alpha }), run.padding);
      dValues = addFront(emit, dValues, matmul(p, run.queriesOf(upstream), { transA: 1 }), run.padding);
    }
    return [
      ungroupQueries(emit, emit.node("Concat", dQueries, { axis: 2 }), layout),
      ungroupKeys(emit, dKeys!, layout),
      ungroupKeys(emit, dValues!, layout),
    ];
  },
};

interface Layout {
  readonly batch: ValueType["shape"][number];
  readonly length: ValueType["shape"][number];
  readonly kvHeads: number;
  readonly group: number;
  readonly headDim: number;
}

function layoutOf({ heads, kvHeads }: AttentionAttributes, [q]: readonly ValueType[]): Layout {
  const [batch, length, width] = q!.shape;
  return { batch: batch!, length: length!, kvHeads, group: heads / kvHeads, headDim: (width as number) / heads };
}

// Queries [B, S, KV·G·d] ↔ [B, KV, S·G, d]: a query's group stays together, so a run of positions is one slice and keys
// and values are never repeated.
function groupQueries(emit: Emitter, x: string, { kvHeads, group, headDim }: Layout): string {
  const split = emit.node("Reshape", [x, emit.ints([0, 0, kvHeads, group * headDim])]);
  return emit.node("Reshape", [
    emit.node("Transpose", [split], { perm: [0, 2, 1, 3] }),
    emit.ints([0, kvHeads, -1, headDim]),
  ]);
}

function ungroupQueries(emit: Emitter, x: string, { kvHeads, group, headDim, length }: Layout): string {
  const shape = emit.once(`positions:${kvHeads},${group * headDim}`, () =>
    emit.node("Concat", [emit.ints([0, kvHeads]), emit.dim(length), emit.ints([group * headDim])], { axis: 0 }),
  );
  const split = emit.node("Reshape", [x, shape]);
  return emit.node("Reshape", [
    emit.node("Transpose", [split], { perm: [0, 2, 1, 3] }),
    emit.ints([0, 0, kvHeads * group * headDim]),
  ]);
}

function groupKeys(emit: Emitter, x: string, { kvHeads, headDim }: Layout): string {
  return emit.node("Transpose", [emit.node("Reshape", [x, emit.ints([0, 0, kvHeads, headDim])])], {
    perm: [0, 2, 1, 3],
  });
}

function ungroupKeys(emit: Emitter, x: string, { kvHeads, headDim }: Layout): string {
  return emit.node("Reshape", [
    emit.node("Transpose", [x], { perm: [0, 2, 1, 3] }),
    emit.ints([0, 0, kvHeads * headDim]),
  ]);
}

interface Run {
  /** Rows of a grouped query tensor, or of keys and values, that belong to this run. */
  queriesOf(x: string): string;
  keysOf(x: string): string;
  mask(window: number | undefined): string;
  /** Number of keys after this run's end, as a vector of one. */
  readonly padding: string;
}

function runOf(emit: Emitter, j: number, { length, group }: Layout): Run {
  const total = emit.dim(length);
  const step = emit.once("run-length", () => emit.node("Div", [total, emit.ints([BLOCKS])]));
  const bound = (i: number): string =>
    i === BLOCKS ? total : emit.once(`run-start:${i}`, () => emit.node("Mul", [step, emit.ints([i])]));
  const rowBound = (i: number): string =>
    emit.once(`run-row:${i},${group}`, () => emit.node("Mul", [bound(i), emit.ints([group])]));
  const axis = emit.ints([2]);
  const scalar = (x: string): string => emit.node("Squeeze", [x]);
  const range = (start: string, end: string): string => emit.node("Range", [start, scalar(end), emit.int(1)]);
  return {
    queriesOf: (x) => emit.node("Slice", [x, rowBound(j), rowBound(j + 1), axis]),
    keysOf: (x) =>
      j === BLOCKS - 1
        ? x
        : emit.once(`keys:${x},${j}`, () => emit.node("Slice", [x, emit.ints([0]), bound(j + 1), axis])),
    mask: (window) =>
      emit.once(`mask:${j},${group},${window}`, () => {
        const position = emit.node("Div", [range(scalar(rowBound(j)), rowBound(j + 1)), emit.int(group)]);
        const row = emit.node("Unsqueeze", [position, emit.ints([1])]);
        const column = emit.node("Unsqueeze", [range(emit.int(0), bound(j + 1)), emit.ints([0])]);
        let hidden = emit.node("Greater", [column, row]);
        if (window !== undefined) {
          const expired = emit.node("LessOrEqual", [column, emit.node("Sub", [row, emit.int(window)])]);
          hidden = emit.node("Or", [hidden, expired]);
        }
        return emit.node("Where", [hidden, emit.float(-1e9), emit.float(0)]);
      }),
    padding: emit.once(`run-padding:${j}`, () => emit.node("Sub", [total, bound(j + 1)])),
  };
}

/** Adds x, which covers only the front of axis 2, to the sum. */
function addFront(emit: Emitter, sum: string | undefined, x: string, padding: string): string {
  if (sum === undefined) return x;
  const pads = emit.once(`pads:${padding}`, () =>
    emit.node("Concat", [emit.ints([0, 0, 0, 0, 0, 0]), padding, emit.ints([0])], { axis: 0 }),
  );
  return emit.node("Add", [sum, emit.node("Pad", [x, pads])]);
}

interface Pair {
  readonly b: number;
  readonly h: number;
  readonly kv: number;
  readonly i: number;
  readonly first: number;
  readonly p: readonly number[];
  readonly slopes: readonly number[];
}

/** Calls `visit` with the probability of each (query, key) pair that may attend, and the slope of its score. */
function forEachPair(q: NdArray, k: NdArray, attributes: AttentionAttributes, visit: (at: Pair) => void): void {
  const { heads, kvHeads, window = Infinity } = attributes;
  const [batch, length, width] = q.shape as [number, number, number];
  const d = width / heads;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor((h * kvHeads) / heads);
      for (let i = 0; i < length; i++) {
        const first = Math.max(0, i - window + 1);
        const products = Array.from({ length: i - first + 1 }, (_, j) => {
          let sum = 0;
          for (let c = 0; c < d; c++) {
            sum +=
              q.data[(b * length + i) * width + h * d + c]! *
              k.data[(b * length + first + j) * kvHeads * d + kv * d + c]!;
          }
          return sum;
        });
        visit({ b, h, kv, i, first, ...weigh(products, attributes, d) });
      }
    }
  }
}

function attend(q: NdArray, k: NdArray, v: NdArray, attributes: AttentionAttributes): NdArray {
  const [, length, width] = q.shape as [number, number, number];
  const { heads, kvHeads } = attributes;
  const d = width / heads;
  const data = new Float64Array(q.data.length);
  forEachPair(q, k, attributes, ({ b, h, kv, i, first, p }) => {
    p.forEach((weight, j) => {
      for (let c = 0; c < d; c++) {
        data[(b * length + i) * width + h * d + c]! +=
          weight * v.data[(b * length + first + j) * kvHeads * d + kv * d + c]!;
      }
    });
  });
  return { shape: q.shape, data };
}

function attendBackward(dOut: NdArray, q: NdArray, k: NdArray, v: NdArray, attributes: AttentionAttributes): NdArray[] {
  const [, length, width] = q.shape as [number, number, number];
  const { heads, kvHeads } = attributes;
  const d = width / heads;
  const dq = new Float64Array(q.data.length);
  const dk = new Float64Array(k.data.length);
  const dv = new Float64Array(v.data.length);
  forEachPair(q, k, attributes, ({ b, h, kv, i, first, p, slopes }) => {
    const row = (b * length + i) * width + h * d;
    const key = (j: number): number => (b * length + first + j) * kvHeads * d + kv * d;
    const dp = p.map((_, j) => {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += dOut.data[row + c]! * v.data[key(j) + c]!;
      return sum;
    });
    const mean = p.reduce((sum, weight, j) => sum + weight * dp[j]!, 0);
    p.forEach((weight, j) => {
      const ds = weight * (dp[j]! - mean) * slopes[j]!;
      for (let c = 0; c < d; c++) {
        dq[row + c]! += ds * k.data[key(j) + c]!;
        dk[key(j) + c]! += ds * q.data[row + c]!;
        dv[key(j) + c]! += weight * dOut.data[row + c]!;
      }
    });
  });
  return [
    { shape: q.shape, data: dq },
    { shape: k.shape, data: dk },
    { shape: v.shape, data: dv },
  ];
}
