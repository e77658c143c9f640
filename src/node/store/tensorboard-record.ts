import protobuf from "protobufjs/light.js";
import type { Scalar } from "../../experiment/results/scalars.ts";
import { crc32c } from "./crc32c.ts";

/** The part of tensorflow/core/util/event.proto and framework/summary.proto that scalars need. */
const root = protobuf.Root.fromJSON({
  nested: {
    Event: {
      oneofs: { what: { oneof: ["fileVersion", "summary"] } },
      fields: {
        wallTime: { type: "double", id: 1 },
        step: { type: "int64", id: 2 },
        fileVersion: { type: "string", id: 3 },
        summary: { type: "Summary", id: 5 },
      },
    },
    Summary: { fields: { value: { rule: "repeated", type: "SummaryValue", id: 1 } } },
    SummaryValue: {
      oneofs: { value: { oneof: ["simpleValue"] } },
      fields: { tag: { type: "string", id: 1 }, simpleValue: { type: "float", id: 2 } },
    },
  },
});
const eventProto = root.lookupType("Event");

/** Makes the first record of an event file. `wallTime`: seconds since 1970. */
export function versionRecord(wallTime: number): Uint8Array {
  return record(eventProto.encode({ wallTime, fileVersion: "brain.Event:2" }).finish());
}

/** Makes a record of scalars of one step, stored as float32. */
export function scalarRecord(wallTime: number, step: number, scalars: readonly Omit<Scalar, "step">[]): Uint8Array {
  const value = scalars.map(({ tag, value: simpleValue }) => ({ tag, simpleValue }));
  return record(eventProto.encode({ wallTime, step, summary: { value } }).finish());
}

/** Makes TFRecord's frame: length (uint64), its checksum, the data, its checksum; all little-endian. */
function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** Rotates a checksum and adds a constant, as TFRecord does: a checksum of data that contains its checksum is weak. */
function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
