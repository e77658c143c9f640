import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

export interface Point {
  readonly wallTime: number;
  readonly step: number;
  readonly value: number;
}

/**
 * The curves of a run's TensorBoard file by tag. Written from TFRecord's and protobuf's descriptions, apart from what
 * writes the file; a wrong checksum, a field that is not known or a file that ends in a record is an Error.
 */
export function curvesOf(runFolder: string): Map<string, Point[]> {
  const folder = path.join(runFolder, "tensorboard");
  const names = readdirSync(folder);
  if (names.length !== 1) throw new Error(`${folder} holds ${names.join(", ")}`);
  const curves = new Map<string, Point[]>();
  for (const [i, event] of recordsOf(readFileSync(path.join(folder, names[0]!))).entries()) {
    const {
      1: wallTime,
      2: step = 0,
      3: version,
      5: summary,
    } = fieldsOf(event, { 1: "double", 2: "varint", 3: "bytes", 5: "bytes" });
    if (i === 0 && String(version?.[0]) !== "brain.Event:2")
      throw new Error(`the first record is version ${String(version?.[0])}`);
    for (const each of summary ?? []) {
      for (const value of fieldsOf(each as Buffer, { 1: "bytes" })[1] ?? []) {
        const { 1: tag, 2: simple } = fieldsOf(value as Buffer, { 1: "bytes", 2: "float" });
        const point = {
          wallTime: Number(wallTime![0]),
          step: Number((step as unknown[])[0] ?? 0),
          value: Number(simple![0]),
        };
        const name = String(tag![0]);
        curves.set(name, [...(curves.get(name) ?? []), point]);
      }
    }
  }
  return curves;
}

function recordsOf(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    if (unmasked(file.readUInt32LE(at + 8)) !== slowCrc(file.subarray(at, at + 8))) throw new Error(`length at ${at}`);
    if (unmasked(file.readUInt32LE(at + 12 + length)) !== slowCrc(data)) throw new Error(`data at ${at}`);
    records.push(data);
    at += 16 + length;
  }
  return records;
}

function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

/** Long division, a bit at a time. */
function slowCrc(data: Buffer): number {
  let rest = 0xffffffff;
  for (const byte of data) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0x82f63b78 : rest >>> 1;
  }
  return (rest ^ 0xffffffff) >>> 0;
}

type Kind = "varint" | "double" | "float" | "bytes";
const WIRE: Readonly<Record<Kind, number>> = { varint: 0, double: 1, bytes: 2, float: 5 };

function fieldsOf(message: Buffer, kinds: Readonly<Record<number, Kind>>): Record<number, (number | Buffer)[]> {
  const fields: Record<number, (number | Buffer)[]> = {};
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const kind = kinds[key >>> 3];
    if (kind === undefined || WIRE[kind] !== (key & 7)) throw new Error(`field ${key >>> 3} of wire type ${key & 7}`);
    let value: number | Buffer;
    if (kind === "varint") value = varint();
    else if (kind === "bytes") {
      const length = varint();
      value = message.subarray(at, (at += length));
    } else {
      value = kind === "double" ? message.readDoubleLE(at) : message.readFloatLE(at);
      at += kind === "double" ? 8 : 4;
    }
    (fields[key >>> 3] ??= []).push(value);
  }
  return fields;
}
