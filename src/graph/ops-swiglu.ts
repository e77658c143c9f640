import { MICROSOFT } from "./emitter.ts";
import { plus, type OpRow } from "./op-row.ts";
import { requireSame } from "./ops-elementwise.ts";
import { sigmoid } from "./pointwise.ts";

/** silu(gate)·up (Shazeer 2020), and silu(gate) kept for the gradient. All [N, F]. */
export const swiglu: OpRow<Record<string, never>> = {
  infer([gate, up]) {
    requireSame("swiglu", gate!, up!);
    return [gate!, gate!].map(({ dtype, shape }) => ({ dtype, shape }));
  },
  evaluate([gate, up]) {
    const silu = gate!.data.map((a) => a * sigmoid(a));
    return [
      { shape: gate!.shape, data: silu.map((h, i) => h * up!.data[i]!) },
      { shape: gate!.shape, data: silu },
    ];
  },
  gradient({ builder, inputs, outputs, upstream, needs, contribute }) {
    const [dGate, dUp] = builder.apply("swigluGrad", [upstream, inputs[0]!, inputs[1]!, ...outputs], {});
    if (needs(0)) contribute(0, (sum) => plus(builder, sum, dGate!));
    if (needs(1)) contribute(1, (sum) => plus(builder, sum, dUp!));
  },
  lower(emit, [gate, up]) {
    // QuickGelu with alpha 1 is silu in one cache-blocked pass.
    const silu = emit.node("QuickGelu", [gate!], { alpha: { float: 1 } }, { domain: MICROSOFT });
    return [emit.node("Mul", [silu, up!]), silu];
  },
};

/**
 * Inputs dy, gate, up, y, h = silu(gate); outputs d gate and d up = dy·h. With s = σ(gate), silu′ = s + h·(1 − s), so
 * d gate = dy·up·silu′ = dy·(y + s·(up − y)): the forward product is used again, which saves a pass over memory.
 */
export const swigluGrad: OpRow<Record<string, never>> = {
  infer: ([, gate, up]) => [gate!, up!].map(({ dtype, shape }) => ({ dtype, shape })),
  evaluate([dy, gate, up, , silu]) {
    const dGate = gate!.data.map((a, i) => {
      const s = sigmoid(a);
      return dy!.data[i]! * up!.data[i]! * (s + silu!.data[i]! * (1 - s));
    });
    return [
      { shape: gate!.shape, data: dGate },
      { shape: up!.shape, data: dy!.data.map((d, i) => d * silu!.data[i]!) },
    ];
  },
  gradient: null,
  lower(emit, [dy, gate, up, y, silu]) {
    const tilted = emit.node("Mul", [emit.node("Sub", [up!, y!]), emit.node("Sigmoid", [gate!])]);
    return [emit.node("Mul", [emit.node("Add", [tilted, y!]), dy!]), emit.node("Mul", [dy!, silu!])];
  },
};
