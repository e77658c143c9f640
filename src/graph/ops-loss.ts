import { formatShape } from "../tensor/shape.ts";
import { plus, type OpRow } from "./op-row.ts";

/**
 * Log-probability of each row's label: logits [K, V], labels int64 [K] → [K], and the whole log-softmax [K, V], kept for
 * the gradient. Every objective is a function of these: SFT sums them, preference losses compare sums.
 */
export const logProbabilities: OpRow<Record<string, never>> = {
  infer([logits, labels]) {
    if (labels!.shape.length !== 1 || labels!.shape[0] !== logits!.shape[0]) {
      throw new Error(
        `logProbabilities: labels ${formatShape(labels!.shape)} do not fit logits ${formatShape(logits!.shape)}`,
      );
    }
    return [
      { dtype: "float32", shape: labels!.shape },
      { dtype: "float32", shape: logits!.shape },
    ];
  },
  evaluate([logits, labels]) {
    const [rows, vocabulary] = logits!.shape as [number, number];
    const all = new Float64Array(rows * vocabulary);
    for (let i = 0; i < rows; i++) {
      const row = logits!.data.subarray(i * vocabulary, (i + 1) * vocabulary);
      const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const logSum = max + Math.log(row.reduce((sum, v) => sum + Math.exp(v - max), 0));
      row.forEach((v, j) => (all[i * vocabulary + j] = v - logSum));
    }
    return [
      { shape: [rows], data: Float64Array.from(labels!.data, (label, i) => all[i * vocabulary + label]!) },
      { shape: logits!.shape, data: all },
    ];
  },
  gradient({ builder, inputs, outputs, upstream, needs, contribute }) {
    if (needs(0)) {
      contribute(0, (sum) =>
        plus(builder, sum, builder.op("logProbabilitiesGrad", [upstream, outputs[1]!, inputs[1]!], {})),
      );
    }
  },
  lower(emit, [logits, labels]) {
    const all = emit.node("LogSoftmax", [logits!], { axis: -1 });
    const column = emit.node("Unsqueeze", [labels!, emit.ints([1])]);
    return [emit.node("Reshape", [emit.node("GatherElements", [all, column], { axis: 1 }), emit.ints([-1])]), all];
  },
};

/** d logits = d·(onehot(label) − softmax). Inputs d [K], log-softmax [K, V], labels [K]. */
export const logProbabilitiesGrad: OpRow<Record<string, never>> = {
  infer: ([, all]) => [{ dtype: "float32", shape: all!.shape }],
  evaluate([d, all, labels]) {
    const vocabulary = all!.shape[1]!;
    const data = all!.data.map((v, at) => {
      const row = Math.floor(at / vocabulary);
      return d!.data[row]! * ((at % vocabulary === labels!.data[row]! ? 1 : 0) - Math.exp(v));
    });
    return [{ shape: all!.shape, data }];
  },
  gradient: null,
  lower(emit, [d, all, labels]) {
    const column = emit.node("Unsqueeze", [d!, emit.ints([1])]);
    const soft = emit.node("Mul", [emit.node("Exp", [all!]), emit.node("Neg", [column])]);
    const at = emit.node("Unsqueeze", [labels!, emit.ints([1])]);
    return [emit.node("ScatterElements", [soft, at, column], { axis: 1, reduction: "add" })];
  },
};
