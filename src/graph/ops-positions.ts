import { sameShape } from "../tensor/shape.ts";
import type { None } from "./op-attributes.ts";
import type { OpRow } from "./op-row.ts";
import { positionsFrom, range } from "./ops-heads.ts";

/**
 * Counts the positions of ids, int64 [batch, length] → int64 [batch, length]: 0, 1, … or, with a second input, int64
 * [batch], from the first position of each row.
 */
export const positions: OpRow<None> = {
  infer([ids, starts]) {
    if (starts !== undefined && !sameShape(starts.shape, ids!.shape.slice(0, 1))) {
      throw new Error("positions: there is not one first position for each row");
    }
    return [{ dtype: "int64", shape: ids!.shape }];
  },
  evaluate([ids, starts]) {
    const [, length] = ids!.shape as [number, number];
    const data = ids!.data.map((_, at) => (starts?.data[Math.floor(at / length)] ?? 0) + (at % length));
    return [{ shape: ids!.shape, data }];
  },
  gradient: null,
  lower(emit, [ids, starts], _attributes, types) {
    const length = types[0]!.shape[1]!;
    if (starts !== undefined) return [positionsFrom(emit, starts, length)];
    return [emit.node("Expand", [range(emit, emit.dim(length)), emit.node("Shape", [ids!])])];
  },
};
