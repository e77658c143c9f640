import { ERROR_FEEDBACK } from "./error-feedback.ts";
import { damaged, groupsOf, inOrder, PackedReader, PackedWriter } from "./packed.ts";
import { codecStage, defineStage } from "./stage.ts";

/** 3⁵ = 243 values fit into a byte. */
const TRITS = 5;

/**
 * Sends −s, 0 or s for each number, s = max|x| of the tensor: sign(x)·s with the probability |x|/s, so that the mean is x
 * (Wen et al. 2017, "TernGrad", eq. 2–3); with error feedback where |x| ≥ s/2, the nearest. Drawn at random the error is
 * larger than the vector, and a memory of it would grow without end.
 *
 * Bytes: of each tensor s in float32, then five trits a byte, t + 1 in base 3, the first the lowest.
 */
export const ternary = defineStage({
  settings: { errorFeedback: ERROR_FEEDBACK },
  make: ({ errorFeedback = true }) =>
    codecStage(
      "ternary",
      {
        pack(groups, context) {
          const writer = new PackedWriter("ternary", context);
          for (const { group, name, tensor } of inOrder(groups)) {
            const { data } = tensor;
            let most = 0;
            for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]!));
            const scale = Math.fround(most);
            const random = errorFeedback ? undefined : context.random("round", group, name);
            const trits = Int8Array.from(data, (x) => {
              const u = random?.uniform() ?? 0.5;
              return scale > 0 && (random === undefined ? Math.abs(x) / scale >= u : u < Math.abs(x) / scale)
                ? Math.sign(x)
                : 0;
            });
            writer.float32(scale);
            writer.bytes(packTrits(trits));
          }
          return writer.done();
        },
        unpack(bytes, shape, place) {
          const reader = new PackedReader(bytes, "ternary", place);
          const values = inOrder(shape).map(({ tensor: { data } }) => {
            const scale = reader.scale();
            const trits = unpackTrits(reader.bytes(Math.ceil(data.length / TRITS)), data.length);
            return Float64Array.from(trits, (t) => t * scale);
          });
          reader.end();
          return groupsOf(shape, values);
        },
      },
      errorFeedback,
    ),
});

function packTrits(trits: Int8Array): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(trits.length / TRITS) }, (_, i) => {
    let byte = 0;
    for (let j = TRITS - 1; j >= 0; j--) byte = 3 * byte + (trits[TRITS * i + j] ?? 0) + 1;
    return byte;
  });
}

function unpackTrits(packed: Uint8Array, length: number): Int8Array {
  const trits = new Int8Array(TRITS * packed.length);
  for (const [i, byte] of packed.entries()) {
    if (byte >= 3 ** TRITS) throw damaged("a byte in it is no five trits");
    let rest = byte;
    for (let j = 0; j < TRITS; j++, rest = Math.floor(rest / 3)) trits[TRITS * i + j] = (rest % 3) - 1;
  }
  if (trits.subarray(length).some((trit) => trit !== 0)) throw damaged("its padding is not zero");
  return trits.subarray(0, length);
}
