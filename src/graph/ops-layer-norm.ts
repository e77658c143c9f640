import { formatShape } from "../tensor/shape.ts";
import type { LayerNormAttributes, None } from "./op-attributes.ts";
import { plus, type OpRow } from "./op-row.ts";

/**
 * Layer normalisation (Ba et al. 2016) of each row: x [N, D], weight [D], bias [D] → y = weight·x̂ + bias, and for the
 * gradient x̂ = (x − mean)/σ [N, D] and 1/σ [N, 1], where σ² = mean((x − mean)²) + ε. Weight and bias are frozen.
 */
export const layerNorm: OpRow<LayerNormAttributes> = {
  infer([x, weight, bias]) {
    if (x!.shape.length !== 2 || weight!.shape[0] !== x!.shape[1] || bias!.shape[0] !== x!.shape[1]) {
      const [by, plusBias] = [formatShape(weight!.shape), formatShape(bias!.shape)];
      throw new Error(`layerNorm: weight ${by} and bias ${plusBias} do not fit rows of ${formatShape(x!.shape)}`);
    }
    return [x!.shape, x!.shape, [x!.shape[0]!, 1]].map((shape) => ({ dtype: "float32", shape }));
  },
  evaluate([x, weight, bias], { epsilon }) {
    const [rows, width] = x!.shape as [number, number];
    const inverse = new Float64Array(rows);
    const normalized = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) {
      const row = x!.data.subarray(i * width, (i + 1) * width);
      const mean = row.reduce((sum, v) => sum + v, 0) / width;
      inverse[i] = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width + epsilon);
      row.forEach((v, j) => (normalized[i * width + j] = (v - mean) * inverse[i]!));
    }
    const y = normalized.map((v, at) => v * weight!.data[at % width]! + bias!.data[at % width]!);
    return [
      { shape: x!.shape, data: y },
      { shape: x!.shape, data: normalized },
      { shape: [rows, 1], data: inverse },
    ];
  },
  gradient({ builder, inputs, outputs, upstream, needs, contribute }) {
    if (needs(1) || needs(2)) throw new Error("layerNorm: weight and bias are frozen; no gradient is defined for them");
    if (needs(0)) {
      contribute(0, (sum) =>
        plus(builder, sum, builder.op("layerNormGrad", [upstream, inputs[1]!, outputs[1]!, outputs[2]!], {})),
      );
    }
  },
  lower(emit, [x, weight, bias], { epsilon }) {
    const mean = emit.node("ReduceMean", [x!, emit.ints([1])], { keepdims: 1 });
    const centred = emit.node("Sub", [x!, mean]);
    const variance = emit.node("ReduceMean", [emit.node("Mul", [centred, centred]), emit.ints([1])], { keepdims: 1 });
    const deviation = emit.node("Sqrt", [emit.node("Add", [variance, emit.float(epsilon)])]);
    const inverse = emit.node("Div", [emit.float(1), deviation]);
    const normalized = emit.node("Mul", [centred, inverse]);
    return [emit.node("Add", [emit.node("Mul", [normalized, weight!]), bias!]), normalized, inverse];
  },
};

/** dx = (g − mean(g) − x̂·mean(g·x̂))/σ with g = dy·weight. Inputs dy, weight, x̂, 1/σ. */
export const layerNormGrad: OpRow<None> = {
  infer: ([dy]) => [{ dtype: "float32", shape: dy!.shape }],
  evaluate([dy, weight, normalized, inverse]) {
    const [rows, width] = dy!.shape as [number, number];
    const dx = new Float64Array(rows * width);
    for (let i = 0; i < rows; i++) {
      const g = Array.from({ length: width }, (_, j) => dy!.data[i * width + j]! * weight!.data[j]!);
      const mean = g.reduce((sum, v) => sum + v, 0) / width;
      const along = g.reduce((sum, v, j) => sum + v * normalized!.data[i * width + j]!, 0) / width;
      g.forEach((v, j) => {
        dx[i * width + j] = (v - mean - normalized!.data[i * width + j]! * along) * inverse!.data[i]!;
      });
    }
    return [{ shape: dy!.shape, data: dx }];
  },
  gradient: null,
  lower(emit, [dy, weight, normalized, inverse]) {
    const mean = (x: string): string => emit.node("ReduceMean", [x, emit.ints([1])], { keepdims: 1 });
    const g = emit.node("Mul", [dy!, weight!]);
    const along = emit.node("Mul", [normalized!, mean(emit.node("Mul", [g, normalized!]))]);
    const centred = emit.node("Sub", [g, mean(g)]);
    return [emit.node("Mul", [emit.node("Sub", [centred, along]), inverse!])];
  },
};
