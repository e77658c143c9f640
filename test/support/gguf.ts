/** What a GGUF file holds, read by a reader that shares nothing with the writer. */
export interface ReadGguf {
  readonly metadata: ReadonlyMap<string, unknown>;
  /** Sizes from the innermost, ggml_type, and the bytes from the tensor's start. */
  readonly tensors: ReadonlyMap<
    string,
    { readonly sizes: readonly number[]; readonly type: number; readonly bytes: Buffer }
  >;
}

export function readGguf(file: Uint8Array): ReadGguf {
  const data = Buffer.from(file);
  let at = 0;
  const number = (bytes: number): number => {
    at += bytes;
    return bytes === 8 ? Number(data.readBigUInt64LE(at - 8)) : data.readUIntLE(at - bytes, bytes);
  };
  const text = (): string => {
    const length = number(8);
    at += length;
    return data.toString("utf8", at - length, at);
  };
  const value = (type: number): unknown => {
    switch (type) {
      case 4:
        return number(4);
      case 5:
        return number(4) | 0;
      case 6:
        at += 4;
        return data.readFloatLE(at - 4);
      case 7:
        return number(1) === 1;
      case 8:
        return text();
      case 9: {
        const inner = number(4);
        return Array.from({ length: number(8) }, () => value(inner));
      }
      default:
        throw new Error(`type ${type}`);
    }
  };
  if (data.toString("latin1", 0, 4) !== "GGUF") throw new Error("no GGUF");
  at = 4;
  if (number(4) !== 3) throw new Error("another version");
  const [tensorCount, valueCount] = [number(8), number(8)];
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < valueCount; i++) {
    const key = text();
    metadata.set(key, value(number(4)));
  }
  const infos = Array.from({ length: tensorCount }, () => {
    const name = text();
    const sizes = Array.from({ length: number(4) }, () => number(8));
    return { name, sizes, type: number(4), offset: number(8) };
  });
  const start = Math.ceil(at / 32) * 32;
  if (infos.some(({ offset }) => offset % 32 !== 0)) throw new Error("a tensor that is not aligned");
  return {
    metadata,
    tensors: new Map(
      infos.map(({ name, sizes, type, offset }) => [name, { sizes, type, bytes: data.subarray(start + offset) }]),
    ),
  };
}

/** The first values of a float32 tensor. */
export function floats(bytes: Buffer, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => bytes.readFloatLE(4 * i));
}
