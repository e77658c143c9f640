import { UserError } from "../diagnostics/user-error.ts";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.ts";
import type { Floats, Params, Tensor } from "./params.ts";
import { formatShape } from "./shape.ts";

/** Bytes of an element, for each dtype of the format. `decodeElements` reads only F64, F32, F16 and BF16. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

const DECODABLE = "F32, F16, BF16 and F64";

const AGAIN = "Download or copy the file again.";

/** The format's own limit, against a nonsense length that would allocate gigabytes. */
const HEADER_LIMIT_BYTES = 100_000_000;

export interface SafetensorsEntry {
  readonly name: string;
  /** `F32`, `BF16`, …, as the header spells it. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte range within the file (not within its data section). */
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. They cover the data section without gap or overlap. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads how many bytes the header takes, its 8-byte length included, from the first 8 bytes of a file of `fileLength`
 * bytes. Throws a `UserError` of kind `model` if that cannot be a header.
 */
export function headerByteLength(bytes: Uint8Array, where: string, fileLength: number = bytes.length): number {
  if (fileLength < 8 || bytes.length < 8) {
    throw new UserError(
      "model",
      `${where} is not a safetensors file: it has ${fileLength} bytes, and a header alone needs 8`,
      { hint: AGAIN },
    );
  }
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (length > HEADER_LIMIT_BYTES) {
    throw new UserError(
      "model",
      `${where} is not a safetensors file: its first 8 bytes claim a header of ${length} bytes`,
      { hint: AGAIN },
    );
  }
  if (8 + length > fileLength) {
    throw new UserError(
      "model",
      `${where} is cut short: it has ${fileLength} bytes, and its header needs ${8 + length}`,
      { hint: AGAIN },
    );
  }
  return 8 + length;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function parseEntry(name: string, value: unknown, dataStart: number, where: string): SafetensorsEntry {
  const bad = (problem: string): UserError => new UserError("model", `${where}: header of tensor ${name}: ${problem}`);
  if (typeof value !== "object" || value === null) throw bad(`expected an object, got ${JSON.stringify(value)}`);
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const elementBytes =
    typeof dtype === "string" && Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  if (typeof dtype !== "string" || elementBytes === undefined) throw bad(`unknown dtype ${JSON.stringify(dtype)}`);
  if (!Array.isArray(shape) || !shape.every(isCount)) throw bad(`bad shape ${JSON.stringify(shape)}`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw bad(`bad data_offsets ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = shape.reduce((product, size) => product * size, elementBytes);
  if (end - begin !== needed) {
    throw bad(`${dtype} ${formatShape(shape)} needs ${needed} bytes, its data_offsets hold ${end - begin}`);
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

function parseMetadata(value: unknown, where: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : undefined;
  if (entries === undefined || !entries.every(([, text]) => typeof text === "string")) {
    throw new UserError("model", `${where}: __metadata__ must map names to strings, got ${JSON.stringify(value)}`);
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

/**
 * Parses the header of a safetensors file. `bytes` begins with the file's first byte and holds at least the header
 * (`headerByteLength`); `fileLength` is the length of the whole file. Throws a `UserError` of kind `model` that names
 * `where`, if the file is truncated, has bytes of no tensor, has overlapping tensors, or has no readable header.
 */
export function parseHeader(
  bytes: Uint8Array,
  where = "safetensors data",
  fileLength: number = bytes.length,
): SafetensorsHeader {
  const dataStart = headerByteLength(bytes, where, fileLength);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, dataStart)));
  } catch (cause) {
    throw new UserError("model", `${where} is not a safetensors file: its header is not JSON`, { hint: AGAIN, cause });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UserError("model", `${where} is not a safetensors file: its header is not a JSON object`);
  }
  const { __metadata__: metadata, ...tensors } = json as Record<string, unknown>;
  const entries = Object.entries(tensors)
    .map(([name, value]) => parseEntry(name, value, dataStart, where))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = dataStart;
  let previous: string | undefined;
  for (const { name, begin, end } of entries) {
    if (begin < position) throw new UserError("model", `${where}: tensors ${previous} and ${name} overlap`);
    if (begin > position)
      throw new UserError("model", `${where}: ${begin - position} bytes before tensor ${name} belong to no tensor`);
    [position, previous] = [end, name];
  }
  if (position > fileLength) {
    throw new UserError(
      "model",
      `${where} is cut short: it has ${fileLength} bytes, and its tensors need ${position}`,
      { hint: AGAIN },
    );
  }
  if (position < fileLength) {
    throw new UserError(
      "model",
      `${where} has ${fileLength} bytes, ${fileLength - position} more than its tensors need`,
    );
  }
  return { entries, metadata: parseMetadata(metadata, where) };
}

/**
 * Decodes the elements of one tensor from its little-endian bytes: F64 to a Float64Array; F32, F16 and BF16 to a
 * Float32Array. The result is always a copy. Throws a `UserError` of kind `model` that names `where` for another dtype.
 */
export function decodeElements(dtype: string, bytes: Uint8Array, where: string): Floats {
  // A Node Buffer's own slice shares memory, and a view needs an offset that is a multiple of the element size.
  const buffer = new Uint8Array(bytes).buffer;
  switch (dtype) {
    case "F64":
      return new Float64Array(buffer);
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return float16ToFloat32(new Uint16Array(buffer));
    case "BF16":
      return bfloat16ToFloat32(new Uint16Array(buffer));
    default:
      throw new UserError("model", `${where} has dtype ${dtype}; this program reads ${DECODABLE}`);
  }
}

/**
 * Decodes all tensors of a safetensors file, by ascending name. F16 and BF16 become float32, F64 stays float64. Throws a
 * `UserError` of kind `model` that names `where` for a damaged file or a dtype that is not a float.
 */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors data"): Params {
  const tensors: [string, Tensor][] = [];
  for (const { name, dtype, shape, begin, end } of parseHeader(bytes, where).entries) {
    tensors.push([
      name,
      { shape, data: decodeElements(dtype, bytes.subarray(begin, end), `${where}: tensor ${name}`) },
    ]);
  }
  return new Map(tensors.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A tensor that is about to be written. */
export interface SafetensorsPlan {
  readonly name: string;
  readonly dtype: "F64" | "F32" | "F16" | "BF16";
  readonly shape: readonly number[];
}

export function planBytes({ dtype, shape }: Pick<SafetensorsPlan, "dtype" | "shape">): number {
  return shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]!);
}

/**
 * Encodes the head of a safetensors file, its 8-byte length included. The tensors' bytes follow it in the same order without
 * gaps. It is padded with spaces to 8 bytes; wider dtypes must come first, so that every tensor is aligned.
 */
export function encodeHeader(
  tensors: readonly SafetensorsPlan[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const fields: string[] = [];
  const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length > 0) {
    fields.push(`"__metadata__":{${sorted.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(",")}}`);
  }
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = offset + planBytes({ dtype, shape });
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const header = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerLength = Math.ceil(header.length / 8) * 8;
  const head = new Uint8Array(8 + headerLength).fill(0x20, 8 + header.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(headerLength), true);
  head.set(header, 8);
  return head;
}

/**
 * Encodes F32 and F64 tensors as a safetensors file. The same tensors and metadata give the same bytes in any order:
 * wider dtypes come first, then names ascend. `metadata` maps names to strings (PEFT and transformers expect
 * `format: "pt"`).
 */
export function encodeSafetensors(
  params: Params,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const tensors = [...params].sort(
    ([a, x], [b, y]) => y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  );
  const head = encodeHeader(
    tensors.map(([name, { shape, data }]) => ({ name, dtype: data instanceof Float64Array ? "F64" : "F32", shape })),
    metadata,
  );
  const file = new Uint8Array(head.length + tensors.reduce((sum, [, { data }]) => sum + data.byteLength, 0));
  file.set(head);
  let position = head.length;
  for (const [, { data }] of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}
