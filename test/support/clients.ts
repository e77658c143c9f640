import * as fc from "fast-check";
import { params, type PlayedRound } from "./play.ts";

/** Four ordinary float32 numbers. */
export const floats = fc.float32Array({
  minLength: 4,
  maxLength: 4,
  noNaN: true,
  noDefaultInfinity: true,
  min: Math.fround(-8),
  max: Math.fround(8),
});
export const records = fc.integer({ min: 1, max: 100_000 });
export const clients = fc.array(fc.record({ offset: floats, records }), { minLength: 1, maxLength: 8 });
export const inOrder = (list: readonly { offset: Float32Array; records: number }[]): PlayedRound =>
  list.map(({ offset, records: n }, client) => ({ client, offset: [...offset], records: n }));
export const start = params([0.5, -0.25, 2, 1e-3]);
