import type { Groups } from "../tensor/groups.ts";
import type { Tensor } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import { damaged, groupsOf, inOrder, PackedReader, PackedWriter } from "./packed.ts";
import { codecStage, type Stage } from "./stage.ts";

/**
 * Quantises to whole numbers with a scale a group: s = max|x|/Q in float32, q = ⌊x/s + u⌋ in [−Q, Q], Q = 2^(bits−1) − 1.
 * u is uniform in [0, 1), so that the mean is x; with error feedback it is ½, which rounds to nearest. A group of zeros has
 * the scale 0.
 *
 * Groups run along the long side of a matrix: a row of LoRA's A [r, k], a column of its B [d, r], so one scale a rank
 * component. A float32 scale for each short row of B would cost four more bits a number at rank 8.
 *
 * Bytes: of each tensor its scales, then its numbers in row-major order; of 4 bits two a byte, the first in the low half.
 */
export function quantised(name: "int8" | "int4", bits: 8 | 4, errorFeedback: boolean): Stage {
  const largest = 2 ** (bits - 1) - 1;
  return codecStage(
    name,
    {
      pack(groups, context) {
        const writer = new PackedWriter(name, context, packedBytes(groups, bits));
        for (const {
          group,
          name: tensor,
          tensor: { shape, data },
        } of inOrder(groups)) {
          const { count, of } = groupsAlongLongSide(shape, data.length);
          const scales = scalesOf(data, count, of, largest);
          const random = errorFeedback ? undefined : context.random("round", group, tensor);
          const numbers = Int8Array.from(data, (x, i) => wholeNumber(x, scales[of(i)]!, largest, random));
          for (const scale of scales) writer.float32(scale);
          writer.bytes(bits === 8 ? numbers : packNibbles(numbers));
        }
        return writer.done();
      },
      unpack(bytes, shape, place) {
        const reader = new PackedReader(bytes, name, place);
        const values = inOrder(shape).map(({ tensor: { shape: dims, data } }) => {
          const { count, of } = groupsAlongLongSide(dims, data.length);
          const scales = Float64Array.from({ length: count }, () => reader.scale());
          const packed = reader.bytes(Math.ceil((data.length * bits) / 8));
          const numbers = bits === 8 ? new Int8Array(packed) : unpackNibbles(packed, data.length);
          if (numbers.includes(-largest - 1)) throw damaged(`a number in it is outside of ±${largest}`);
          return Float64Array.from(numbers, (q, i) => q * scales[of(i)]!);
        });
        reader.end();
        return groupsOf(shape, values);
      },
    },
    errorFeedback,
  );
}

/** ⌊x/scale + u⌋ in ±largest, with u of `random`, or ½ without it; 0 where the scale is 0. A number of `random` is always taken. */
export function wholeNumber(x: number, scale: number, largest: number, random: RandomStream | undefined): number {
  const u = random?.uniform() ?? 0.5;
  return scale === 0 ? 0 : Math.max(-largest, Math.min(largest, Math.floor(x / scale + u)));
}

/** The number of groups of a tensor, and the group of each element. A vector is one group. */
function groupsAlongLongSide(
  [rows = 1, ...rest]: Tensor["shape"],
  length: number,
): { readonly count: number; readonly of: (i: number) => number } {
  if (rest.length === 0) return { count: 1, of: () => 0 };
  const columns = length / rows;
  if (length === 0) return { count: 0, of: () => 0 };
  return rows <= columns
    ? { count: rows, of: (i) => Math.floor(i / columns) }
    : { count: columns, of: (i) => i % columns };
}

function scalesOf(data: ArrayLike<number>, count: number, of: (i: number) => number, largest: number): Float32Array {
  const most = new Float64Array(count);
  for (let i = 0; i < data.length; i++) most[of(i)] = Math.max(most[of(i)]!, Math.abs(data[i]!));
  return Float32Array.from(most, (magnitude) => magnitude / largest);
}

function packNibbles(numbers: Int8Array): Uint8Array {
  return Uint8Array.from(
    { length: Math.ceil(numbers.length / 2) },
    (_, i) => (numbers[2 * i]! & 15) | (((numbers[2 * i + 1] ?? 0) & 15) << 4),
  );
}

function unpackNibbles(packed: Uint8Array, length: number): Int8Array {
  if (length % 2 === 1 && packed.at(-1)! >> 4 !== 0) throw damaged("its padding is not zero");
  // Shifts left and right again to carry the sign.
  return Int8Array.from({ length }, (_, i) => (packed[i >> 1]! << (i % 2 === 0 ? 28 : 24)) >> 28);
}

function packedBytes(groups: Groups, bits: number): number {
  return inOrder(groups).reduce(
    (sum, { tensor: { shape, data } }) =>
      sum + 4 * groupsAlongLongSide(shape, data.length).count + Math.ceil((data.length * bits) / 8),
    0,
  );
}
