import { backward } from "../../src/graph/backward.ts";
import { resolveDim, type Dim } from "../../src/graph/dims.ts";
import { GraphBuilder, type Graph } from "../../src/graph/graph.ts";
import type { DType, Value } from "../../src/graph/value.ts";
import type { NdArray } from "../../src/graph/op-row.ts";
import type { OpName } from "../../src/graph/op-attributes.ts";

const SYMBOLS = new Map(Object.entries({ batch: 2, length: 6, rows: 5 }));

interface Case {
  readonly name: OpName;
  readonly title?: string;
  /** Builds the op; `x(...)` makes a differentiable input, `index(...)` an integer one below `limit`. */
  readonly build: (
    b: GraphBuilder,
    x: (...shape: Dim[]) => Value,
    index: (limit: number, ...shape: Dim[]) => Value,
    /** An input that is not differentiated. */
    fixed: (...shape: Dim[]) => Value,
    bytes: (...shape: Dim[]) => Value,
  ) => Value;
}

function rotaryTables(b: GraphBuilder): Value[] {
  const table = (f: (a: number) => number): Float32Array =>
    Float32Array.from({ length: 20 }, (_, i) => f(Math.floor(i / 2) * [1, 0.1][i % 2]!));
  return [b.constant("cos", table(Math.cos), [10, 2]), b.constant("sin", table(Math.sin), [10, 2])];
}

export const OP_CASES: Case[] = [
  { name: "add", build: (b, x) => b.op("add", [x("rows", 3), x("rows", 3)], {}) },
  { name: "multiply", build: (b, x) => b.op("multiply", [x("rows", 3), x("rows", 3)], {}) },
  { name: "dot", build: (b, x) => b.op("dot", [x("rows"), x("rows")], {}) },
  { name: "scaleBy", build: (b, x) => b.op("scaleBy", [x("rows", 2), x()], {}) },
  {
    name: "reshape",
    title: "to two symbols",
    build: (b, x) => b.op("reshape", [x("batch*length", 4)], { shape: ["batch", "length", 4] }),
  },
  {
    name: "reshape",
    title: "to one",
    build: (b, x) => b.op("reshape", [x("batch", "length", 4)], { shape: ["2*batch*length", 2] }),
  },
  { name: "gatherRows", build: (b, x, index) => b.op("gatherRows", [x("batch*length", 3), index(12, "rows")], {}) },
  {
    name: "gatherRows",
    title: "by a matrix",
    build: (b, x, index) => b.op("gatherRows", [x(7, 3), index(7, "batch", "length")], {}),
  },
  {
    name: "gemmBySequence",
    build: (b, _x, index, fixed) =>
      b.op("gemmBySequence", [fixed("batch*length", 3), fixed("batch*length", 2), index(9, "batch", "length")], {}),
  },
  {
    name: "gemmBySequence",
    title: "of chosen rows, with a factor",
    build: (b, _x, index, fixed) =>
      b.op("gemmBySequence", [fixed("rows", 3), fixed("rows", 2), index(9, "batch", "length"), index(12, "rows")], {
        alpha: -1.5,
      }),
  },
  {
    name: "rmsNorm",
    build: (b, x) =>
      b.op("rmsNorm", [x("rows", 4), b.constant("w", Float32Array.of(1, -0.5, 2, 0.3), [4])], { epsilon: 1e-3 }),
  },
  {
    name: "rmsNorm",
    title: "forward only",
    build: (b, _x, _index, fixed) =>
      b.op("rmsNorm", [fixed("rows", 4), fixed(4)], { epsilon: 1e-3, forwardOnly: true }),
  },
  {
    name: "layerNorm",
    build: (b, x) =>
      b.op(
        "layerNorm",
        [
          x("rows", 4),
          b.constant("w", Float32Array.of(1, -0.5, 2, 0.3), [4]),
          b.constant("b", Float32Array.of(0.1, 0.2, -0.3, 0), [4]),
        ],
        { epsilon: 1e-3 },
      ),
  },
  { name: "softCap", build: (b, x) => b.op("softCap", [x("rows", 3)], { cap: 0.8 }) },
  {
    name: "splitColumns",
    build(b, x) {
      const [left, middle, right] = b.apply("splitColumns", [x("rows", 7)], { widths: [3, 1, 3] });
      return b.op("gemm", [b.op("multiply", [left!, right!], {}), middle!], { transA: true });
    },
  },
  {
    name: "positions",
    build: (b, x, index) => b.op("gatherRows", [x(6, 3), b.op("positions", [index(5, "batch", "length")], {})], {}),
  },
  {
    name: "positions",
    title: "that continue",
    build: (b, x, index) =>
      b.op("gatherRows", [x(9, 3), b.op("positions", [index(5, "batch", "length"), index(4, "batch")], {})], {}),
  },
  { name: "swiglu", build: (b, x) => b.op("swiglu", [x("rows", 3), x("rows", 3)], {}) },
  { name: "logProbabilities", build: (b, x, index) => b.op("logProbabilities", [x("rows", 6), index(6, "rows")], {}) },
  { name: "softplus", build: (b, x) => b.op("softplus", [x("rows", 3)], {}) },
  { name: "sigmoid", build: (b, x) => b.op("sigmoid", [x("rows", 3)], {}) },
  { name: "gelu", build: (b, x) => b.op("gelu", [x("rows", 3)], {}) },
  { name: "relu", build: (b, x) => b.op("relu", [x("rows", 3)], {}) },
  {
    name: "logOdds",
    // Of negative numbers: between −2.3 and −0.3, on both sides of −log 2, where the reference changes its formula.
    build: (b, x) =>
      b.op("logOdds", [b.op("add", [x(5), b.constant("down", new Float32Array(5).fill(-1.3), [5])], {})], {}),
  },
  {
    name: "multiply",
    title: "by itself",
    build(b, x) {
      const shared = x("rows", 3);
      return b.op("multiply", [shared, shared], {});
    },
  },
  {
    name: "rotary",
    build: (b, x) => b.op("rotary", [x("batch", "length", 12), ...rotaryTables(b)], { heads: 3 }),
  },
  {
    name: "rotary",
    title: "of the front of each head",
    build: (b, x) => b.op("rotary", [x("batch", "length", 18), ...rotaryTables(b)], { heads: 3 }),
  },
  {
    name: "rotateHeads",
    title: "the front of each head",
    build: (b, _x, index, fixed) =>
      b.op("rotateHeads", [fixed("batch", 3, "length", 6), ...rotaryTables(b), index(5, "batch")], {}),
  },
  {
    name: "rotateAt",
    title: "the front of each head, with a factor",
    build: (b, _x, index, fixed) =>
      b.op(
        "rotateAt",
        [
          fixed("batch", 3, "length", 6),
          index(40, "batch", "length"),
          b.constant("frequencies", Float32Array.of(1, 0.1), [2]),
        ],
        { factor: 1.3 },
      ),
  },
  {
    name: "rotateHeads",
    build: (b, _x, index, fixed) =>
      b.op("rotateHeads", [fixed("batch", 3, "length", 4), ...rotaryTables(b), index(5, "batch")], {}),
  },
  ...[0, 1, 2].map((output): Case => ({
    name: "splitHeads",
    title: `output ${output}`,
    build: (b, _x, _index, fixed) =>
      b.apply("splitHeads", [fixed("batch*length", 12)], {
        counts: [3, 1, 2],
        batch: "batch",
        length: "length",
      })[output]!,
  })),
  {
    name: "joinRows",
    title: "of weights",
    build: (b, _x, _index, fixed) => b.op("joinRows", [fixed(2, 3), fixed(4, 3), fixed(1, 3)], {}),
  },
  {
    name: "joinRows",
    title: "of tensors of a batch",
    build: (b, _x, _index, fixed) => b.op("joinRows", [fixed("batch", 2, "length"), fixed("batch", 2, "length")], {}),
  },
  ...[undefined, 3].flatMap((window) =>
    [2, 1].map((group): Case => ({
      name: "cachedAttention",
      title: `window ${window}, ${group} heads a key`,
      build: (b, _x, index, fixed) =>
        b.op(
          "cachedAttention",
          [
            fixed("batch", 2 * group, "length", 3),
            ...[0, 1].map(() => fixed("batch", 2, "length", 3)),
            ...[0, 1].map(() => fixed("batch", 2, 5, 3)),
            index(6, "batch"),
          ],
          window === undefined ? {} : { window },
        ),
    })),
  ),
  {
    name: "cachedAttention",
    title: "scaled and capped",
    build: (b, _x, index, fixed) =>
      b.op(
        "cachedAttention",
        [
          fixed("batch", 4, "length", 3),
          ...[0, 1].map(() => fixed("batch", 2, "length", 3)),
          ...[0, 1].map(() => fixed("batch", 2, 5, 3)),
          index(6, "batch"),
        ],
        { window: 3, scale: 1.7, cap: 0.9 },
      ),
  },
  {
    name: "maskedAttention",
    title: "scaled and capped",
    build: (b, _x, index, fixed) =>
      b.op(
        "maskedAttention",
        [fixed("batch", 4, "length", 3), ...[0, 1].map(() => fixed("batch", 2, 10, 3)), index(2, "batch", 10)],
        { window: 3, scale: 1.7, cap: 0.9 },
      ),
  },
  {
    name: "joinPlaces",
    build: (b, _x, _index, fixed) =>
      b.op("joinPlaces", [fixed("batch", 2, 4, 3), fixed("batch", 2, "length", 3)], { places: 10 }),
  },
  {
    name: "rotateAt",
    build: (b, _x, index, fixed) =>
      b.op(
        "rotateAt",
        [
          fixed("batch", 3, "length", 4),
          index(40, "batch", "length"),
          b.constant("frequencies", Float32Array.of(1, 0.1), [2]),
        ],
        {},
      ),
  },
  ...[undefined, 3].flatMap((window) =>
    [2, 1].map((group): Case => ({
      name: "maskedAttention",
      title: `window ${window}, ${group} heads a key`,
      build: (b, _x, index, fixed) =>
        b.op(
          "maskedAttention",
          [
            fixed("batch", 2 * group, "length", 3),
            ...[0, 1].map(() => fixed("batch", 2, 10, 3)),
            index(2, "batch", 10),
          ],
          window === undefined ? {} : { window },
        ),
    })),
  ),
  {
    name: "attention",
    title: "grouped",
    build: (b, x) =>
      b.op("attention", [x("batch", "length", 8), x("batch", "length", 4), x("batch", "length", 4)], {
        heads: 4,
        kvHeads: 2,
      }),
  },
  {
    name: "attention",
    title: "one group, window 2",
    build: (b, x) =>
      b.op("attention", [x("batch", "length", 6), x("batch", "length", 6), x("batch", "length", 6)], {
        heads: 2,
        kvHeads: 2,
        window: 2,
      }),
  },
  {
    name: "attention",
    title: "grouped, window 3, scaled and capped",
    build: (b, x) =>
      b.op("attention", [x("batch", "length", 8), x("batch", "length", 4), x("batch", "length", 4)], {
        heads: 4,
        kvHeads: 2,
        window: 3,
        scale: 1.7,
        cap: 0.9,
      }),
  },
  ...[false, true].flatMap((transA) =>
    [false, true].map((transB): Case => ({
      name: "gemm",
      title: `transA ${transA}, transB ${transB}, addend`,
      build: (b, x) =>
        b.op("gemm", [transA ? x(4, "rows") : x("rows", 4), transB ? x(3, 4) : x(4, 3), x("rows", 3)], {
          transA,
          transB,
          alpha: 0.7,
        }),
    })),
  ),
  ...([8, 4] as const).map((bits): Case => ({
    name: "quantizedLinear",
    title: `${bits} bits, two blocks a row`,
    build: (b, x, _index, fixed, bytes) =>
      b.op("quantizedLinear", [x("rows", 32), bytes(3, 2, 2 * bits), fixed(3, 2)], { bits, blockSize: 16 }),
  })),
  { name: "gemm", title: "bias row", build: (b, x) => b.op("gemm", [x("rows", 4), x(4, 3), x(3)], {}) },
  // A value used twice collects both gradients, one of them through gemm's addend.
  {
    name: "gemm",
    title: "used twice",
    build(b, x) {
      const shared = x("rows", 4);
      return b.op("add", [b.op("gemm", [shared, x(4, 4)], {}), b.op("gemm", [shared, x(4, 4)], { transB: true })], {});
    },
  },
];

/** A small deterministic generator: the tests of the graph do not lean on the library's own. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => ((state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32) * 2 - 1;
}

export interface BuiltCase {
  readonly title: string;
  readonly graph: Graph;
  readonly values: Map<string, NdArray>;
  readonly differentiable: readonly string[];
}

export function builtCases(): BuiltCase[] {
  return OP_CASES.map(({ name, title, build }, seed) => {
    const builder = new GraphBuilder();
    const random = numbers(seed + 1);
    const values = new Map<string, NdArray>();
    const differentiable: Value[] = [];
    const make = (dtype: DType, shape: Dim[], draw: () => number): Value => {
      const value = builder.input(`x${values.size}`, dtype, shape);
      const concrete = shape.map((dim) => resolveDim(dim, SYMBOLS));
      const data = Float64Array.from({ length: concrete.reduce((a, b) => a * b, 1) }, draw);
      values.set(value.name, { shape: concrete, data });
      return value;
    };
    const y = build(
      builder,
      (...shape) => {
        const value = make("float32", shape, random);
        differentiable.push(value);
        return value;
      },
      (limit, ...shape) => make("int64", shape, () => Math.floor(((random() + 1) / 2) * limit)),
      (...shape) => make("float32", shape, random),
      (...shape) => make("uint8", shape, () => Math.floor(((random() + 1) / 2) * 256)),
    );
    // Binds the symbols the case itself does not mention as plain dimensions.
    for (const [symbol, size] of SYMBOLS) {
      const value = builder.input(symbol, "float32", [symbol]);
      values.set(value.name, { shape: [size], data: new Float64Array(size) });
    }
    const weights = make("float32", [...y.shape], random);
    const loss = builder.op("dot", [y, weights], {});
    builder.output("loss", loss);
    builder.output("y", y);
    backward(builder, loss, differentiable).forEach((gradient, i) =>
      builder.output(`gradient:${differentiable[i]!.name}`, gradient),
    );
    return {
      title: title === undefined ? name : `${name}, ${title}`,
      graph: builder.build(),
      values,
      differentiable: differentiable.map((v) => v.name),
    };
  });
}
