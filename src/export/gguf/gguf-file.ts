import { GGML_FORMATS, storedBytes } from "../../model/gguf-blocks.ts";
import { GGUF_ALIGNMENT } from "../../model/gguf-header.ts";
import type { ExportFile } from "../target.ts";

/** A value of GGUF's metadata. */
export type GgufValue =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly int32s: readonly number[] }
  | { readonly float32s: readonly number[] };

export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** ggml_type */
const GGML_TYPES = { f32: 0, f16: 1, q8_0: 8, bf16: 30 } as const;
export type GgmlType = keyof typeof GGML_TYPES;

/** A tensor of the file. Its shape is Hugging Face's [rows, columns]; GGUF lists sizes from the innermost. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlType;
  readonly shape: readonly number[];
}

const VERSION = 3;
/** gguf_metadata_value_type */
const TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/** Elements of a block that q8_0 stores with one scale. */
export const Q8_BLOCK = 32;

function tensorBytes({ type, shape }: Pick<GgufTensor, "type" | "shape">): number {
  return storedBytes(GGML_FORMATS.get(GGML_TYPES[type])!, shape);
}

/** Writes metadata and the list of tensors, and then each tensor as `bytesOf` gives it, in order (GGUF version 3, little-endian). */
export async function writeGguf(
  file: ExportFile,
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
  bytesOf: (tensor: GgufTensor, index: number) => Promise<Uint8Array>,
): Promise<void> {
  const head = encodeHead(metadata, tensors);
  await file.write(head);
  await file.write(new Uint8Array(padding(head.length)));
  for (const [i, tensor] of tensors.entries()) {
    const bytes = await bytesOf(tensor, i);
    if (bytes.length !== tensorBytes(tensor)) {
      throw new Error(`tensor ${tensor.name}: got ${bytes.length} bytes, expected ${tensorBytes(tensor)}`);
    }
    await file.write(bytes);
    await file.write(new Uint8Array(padding(bytes.length)));
  }
}

const padding = (bytes: number): number => (GGUF_ALIGNMENT - (bytes % GGUF_ALIGNMENT)) % GGUF_ALIGNMENT;

function encodeHead(metadata: GgufMetadata, tensors: readonly GgufTensor[]): Uint8Array {
  const out = new ByteWriter();
  out.text("GGUF");
  out.uint32(VERSION);
  out.uint64(tensors.length);
  out.uint64(metadata.size);
  for (const [key, value] of metadata) {
    out.string(key);
    writeValue(out, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    out.string(tensor.name);
    out.uint32(tensor.shape.length);
    for (const size of [...tensor.shape].reverse()) out.uint64(size);
    out.uint32(GGML_TYPES[tensor.type]);
    out.uint64(offset);
    const bytes = tensorBytes(tensor);
    offset += bytes + padding(bytes);
  }
  return out.bytes();
}

function writeValue(out: ByteWriter, value: GgufValue): void {
  const array = (type: number, length: number): void => {
    out.uint32(TYPES.array);
    out.uint32(type);
    out.uint64(length);
  };
  if ("uint32" in value) {
    out.uint32(TYPES.uint32);
    out.uint32(value.uint32);
  } else if ("float32" in value) {
    out.uint32(TYPES.float32);
    out.float32(value.float32);
  } else if ("bool" in value) {
    out.uint32(TYPES.bool);
    out.uint8(value.bool ? 1 : 0);
  } else if ("string" in value) {
    out.uint32(TYPES.string);
    out.string(value.string);
  } else if ("strings" in value) {
    array(TYPES.string, value.strings.length);
    for (const text of value.strings) out.string(text);
  } else if ("int32s" in value) {
    array(TYPES.int32, value.int32s.length);
    for (const number of value.int32s) out.uint32(number);
  } else {
    array(TYPES.float32, value.float32s.length);
    for (const number of value.float32s) out.float32(number);
  }
}

/** Bytes that grow, little-endian. */
class ByteWriter {
  #buffer = new Uint8Array(1 << 16);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  text(value: string): void {
    this.#append(new TextEncoder().encode(value));
  }

  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.uint64(bytes.length);
    this.#append(bytes);
  }

  uint8(value: number): void {
    this.#append(Uint8Array.of(value));
  }

  uint32(value: number): void {
    this.#number(4, (view) => view.setUint32(0, value, true));
  }

  uint64(value: number): void {
    this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  }

  float32(value: number): void {
    this.#number(4, (view) => view.setFloat32(0, value, true));
  }

  #number(bytes: number, set: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(bytes));
    set(view);
    this.#append(new Uint8Array(view.buffer));
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
      larger.set(this.bytes());
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }
}
