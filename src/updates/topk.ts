import { z } from "zod";
import type { Groups } from "../tensor/groups.ts";
import { parameterCount } from "../tensor/params.ts";
import { ERROR_FEEDBACK } from "./error-feedback.ts";
import { groupsOf, damaged, PackedReader, PackedWriter } from "./packed.ts";
import { wholeNumber } from "./quantised.ts";
import {
  DEFAULT_SHARE,
  flattened,
  kept,
  largestIndices,
  readIndices,
  SHARE,
  unflattened,
  writeIndices,
} from "./sparse.ts";
import { codecStage, defineStage } from "./stage.ts";

const LARGEST = 127;

/**
 * Sends the numbers of largest magnitude and their places, of each group over all its tensors together; of equal ones the
 * lower places (Aji & Heafield 2017, "Sparse communication for distributed gradient descent"). The others are 0 for the
 * coordinator; error feedback sends them later.
 *
 * Bytes: of each group the places (`writeIndices`), then the values: float16, or a float32 scale and whole numbers of 8 bits.
 */
export const topk = defineStage({
  settings: {
    share: SHARE,
    values: z
      .enum(["int8", "float16"])
      .optional()
      .describe("Form of the numbers that are sent: whole numbers with one scale, or half precision. Default: int8."),
    errorFeedback: ERROR_FEEDBACK,
  },
  make: ({ share = DEFAULT_SHARE, values: form = "int8", errorFeedback = true }) =>
    codecStage(
      "topk",
      {
        pack(groups, context) {
          const writer = new PackedWriter("topk", context);
          for (const [group, params] of sorted(groups)) {
            const flat = flattened(params);
            const indices = largestIndices(flat, kept(flat.length, share));
            writeIndices(writer, indices, flat.length);
            const values = Float64Array.from(indices, (i) => flat[i]!);
            if (form === "float16") writer.float16s(Float32Array.from(values, toHalfRange));
            else {
              const scale = Math.fround(values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / LARGEST);
              const random = errorFeedback ? undefined : context.random("round", group);
              writer.float32(scale);
              writer.bytes(Int8Array.from(values, (x) => wholeNumber(x, scale, LARGEST, random)));
            }
          }
          return writer.done();
        },
        unpack(bytes, shape, place) {
          const reader = new PackedReader(bytes, "topk", place);
          const all: Float64Array[] = [];
          for (const [, params] of sorted(shape)) {
            const n = parameterCount(params);
            const k = kept(n, share);
            const indices = readIndices(reader, k, n);
            const flat = new Float64Array(n);
            const values = form === "float16" ? reader.float16s(k) : readInt8(reader, k);
            for (const [i, index] of indices.entries()) flat[index] = values[i]!;
            all.push(...unflattened(flat, params));
          }
          reader.end();
          return groupsOf(shape, all);
        },
      },
      errorFeedback,
    ),
});

function readInt8(reader: PackedReader, count: number): Float64Array {
  const scale = reader.scale();
  const numbers = new Int8Array(reader.bytes(count));
  if (numbers.includes(-LARGEST - 1)) throw damaged(`a number in it is outside of ±${LARGEST}`);
  return Float64Array.from(numbers, (q) => q * scale);
}

/** Half precision ends at 65,504; what is larger is sent as that, and error feedback sends the rest. */
function toHalfRange(x: number): number {
  return Math.max(-65504, Math.min(65504, x));
}

function sorted(groups: Groups): [string, Groups[string]][] {
  return Object.entries(groups).sort(([a], [b]) => (a < b ? -1 : 1));
}
