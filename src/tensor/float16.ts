let table: Uint32Array | undefined;

/** Returns the float32 bits of every float16: 256 KiB, made on first use. */
function float32BitsOfFloat16(): Uint32Array {
  if (table !== undefined) return table;
  table = new Uint32Array(65536);
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      // Zero or subnormal: fraction·2^-24, which every float32 holds exactly.
      value[0] = fraction * 2 ** -24;
      table[half] = sign | bits[0]!;
    } else {
      table[half] = sign | ((exponent === 31 ? 0xff : exponent + 112) << 23) | (fraction << 13);
    }
  }
  return table;
}

/** Converts IEEE half precision to single: exact for every input, NaN payloads kept. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const bitsOf = float32BitsOfFloat16();
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = bitsOf[halves[i]!]!;
  return new Float32Array(bits.buffer);
}

let values: Float32Array | undefined;

/** Converts one half precision number, given by its 16 bits. */
export function float16Value(bits: number): number {
  values ??= new Float32Array(float32BitsOfFloat16().buffer);
  return values[bits]!;
}

/** Converts bfloat16 to single precision: exact for every input. */
export function bfloat16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/**
 * Converts single to half precision, to nearest, ties to even. Magnitudes of 65520 and more become infinite. Below
 * 2^-14 the result is subnormal; 2^-25 and less becomes zero.
 */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      halves[i] = sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    } else if (magnitude >= 0x47800000) {
      halves[i] = sign | 0x7c00;
    } else if (magnitude >= 0x38800000) {
      // A carry out of the fraction moves into the exponent, up to infinity: that is the right rounding.
      const odd = (magnitude >>> 13) & 1;
      halves[i] = sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
    } else if (magnitude > 0x33000000) {
      const shift = 126 - (magnitude >>> 23);
      const fraction = (magnitude & 0x7fffff) | 0x800000;
      const kept = fraction >>> shift;
      const rest = fraction & ((1 << shift) - 1);
      const half = 1 << (shift - 1);
      halves[i] = sign | (rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept);
    } else {
      halves[i] = sign;
    }
  }
  return halves;
}

/** Converts single precision to bfloat16, to nearest, ties to even. Magnitudes that round beyond the largest become infinite. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    // A NaN must not round to an infinity.
    halves[i] = (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}
