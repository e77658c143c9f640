import type { Emitter } from "./emitter.ts";
import type { None, SoftCapAttributes } from "./op-attributes.ts";
import { plus, type OpRow } from "./op-row.ts";
import { requireSame } from "./ops-elementwise.ts";
import {
  gelu as geluOf,
  GELU_CUBE,
  GELU_SCALE,
  geluSlope,
  HIGHEST_LOG_PROBABILITY,
  logOdds as logOddsOf,
  sigmoid as sigmoidOf,
  softplus as softplusOf,
} from "./pointwise.ts";

type PointwiseGrad = "geluGrad" | "logOddsGrad" | "reluGrad" | "sigmoidGrad" | "softplusGrad";

/** A function of each element; its gradient is the operation `grad` of (d loss / d y, x). */
function pointwise(
  f: (x: number) => number,
  lower: (emit: Emitter, x: string) => string,
  grad: PointwiseGrad,
): OpRow<None> {
  return {
    infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map(f) }],
    gradient({ builder, inputs, upstream, needs, contribute }) {
      if (needs(0)) contribute(0, (sum) => plus(builder, sum, builder.op(grad, [upstream, inputs[0]!], {})));
    },
    lower: (emit, [x]) => [lower(emit, x!)],
  };
}

/** d loss / d x = dy·f′(x), from dy and x. */
function pointwiseGrad(
  name: PointwiseGrad,
  derivative: (x: number) => number,
  lower: (emit: Emitter, dy: string, x: string) => string,
): OpRow<None> {
  return {
    infer([dy, x]) {
      requireSame(name, dy!, x!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    evaluate: ([dy, x]) => [{ shape: x!.shape, data: x!.data.map((v, i) => dy!.data[i]! * derivative(v)) }],
    gradient: null,
    lower: (emit, [dy, x]) => [lower(emit, dy!, x!)],
  };
}

/** log(1 + eˣ): −log σ of a margin is softplus of its negative. */
export const softplus: OpRow<None> = pointwise(softplusOf, (emit, x) => emit.node("Softplus", [x]), "softplusGrad");

export const softplusGrad: OpRow<None> = pointwiseGrad("softplusGrad", sigmoidOf, (emit, dy, x) =>
  emit.node("Mul", [dy, emit.node("Sigmoid", [x])]),
);

export const sigmoid: OpRow<None> = pointwise(sigmoidOf, (emit, x) => emit.node("Sigmoid", [x]), "sigmoidGrad");

/** σ′ = σ(x)·σ(−x): 1 − σ(x) would lose its digits for large x. */
export const sigmoidGrad: OpRow<None> = pointwiseGrad(
  "sigmoidGrad",
  (x) => sigmoidOf(x) * sigmoidOf(-x),
  (emit, dy, x) => {
    const slope = emit.node("Mul", [emit.node("Sigmoid", [x]), emit.node("Sigmoid", [emit.node("Neg", [x])])]);
    return emit.node("Mul", [dy, slope]);
  },
);

export const relu: OpRow<None> = pointwise(
  (x) => Math.max(x, 0),
  (emit, x) => emit.node("Relu", [x]),
  "reluGrad",
);

/** 0 at 0, as in PyTorch. */
export const reluGrad: OpRow<None> = pointwiseGrad(
  "reluGrad",
  (x) => (x > 0 ? 1 : 0),
  (emit, dy, x) => emit.node("Mul", [dy, emit.node("Sign", [emit.node("Relu", [x])])]),
);

/** GELU in its tanh form (Hendrycks & Gimpel 2016). */
export const gelu: OpRow<None> = pointwise(
  geluOf,
  (emit, x) => emit.node("Gelu", [x], { approximate: "tanh" }),
  "geluGrad",
);

/** σ(z) + x·σ(z)·σ(−z)·z′ with gelu(x) = x·σ(z): tanh would lose the digits of the tail. */
export const geluGrad: OpRow<None> = pointwiseGrad("geluGrad", geluSlope, (emit, dy, x) => {
  const mul = (a: string, b: string): string => emit.node("Mul", [a, b]);
  const add = (a: string, b: string): string => emit.node("Add", [a, b]);
  const squared = mul(x, x);
  const z = mul(x, add(mul(squared, emit.float(GELU_SCALE * GELU_CUBE)), emit.float(GELU_SCALE)));
  const slope = add(mul(squared, emit.float(3 * GELU_SCALE * GELU_CUBE)), emit.float(GELU_SCALE));
  // Not Sigmoid: the engine's is off by 1e-7 in the tail, and x·z′ makes that 30 times as much.
  const sigma = (y: string): string =>
    emit.node("Div", [emit.float(1), add(emit.node("Exp", [emit.node("Neg", [y])]), emit.float(1))]);
  const gate = sigma(z);
  const rest = sigma(emit.node("Neg", [z]));
  return mul(dy, add(gate, mul(mul(gate, rest), mul(x, slope))));
});

/** c·tanh(x/c): x held within ±c, almost unchanged near 0. */
export const softCap: OpRow<SoftCapAttributes> = {
  infer: ([x]) => [{ dtype: x!.dtype, shape: x!.shape }],
  evaluate: ([x], { cap }) => [{ shape: x!.shape, data: x!.data.map((v) => cap * Math.tanh(v / cap)) }],
  gradient({ builder, outputs, upstream, needs, contribute }, attributes) {
    if (!needs(0)) return;
    contribute(0, (sum) => plus(builder, sum, builder.op("softCapGrad", [upstream, outputs[0]!], attributes)));
  },
  lower(emit, [x], { cap }) {
    const tanh = emit.node("Tanh", [emit.node("Div", [x!, emit.float(cap)])]);
    return [emit.node("Mul", [tanh, emit.float(cap)])];
  },
};

/** dx = dy·(1 − (y/c)²), from dy and y. */
export const softCapGrad: OpRow<SoftCapAttributes> = {
  infer([dy, y]) {
    requireSame("softCapGrad", dy!, y!);
    return [{ dtype: y!.dtype, shape: y!.shape }];
  },
  evaluate: ([dy, y], { cap }) => [
    { shape: y!.shape, data: y!.data.map((v, i) => dy!.data[i]! * (1 - (v / cap) ** 2)) },
  ],
  gradient: null,
  lower(emit, [dy, y], { cap }) {
    const share = emit.node("Div", [y!, emit.float(cap)]);
    const slope = emit.node("Sub", [emit.float(1), emit.node("Mul", [share, share])]);
    return [emit.node("Mul", [dy!, slope])];
  },
};

/**
 * log(p/(1 − p)) of p = eᵘ, u < 0. ONNX has neither expm1 nor log1p; with t = tanh(−u/2), 1 − p = 2t/(1 + t), which keeps
 * its digits from u near 0 to u very negative. u is held below 0 by as much as float32 can tell p from 1.
 */
export const logOdds: OpRow<None> = pointwise(
  logOddsOf,
  (emit, u) => {
    const bounded = belowZero(emit, u);
    return emit.node("Sub", [bounded, emit.node("Log", [complement(emit, bounded)])]);
  },
  "logOddsGrad",
);

/** 1/(1 − p). */
export const logOddsGrad: OpRow<None> = pointwiseGrad(
  "logOddsGrad",
  (u) => -1 / Math.expm1(Math.min(u, HIGHEST_LOG_PROBABILITY)),
  (emit, dy, u) => emit.node("Div", [dy, complement(emit, belowZero(emit, u))]),
);

function belowZero(emit: Emitter, u: string): string {
  return emit.node("Min", [u, emit.float(HIGHEST_LOG_PROBABILITY)]);
}

/** 1 − eᵘ. */
function complement(emit: Emitter, u: string): string {
  const t = emit.node("Tanh", [emit.node("Mul", [u, emit.float(-0.5)])]);
  return emit.node("Div", [emit.node("Add", [t, t]), emit.node("Add", [t, emit.float(1)])]);
}
