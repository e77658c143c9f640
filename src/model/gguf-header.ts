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
const ALIGNMENT = 32;
const PIECE_BYTES = 1 << 20;
/** Far more than any file has; a count is read before the things that it counts. */
const MOST = 1_000_000;
/** Bytes of a value, by gguf_metadata_value_type; text and list have no fixed size. */
const BYTES: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const [INT8, INT16, UINT32, INT32, FLOAT32, BOOL, TEXT, LIST] = [1, 3, 4, 5, 6, 7, 8, 9];

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
  const given = metadata.get("general.alignment") ?? ALIGNMENT;
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
      reader.position += count * bytesOf(reader, inner);
      return undefined;
    }
    for (let i = 0; i < count; i++) {
      const length = await reader.uint64();
      reader.position += length;
    }
    return undefined;
  }
  const view = await reader.view(bytesOf(reader, type));
  switch (type) {
    case INT8:
      return view.getInt8(0);
    case INT16:
      return view.getInt16(0, true);
    case UINT32:
      return view.getUint32(0, true);
    case INT32:
      return view.getInt32(0, true);
    case FLOAT32:
      return view.getFloat32(0, true);
    case BOOL:
      return view.getUint8(0) !== 0;
    case 12:
      return view.getFloat64(0, true);
    default:
      if (view.byteLength === 8) return Number(type === 11 ? view.getBigInt64(0, true) : view.getBigUint64(0, true));
      return view.byteLength === 2 ? view.getUint16(0, true) : view.getUint8(0);
  }
}

function bytesOf(reader: Reader, type: number): number {
  const bytes = BYTES[type];
  if (bytes === undefined || bytes === 0) throw reader.fail(`has a value of the unknown kind ${type} in its metadata`);
  return bytes;
}
