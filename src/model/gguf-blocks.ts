import { float16Value } from "../tensor/float16.ts";
import { decodeElements } from "../tensor/safetensors.ts";

/** How ggml stores a run of elements: `elements` of them in `bytes` bytes. */
export interface GgmlFormat {
  readonly name: string;
  readonly elements: number;
  readonly bytes: number;
  /** Decodes whole blocks. */
  readonly decode: (stored: Uint8Array) => Float32Array;
}

/** Bytes of a tensor whose number of elements is a multiple of the format's. */
export function storedBytes({ elements, bytes }: GgmlFormat, shape: readonly number[]): number {
  return (shape.reduce((a, b) => a * b, 1) / elements) * bytes;
}

const f32 = Math.fround;
const signed = (byte: number): number => (byte << 24) >> 24;

function half(stored: Uint8Array, at: number): number {
  return float16Value(stored[at]! | (stored[at + 1]! << 8));
}

/** Elements by themselves, as safetensors has them. */
function plain(name: "F32" | "F16" | "BF16", bytes: number): GgmlFormat {
  return { name, elements: 1, bytes, decode: (stored) => Float32Array.from(decodeElements(name, stored, name)) };
}

/** Elements in blocks; `decodeBlock` writes those of the block at byte `from` to `out` from `to` on. */
function blocks(
  name: string,
  elements: number,
  bytes: number,
  decodeBlock: (stored: Uint8Array, from: number, out: Float32Array, to: number) => void,
): GgmlFormat {
  return {
    name,
    elements,
    bytes,
    decode(stored) {
      const out = new Float32Array((stored.length / bytes) * elements);
      for (let i = 0; i * bytes < stored.length; i++) decodeBlock(stored, i * bytes, out, i * elements);
      return out;
    },
  };
}

/** The formats of ggml that are read, by `ggml_type`. Each product is rounded to float32, as the `gguf` package does it. */
export const GGML_FORMATS: ReadonlyMap<number, GgmlFormat> = new Map([
  [0, plain("F32", 4)],
  [1, plain("F16", 2)],
  [2, blocks("Q4_0", 32, 18, decodeQ4)],
  [8, blocks("Q8_0", 32, 34, decodeQ8)],
  [12, blocks("Q4_K", 256, 144, decodeQ4K)],
  [14, blocks("Q6_K", 256, 210, decodeQ6K)],
  [30, plain("BF16", 2)],
]);

/** Names of formats that are not read, for errors. */
export const OTHER_FORMATS: Readonly<Record<number, string>> = {
  3: "Q4_1",
  6: "Q5_0",
  7: "Q5_1",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  13: "Q5_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** d·(q − 8), the low halves of the bytes first. */
function decodeQ4(stored: Uint8Array, from: number, out: Float32Array, to: number): void {
  const d = half(stored, from);
  for (let i = 0; i < 16; i++) {
    const byte = stored[from + 2 + i]!;
    out[to + i] = d * ((byte & 15) - 8);
    out[to + 16 + i] = d * ((byte >> 4) - 8);
  }
}

/** d·q. */
function decodeQ8(stored: Uint8Array, from: number, out: Float32Array, to: number): void {
  const d = half(stored, from);
  for (let i = 0; i < 32; i++) out[to + i] = d * signed(stored[from + 2 + i]!);
}

/** Eight groups of 32: d·scale·q − dmin·minimum, with scales and minima of 6 bits in 12 bytes. */
function decodeQ4K(stored: Uint8Array, from: number, out: Float32Array, to: number): void {
  const [d, dmin] = [half(stored, from), half(stored, from + 2)];
  const packed = (i: number): number => stored[from + 4 + i]!;
  for (let group = 0; group < 8; group++) {
    const low = group < 4;
    const scale = low ? packed(group) & 63 : (packed(group + 4) & 15) | ((packed(group - 4) >> 6) << 4);
    const minimum = low ? packed(group + 4) & 63 : (packed(group + 4) >> 4) | ((packed(group) >> 6) << 4);
    const [factor, offset] = [f32(d * scale), f32(dmin * minimum)];
    const first = from + 16 + (group >> 1) * 32;
    for (let i = 0; i < 32; i++) {
      const q = (stored[first + i]! >> (4 * (group & 1))) & 15;
      out[to + group * 32 + i] = f32(factor * q) - offset;
    }
  }
}

/** Sixteen groups of 16: d·scale·(q − 32), q of 4 low and 2 high bits, scales of 8. */
function decodeQ6K(stored: Uint8Array, from: number, out: Float32Array, to: number): void {
  const d = half(stored, from + 208);
  for (let at = 0; at < 256; at++) {
    const [side, quarter, i] = [at >> 7, (at >> 5) & 3, at & 31];
    const low = (stored[from + side * 64 + (quarter & 1) * 32 + i]! >> (4 * (quarter >> 1))) & 15;
    const high = (stored[from + 128 + side * 32 + i]! >> (2 * quarter)) & 3;
    const factor = f32(d * signed(stored[from + 192 + (at >> 4)]!));
    out[to + at] = factor * ((low | (high << 4)) - 32);
  }
}
