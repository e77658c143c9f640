import { UserError } from "../diagnostics/user-error.ts";
import { float16ToFloat32, float32ToFloat16 } from "../tensor/float16.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Tensor } from "../tensor/params.ts";
import type { PackedPlace } from "./stage.ts";

/** A tensor of an update with its place, in the order in which codecs write them: by group, then by name. */
export interface PlacedTensor {
  readonly group: string;
  readonly name: string;
  readonly tensor: Tensor;
}

/** The tensors of groups in the order of their bytes, which does not depend on that of the maps. */
export function inOrder(groups: Groups): PlacedTensor[] {
  const ascending = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);
  return Object.entries(groups)
    .sort(ascending)
    .flatMap(([group, params]) => [...params].sort(ascending).map(([name, tensor]) => ({ group, name, tensor })));
}

/** Makes groups of the shape of `shape` with float64 values; `values` are one array a tensor, as `inOrder` lists them. */
export function groupsOf(shape: Groups, values: readonly Float64Array[]): Groups {
  // By group and name: two groups may share a tensor in a shape.
  const data = new Map(inOrder(shape).map(({ group, name }, i) => [`${group}/${name}`, values[i]!]));
  return Object.fromEntries(
    Object.entries(shape).map(([group, params]) => [
      group,
      new Map(
        [...params].map(([name, { shape: dims }]) => [name, { shape: dims, data: data.get(`${group}/${name}`)! }]),
      ),
    ]),
  );
}

/** The first byte of each packing, so that one is not read as another. */
const FORMATS = { int8: 1, int4: 2, ternary: 3, topk: 4 } as const;
export type Format = keyof typeof FORMATS;

/** Bytes of a packed update before its numbers and their scales. */
export function headerBytes({ round, client }: PackedPlace): number {
  const name = new TextEncoder().encode(client).length;
  return 1 + varintBytes(round) + varintBytes(name) + name;
}

/** Bytes of a number in LEB128. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Writes little-endian bytes into a buffer that grows. */
export class PackedWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** Begins with the format, and with the round and the client, so that no two updates of a run are the same blob. */
  constructor(format: Format, { round, client }: PackedPlace, expected = 0) {
    const name = new TextEncoder().encode(client);
    this.#bytes = new Uint8Array(expected + headerBytes({ round, client }));
    this.uint8(FORMATS[format]);
    this.varint(round);
    this.varint(name.length);
    this.bytes(name);
  }

  #reserve(more: number): number {
    const at = this.#length;
    if (at + more > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, at + more));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#length += more;
    return at;
  }

  uint8(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  bytes(values: Uint8Array | Int8Array): void {
    const at = this.#reserve(values.length);
    this.#bytes.set(values, at);
  }

  /** LEB128: seven bits a byte, the lowest first. */
  varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.uint8((rest % 128) | 128);
    this.uint8(rest);
  }

  float32(value: number): void {
    const at = this.#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(at, value, true);
  }

  float16s(values: Float32Array): void {
    const halves = float32ToFloat16(values);
    const at = this.#reserve(2 * halves.length);
    const view = new DataView(this.#bytes.buffer);
    for (const [i, half] of halves.entries()) view.setUint16(at + 2 * i, half, true);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Reads what a `PackedWriter` wrote, of another party: every read is checked against the end of the bytes. */
export class PackedReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @throws UserError of kind `model` for another format, round or client. */
  constructor(bytes: Uint8Array, format: Format, { round, client }: PackedPlace) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const first = this.uint8();
    if (first !== FORMATS[format]) {
      const known = Object.entries(FORMATS).find(([, number]) => number === first);
      throw damaged(
        `it is ${known === undefined ? "in no packing of ours" : `packed as ${known[0]}`}, not as ${format}`,
      );
    }
    const [writtenFor, length] = [this.varint(), this.varint()];
    const name = new TextEncoder().encode(client);
    const same = length === name.length && this.bytes(length).every((byte, i) => byte === name[i]);
    if (writtenFor !== round || !same) throw damaged("it is of another round or another client");
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    if (count > this.left)
      throw damaged(`it ends after ${this.#bytes.length} bytes, and ${count - this.left} are missing`);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  /** At most five bytes, and not more than the value needs. */
  varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 128 ** 4; factor *= 128) {
      const byte = this.uint8();
      value += (byte & 127) * factor;
      if (byte < 128) {
        if (byte === 0 && factor > 1) break;
        return value;
      }
    }
    throw damaged("a number in it is too long");
  }

  /** A scale: finite and not negative. */
  scale(): number {
    const value = this.#view.getFloat32(this.#take(4), true);
    if (!Number.isFinite(value) || value < 0) throw damaged(`a scale in it is ${value}`);
    return value;
  }

  float16s(count: number): Float32Array {
    const at = this.#take(2 * count);
    const values = float16ToFloat32(
      Uint16Array.from({ length: count }, (_, i) => this.#view.getUint16(at + 2 * i, true)),
    );
    if (!values.every(Number.isFinite)) throw damaged("a value in it is not finite");
    return values;
  }

  /** @throws UserError of kind `model` where bytes are left. */
  end(): void {
    if (this.left > 0) throw damaged(`it has ${this.left} bytes too many`);
  }
}

/** Makes the error for a packed update that cannot be read. */
export function damaged(problem: string): UserError {
  return new UserError("model", `the packed update cannot be read: ${problem}`);
}
