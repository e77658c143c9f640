import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import type { Params } from "./params.ts";
import { decodeSafetensors, encodeSafetensors, parseHeader } from "./safetensors.ts";

/** A file with this header text and so many zero bytes of data. */
function file(header: string, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const tensor = (dtype: string, shape: number[], begin: number, end: number): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

const params: Params = new Map([
  ["odd", { shape: [3], data: Float32Array.of(1, -0, 2 ** -149) }],
  ["double", { shape: [2, 1], data: Float64Array.of(Math.PI, -Infinity) }],
  ["empty", { shape: [0, 4], data: new Float32Array(0) }],
  ["scalar", { shape: [], data: Float32Array.of(7) }],
]);

describe("safetensors", () => {
  it("round-trips, deterministically and aligned", () => {
    const bytes = encodeSafetensors(params, { format: "pt", a: "ü" });
    const { entries, metadata } = parseHeader(bytes);
    expect(decodeSafetensors(bytes)).toEqual(params);
    expect(metadata).toEqual({ format: "pt", a: "ü" });
    expect(entries.map((e) => e.name)).toEqual(["double", "empty", "odd", "scalar"]);
    for (const { dtype, begin } of entries) expect(begin % (dtype === "F64" ? 8 : 4)).toBe(0);
    expect(encodeSafetensors(new Map([...params].reverse()), { a: "ü", format: "pt" })).toEqual(bytes);
    expect(parseHeader(encodeSafetensors(new Map())).entries).toEqual([]);
  });

  it("reads from a view at an odd offset and from a Node buffer, and always copies", () => {
    const bytes = encodeSafetensors(params);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const buffer = Buffer.from(shifted.buffer, 1);
    const decoded = decodeSafetensors(buffer);
    buffer.fill(0);
    expect(decoded).toEqual(params);
  });

  it("widens F16 and BF16", () => {
    const bytes = file(`{"h":${tensor("F16", [2], 0, 4)},"b":${tensor("BF16", [1], 4, 6)}}`, 6);
    bytes.set([0x00, 0x3c, 0x01, 0x00, 0x80, 0x3f], bytes.length - 6);
    const decoded = decodeSafetensors(bytes);
    expect(decoded.get("h")!.data).toEqual(Float32Array.of(1, 2 ** -24));
    expect(decoded.get("b")!.data).toEqual(Float32Array.of(1));
  });

  it("keeps names that objects treat specially", () => {
    const odd: Params = new Map(
      ["10", "9", "__proto__", 'q"uote'].map((name) => [name, { shape: [1], data: Float32Array.of(1) }]),
    );
    expect([...decodeSafetensors(encodeSafetensors(odd)).keys()]).toEqual(["10", "9", "__proto__", 'q"uote']);
  });

  it.each([
    ["an empty file", new Uint8Array(0), "w.st is not a safetensors file: it has 0 bytes"],
    ["text", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1"), "claim a header of"],
    [
      "a header beyond the end",
      file("{}", 0).subarray(0, 9),
      "w.st is cut short: it has 9 bytes, and its header needs 10",
    ],
    ["no JSON", file("{nope", 0), "its header is not JSON"],
    ["a list", file("[]", 0), "not a JSON object"],
    [
      "data beyond the end",
      file(`{"x":${tensor("F32", [4], 0, 16)}}`, 12),
      "cut short: it has 75 bytes, and its tensors need 79",
    ],
    ["data left over", file(`{"x":${tensor("F32", [1], 0, 4)}}`, 9), "5 more than its tensors need"],
    [
      "overlap",
      file(`{"x":${tensor("F32", [2], 0, 8)},"y":${tensor("F32", [2], 4, 12)}}`, 12),
      "tensors x and y overlap",
    ],
    ["a gap", file(`{"x":${tensor("F32", [1], 4, 8)}}`, 8), "4 bytes before tensor x belong to no tensor"],
    ["a wrong size", file(`{"x":${tensor("F32", [3], 0, 8)}}`, 8), "F32 [3] needs 12 bytes, its data_offsets hold 8"],
    ["a reversed range", file(`{"x":${tensor("F32", [0], 8, 0)}}`, 8), "data_offsets hold -8"],
    ["a bad shape", file(`{"x":${tensor("F32", [-1], 0, 4)}}`, 4), "bad shape [-1]"],
    ["an unknown dtype", file(`{"x":${tensor("Q4", [1], 0, 4)}}`, 4), 'unknown dtype "Q4"'],
    ["a dtype of Object's", file(`{"x":${tensor("toString", [1], 0, 4)}}`, 4), 'unknown dtype "toString"'],
    [
      "an integer tensor",
      file(`{"x":${tensor("I32", [1], 0, 4)}}`, 4),
      "tensor x has dtype I32; this program reads F32",
    ],
    ["metadata of numbers", file(`{"__metadata__":{"a":1}}`, 0), "__metadata__ must map names to strings"],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "w.st")).toThrow(message);
    expect(() => decodeSafetensors(bytes, "w.st")).toThrow(UserError);
  });

  it("gives back, byte for byte, what Hugging Face's library wrote", () => {
    const root = new URL("../../test/golden/", import.meta.url);
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".safetensors"),
    );
    expect(files.length).toBeGreaterThanOrEqual(36);
    for (const name of files) {
      const bytes = readFileSync(new URL(name, root));
      const { metadata } = parseHeader(bytes, name);
      const decoded = decodeSafetensors(bytes, name);
      expect(Buffer.compare(encodeSafetensors(decoded, metadata), bytes)).toBe(0);
    }
  });
});
