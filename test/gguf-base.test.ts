import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gguf } from "../src/export/gguf/gguf.ts";
import type { ExportDtype } from "../src/export/target.ts";
import type { BaseModel } from "../src/model/base-model.ts";
import { ggufWeights } from "../src/model/gguf-weights.ts";
import { expectedTensors } from "../src/model/names.ts";
import { openModel } from "../src/node/model/model-source.ts";
import { EXPORT_OPTIONS, goldenSource, memoryFolder, withTokenizer } from "./support/export-folder.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

// A base in a GGUF file, as llama.cpp's programs have it. Its numbers are in src/model/gguf-reading.test.ts.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-gguf-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const cacheDir = at("cache");

beforeAll(() => {
  writeTinyModel(at("plain"));
  writeTinyModel(at("base"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function exported(base: BaseModel, dtype: ExportDtype): Promise<Uint8Array> {
  const { folder: made, files } = memoryFolder();
  await gguf.write({ base, adapter: undefined }, made, { ...EXPORT_OPTIONS, dtype });
  return files.get("model.gguf")!;
}

const sourceOf = (bytes: Uint8Array) => ({
  name: "m.gguf",
  size: bytes.length,
  read: async (position: number, length: number) => bytes.slice(position, position + length),
});

test.each(["f32", "f16", "bf16", "q8_0"] as const)("a folder with a %s file is a base model", async (dtype) => {
  const plain = await openModel(at("plain"), { cacheDir });
  rmSync(at("base", "model.safetensors"), { force: true });
  writeFileSync(at("base", "model.gguf"), await exported(plain, dtype));
  const base = await openModel(at("base"), { cacheDir });
  // A scale for 32 weights, of which the largest is near 0.5.
  const limit = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8, q8_0: 2 ** -7 }[dtype];
  for (const name of expectedTensors(plain.modelConfig).keys()) {
    const [got, wanted] = [await base.weights.read(name), await plain.weights.read(name)];
    expect(got.shape, name).toEqual(wanted.shape);
    const [values, exact] = [got.data as Float32Array, wanted.data as Float32Array];
    const largest = Math.max(...exact.map(Math.abs));
    values.forEach((value, i) => expect(Math.abs(value - exact[i]!), name).toBeLessThanOrEqual(limit * largest));
  }
});

const PLAIN = { qkvBias: false, outputBias: false, mlpBias: false };

test.each([
  ["llama", {}],
  ["mistral", {}],
  ["qwen2", {}],
  ["qwen3", {}],
  ["gemma", {}],
  ["gemma2", { ...PLAIN, attentionScale: 16 ** -0.5 }],
  ["olmo2", PLAIN],
  ["smollm3", { ...PLAIN, unrotatedLayers: [], slidingWindow: [undefined, undefined] }],
  ["granite", PLAIN],
])("%s comes back from its GGUF file", async (family, change) => {
  const golden = withTokenizer(goldenSource(family));
  const base = { ...golden.base, modelConfig: { ...golden.base.modelConfig, ...change } };
  const bytes = await exported(base, "f32");
  const source = await ggufWeights(sourceOf(bytes), base.modelConfig);
  for (const name of expectedTensors(base.modelConfig).keys()) {
    const pieces: number[] = [];
    for await (const piece of source.pieces(name)) pieces.push(...piece);
    const { data } = await base.weights.read(name);
    // Gemma's 1 + weight is rounded.
    pieces.forEach((value, i) => expect(Math.abs(value - Number(data[i]!)), name).toBeLessThan(2e-7));
  }
});

describe("bad input", () => {
  test("two files, and none", async () => {
    writeFileSync(at("base", "other.gguf"), "");
    await expect(openModel(at("base"), { cacheDir })).rejects.toThrow(
      "has 2 GGUF files: model.gguf, other.gguf; expected one",
    );
    for (const name of ["model.gguf", "other.gguf"]) rmSync(at("base", name), { force: true });
    await expect(openModel(at("base"), { cacheDir })).rejects.toThrow("onnx/model_quantized.onnx and a file *.gguf");
  });

  test("a file of another architecture, a tensor of a type that is not read, one that is missing, a file cut short", async () => {
    const plain = await openModel(at("plain"), { cacheDir });
    const bytes = await exported(plain, "f16");
    const config = plain.modelConfig;
    const read = (change: Uint8Array, as = config) => ggufWeights(sourceOf(change), as);
    await expect(read(bytes, { ...config, family: "qwen3" })).rejects.toThrow(
      'm.gguf: general.architecture is "llama", but config.json is of a Qwen3 model, expected qwen3',
    );
    await expect(read(bytes, goldenSource("phi3").base.modelConfig)).rejects.toThrow(
      "GGUF files of Phi-3 models are not read",
    );
    const edited = (find: string, edit: (copy: Buffer, after: number) => void): Uint8Array => {
      const copy = Buffer.from(bytes);
      edit(copy, copy.indexOf(find) + find.length);
      return new Uint8Array(copy);
    };
    // After a name: the number of dimensions, two sizes, the type.
    const unknown = edited("blk.0.attn_q.weight", (copy, after) => copy.writeUInt32LE(13, after + 4 + 16));
    await expect(read(unknown)).rejects.toThrow(
      "tensor blk.0.attn_q.weight has the type Q5_K, which is not read; read are F32",
    );
    const renamed = edited("blk.0.attn_", (copy, after) => copy.write("z", after));
    const { shapes } = await read(renamed);
    expect([...expectedTensors(config).keys()].filter((name) => !shapes.has(name))).toHaveLength(1);
    await expect(read(bytes.slice(0, bytes.length - 5000))).rejects.toThrow("lies beyond the file's end");
  });
});
