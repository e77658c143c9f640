import { UserError } from "../diagnostics/user-error.ts";
import type { ByteSource } from "./convert.ts";

/** One tensor of a GGUF file. `shape` is Hugging Face's order, the innermost size last. */
export interface GgufEntry {
  readonly shape: readonly number[];
  /** `ggml_type` */
  readonly type: number;
  /** Byte in the file. */
  readonly position: number;
}

export interface GgufHeader {
  /** Numbers, truths and texts of the metadata, by key. Lists are passed over. */
  readonly metadata: ReadonlyMap<string, number | boolean | string>;
  readonly tensors: ReadonlyMap<string, GgufEntry>;
}

const MAGIC = 0x46_55_47_47;
/** Where a file does not say otherwise, tensors begin at multiples of it. */
export const GGUF_ALIGNMENT = 32;
const PIECE_BYTES = 1 << 20;
/** Far more than any file has; a count is read before the things that it counts. */
const MOST = 1_000_000;
const [TEXT, LIST] = [8, 9];

interface FixedSize {
  readonly bytes: number;
  readonly read: (view: DataView) => number | boolean;
}

/** Values of a fixed size, by gguf_metadata_value_type. */
const FIXED_SIZES: ReadonlyMap<number, FixedSize> = new Map([
  [0, { bytes: 1, read: (view) => view.getUint8(0) }],
  [1, { bytes: 1, read: (view) => view.getInt8(0) }],
  [2, { bytes: 2, read: (view) => view.getUint16(0, true) }],
  [3, { bytes: 2, read: (view) => view.getInt16(0, true) }],
  [4, { bytes: 4, read: (view) => view.getUint32(0, true) }],
  [5, { bytes: 4, read: (view) => view.getInt32(0, true) }],
  [6, { bytes: 4, read: (view) => view.getFloat32(0, true) }],
  [7, { bytes: 1, read: (view) => view.getUint8(0) !== 0 }],
  [10, { bytes: 8, read: (view) => Number(view.getBigUint64(0, true)) }],
  [11, { bytes: 8, read: (view) => Number(view.getBigInt64(0, true)) }],
  [12, { bytes: 8, read: (view) => view.getFloat64(0, true) }],
]);

/** Reads bytes one after another, some ahead. */
class Reader {
  readonly #source: ByteSource;
  #piece: Uint8Array = new Uint8Array();
  #start = 0;
  position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async view(length: number): Promise<DataView> {
    const { size, name } = this.#source;
    if (this.position + length > size) throw new UserError("model", `${name} is cut short: it has ${size} bytes`);
    const end = this.#start + this.#piece.length;
    if (this.position < this.#start || this.position + length > end) {
      this.#start = this.position;
      this.#piece = await this.#source.read(
        this.position,
        Math.min(Math.max(length, PIECE_BYTES), size - this.position),
      );
    }
    const at = this.#piece.byteOffset + this.position - this.#start;
    this.position += length;
    return new DataView(this.#piece.buffer, at, length);
  }

  async uint32(): Promise<number> {
    return (await this.view(4)).getUint32(0, true);
  }

  /** A size or a position. */
  async uint64(): Promise<number> {
    const value = (await this.view(8)).getBigUint64(0, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`has the size ${value}`);
    return Number(value);
  }

  async text(): Promise<string> {
    const view = await this.view(await this.uint64());
    return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  }

  fail(problem: string): UserError {
    return new UserError("model", `${this.#source.name} ${problem}`, { hint: "Download or copy the file again." });
  }
}

/**
 * Reads the header of a GGUF file, versions 2 and 3, little-endian (ggml's docs/gguf.md). Throws a `UserError` of kind
 * `model` that names the file.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const reader = new Reader(source);
  if ((await reader.uint32()) !== MAGIC) throw reader.fail("is not a GGUF file");
  const version = await reader.uint32();
  if (version !== 2 && version !== 3) throw reader.fail(`has GGUF version ${version}, expected 2 or 3`);
  const [tensorCount, valueCount] = [await reader.uint64(), await reader.uint64()];
  if (tensorCount > MOST || valueCount > MOST)
    throw reader.fail(`says it has ${tensorCount} tensors and ${valueCount} values`);
  const metadata = new Map<string, number | boolean | string>();
  for (let i = 0; i < valueCount; i++) {
    const key = await reader.text();
    const value = await readValue(reader, await reader.uint32());
    if (value !== undefined) metadata.set(key, value);
  }
  const listed: [string, GgufEntry][] = [];
  for (let i = 0; i < tensorCount; i++) {
    const name = await reader.text();
    const dimensions = await reader.uint32();
    if (dimensions > 4) throw reader.fail(`gives tensor ${name} ${dimensions} dimensions`);
    const shape: number[] = [];
    for (let axis = 0; axis < dimensions; axis++) shape.unshift(await reader.uint64());
    const type = await reader.uint32();
    listed.push([name, { shape, type, position: await reader.uint64() }]);
  }
  const given = metadata.get("general.alignment") ?? GGUF_ALIGNMENT;
  if (typeof given !== "number" || !Number.isInteger(given) || given < 1)
    throw reader.fail(`has the alignment ${given}`);
  const start = Math.ceil(reader.position / given) * given;
  return {
    metadata,
    tensors: new Map(listed.map(([name, entry]) => [name, { ...entry, position: start + entry.position }])),
  };
}

/** Reads one value; undefined for a list, which is passed over. */
async function readValue(reader: Reader, type: number): Promise<number | boolean | string | undefined> {
  if (type === TEXT) return reader.text();
  if (type === LIST) {
    const [inner, count] = [await reader.uint32(), await reader.uint64()];
    if (inner === LIST) throw reader.fail("has a list of lists in its metadata");
    if (inner !== TEXT) {
      reader.position += count * fixedSize(reader, inner).bytes;
      return undefined;
    }
    for (let i = 0; i < count; i++) {
      const length = await reader.uint64();
      reader.position += length;
    }
    return undefined;
  }
  const { bytes, read } = fixedSize(reader, type);
  return read(await reader.view(bytes));
}

function fixedSize(reader: Reader, type: number): FixedSize {
  const size = FIXED_SIZES.get(type);
  if (size === undefined) throw reader.fail(`has a value of the unknown kind ${type} in its metadata`);
  return size;
}
