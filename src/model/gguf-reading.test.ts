import { describe, expect, test } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import type { ByteSource } from "./convert.ts";
import { GGML_FORMATS } from "./gguf-blocks.ts";
import { readGgufHeader } from "./gguf-header.ts";

/** The Python package gguf of llama.cpp made these: scripts/golden/make_gguf_reading.py. */
const golden = goldenJson("gguf-reading.json") as {
  readonly blocks: Readonly<Record<string, { readonly stored: string; readonly values: string }>>;
  readonly file: string;
  readonly second: string;
};

const source = (bytes: Uint8Array): ByteSource => ({
  name: "m.gguf",
  size: bytes.length,
  read: async (position, length) => bytes.slice(position, position + length),
});
const whole = new Uint8Array(Buffer.from(golden.file, "hex"));

test.each(Object.entries(golden.blocks))("%s is dequantised to the bit", (name, { stored, values }) => {
  const format = [...GGML_FORMATS.values()].find((each) => each.name === name)!;
  const got = format.decode(new Uint8Array(Buffer.from(stored, "hex")));
  expect(Buffer.from(got.buffer).toString("hex")).toBe(values);
});

test("a header has every kind of value, and places of tensors", async () => {
  const { metadata, tensors } = await readGgufHeader(source(whole));
  const wanted = { uint8: 200, int8: -3, uint16: 60_000, int16: -300, uint32: 4_000_000_000, int32: -70_000 };
  const more = {
    uint64: 2 ** 40,
    int64: -(2 ** 40),
    float32: Math.fround(0.1),
    float64: 0.1,
    bool: true,
    string: "Größe",
  };
  for (const [key, value] of Object.entries({ ...wanted, ...more }))
    expect(metadata.get(`test.${key}`), key).toBe(value);
  expect(metadata.get("general.architecture")).toBe("llama");
  expect(metadata.has("test.texts")).toBe(false);
  const { first, second } = Object.fromEntries(tensors);
  expect([first!.shape, first!.type, second!.shape, second!.type]).toEqual([[3, 4], 0, [2, 64], 8]);
  const numbers = new Float32Array(whole.slice(first!.position, first!.position + 48).buffer);
  expect([...numbers]).toEqual(Array.from({ length: 12 }, (_, i) => i));
  const stored = whole.slice(second!.position, second!.position + golden.second.length / 2);
  expect(Buffer.from(stored).toString("hex")).toBe(golden.second);
});

describe("a damaged header is refused by the file's name", () => {
  const changed = (edit: (view: DataView) => void): Uint8Array => {
    const copy = whole.slice();
    edit(new DataView(copy.buffer));
    return copy;
  };
  test.each([
    ["another file", changed((view) => view.setUint8(0, 0)), "m.gguf is not a GGUF file"],
    ["a version of the future", changed((view) => view.setUint32(4, 9, true)), "GGUF version 9, expected 2 or 3"],
    ["too many tensors", changed((view) => view.setBigUint64(8, 2n ** 40n, true)), "says it has 1099511627776 tensors"],
    ["a size beyond all", changed((view) => view.setBigUint64(8, 2n ** 63n, true)), "has the size 9223372036854775808"],
    ["its first half", whole.slice(0, 300), "m.gguf is cut short: it has 300 bytes"],
    ["nothing", new Uint8Array(), "m.gguf is cut short: it has 0 bytes"],
  ])("%s", async (_title, bytes, message) => {
    await expect(readGgufHeader(source(bytes))).rejects.toThrow(message);
  });
});
