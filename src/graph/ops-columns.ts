import { formatShape } from "../tensor/shape.ts";
import type { None, SplitColumnsAttributes } from "./op-attributes.ts";
import { plus, type OpRow } from "./op-row.ts";

/** Divides the columns of a matrix [N, ΣWᵢ] → matrices [N, Wᵢ], side by side. All outputs are differentiable. */
export const splitColumns: OpRow<SplitColumnsAttributes> = {
  infer([x], { widths }) {
    const sum = widths.reduce((a, b) => a + b, 0);
    if (x!.shape.length !== 2 || x!.shape[1] !== sum) {
      throw new Error(`splitColumns: ${formatShape(x!.shape)} has not ${widths.join(" + ")} columns`);
    }
    return widths.map((width) => ({ dtype: "float32", shape: [x!.shape[0]!, width] }));
  },
  evaluate([x], { widths }) {
    const [rows, columns] = x!.shape as [number, number];
    let from = 0;
    return widths.map((width) => {
      const first = from;
      from += width;
      const data = Float64Array.from({ length: rows * width }, (_, at) => {
        return x!.data[Math.floor(at / width) * columns + first + (at % width)]!;
      });
      return { shape: [rows, width], data };
    });
  },
  gradient({ builder, upstreams, needs, contribute }) {
    const parts = upstreams.filter((part) => part !== undefined);
    if (parts.length < upstreams.length)
      throw new Error("splitColumns: the loss does not depend on all of its outputs");
    if (needs(0)) contribute(0, (sum) => plus(builder, sum, builder.op("joinColumns", parts, {})));
  },
  lower: (emit, [x], { widths }) =>
    emit.nodes("Split", [x!, emit.ints(widths)], { axis: 1 }, { outputs: widths.length }),
};

/** Puts matrices of as many rows side by side: [N, Wᵢ] → [N, ΣWᵢ]. */
export const joinColumns: OpRow<None> = {
  infer(inputs) {
    const [rows] = inputs[0]!.shape;
    if (inputs.some(({ shape }) => shape[0] !== rows)) {
      throw new Error(`joinColumns: rows differ, ${inputs.map(({ shape }) => formatShape(shape)).join(", ")}`);
    }
    return [{ dtype: "float32", shape: [rows!, inputs.reduce((sum, { shape }) => sum + (shape[1] as number), 0)] }];
  },
  evaluate(inputs) {
    const rows = inputs[0]!.shape[0]!;
    const columns = inputs.reduce((sum, { shape }) => sum + shape[1]!, 0);
    const data = new Float64Array(rows * columns);
    let first = 0;
    for (const { shape, data: part } of inputs) {
      const width = shape[1]!;
      part.forEach((value, at) => (data[Math.floor(at / width) * columns + first + (at % width)] = value));
      first += width;
    }
    return [{ shape: [rows, columns], data }];
  },
  gradient: null,
  lower: (emit, inputs) => [emit.node("Concat", inputs, { axis: 1 })],
};
