import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UserError } from "../../diagnostics/user-error.ts";
import type { ModelConfig } from "../../model/config.ts";
import { parseModelConfig } from "../../model/families/registry.ts";
import { expectedTensors } from "../../model/names.ts";
import type { Weights } from "../../model/weights.ts";
import { float32ToFloat16 } from "../../tensor/float16.ts";
import type { Params } from "../../tensor/params.ts";
import { stream } from "../../tensor/random.ts";
import { decodeSafetensors, encodeSafetensors } from "../../tensor/safetensors.ts";
import { openWeights, type WeightsProgress } from "./weights-cache.ts";

const golden = fileURLToPath(new URL("../../../test/golden/llama/model", import.meta.url));
let dir: string;
let cacheDir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "weights-"));
  cacheDir = path.join(dir, "cache");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

async function configOf(folder: string): Promise<ModelConfig> {
  const file = path.join(folder, "config.json");
  return parseModelConfig(JSON.parse(await readFile(file, "utf8")), file);
}

const goldenTensors = async (): Promise<Params> =>
  decodeSafetensors(await readFile(path.join(golden, "model.safetensors")));

async function expectGolden(weights: Weights): Promise<void> {
  const expected = await goldenTensors();
  expect(weights.shapes.size).toBe(expected.size);
  for (const [name, { shape, data }] of expected) {
    expect(weights.shapes.get(name)).toEqual(shape);
    expect((await weights.read(name)).data).toEqual(data);
  }
}

/** A safetensors file of 16-bit tensors. */
function encodeHalves(dtype: "F16" | "BF16", tensors: Params): Uint8Array {
  const parts: Uint8Array[] = [];
  const header: Record<string, object> = {};
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const values = Float32Array.from(data);
    const halves =
      dtype === "F16" ? float32ToFloat16(values) : Uint16Array.from(new Uint32Array(values.buffer), (x) => x >>> 16);
    parts.push(new Uint8Array(halves.buffer));
    header[name] = { dtype, shape, data_offsets: [offset, offset + halves.byteLength] };
    offset += halves.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return Buffer.concat([length, text, ...parts]);
}

describe("conversion", () => {
  it("keeps float32 weights to the bit, page-aligned in one file", async () => {
    const weights = await openWeights(golden, await configOf(golden), { cacheDir });
    await expectGolden(weights);
    const file = await readFile(weights.file!.path);
    for (const [name, { data }] of await goldenTensors()) {
      const offset = weights.file!.offsets.get(name)!;
      expect(offset % 4096).toBe(0);
      expect(Buffer.compare(file.subarray(offset, offset + data.byteLength), Buffer.from(data.buffer))).toBe(0);
    }
    await expect(weights.read("model.norm.wieght")).rejects.toThrow("the model has no tensor model.norm.wieght");
  });

  it("widens 16-bit shards, and tensors of more than one piece", async () => {
    const config = parseModelConfig(
      {
        model_type: "llama",
        vocab_size: 66_000,
        hidden_size: 64,
        intermediate_size: 8,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        tie_word_embeddings: true,
      },
      "config.json",
    );
    const random = stream(1, "weights");
    const tensors: Params = new Map(
      [...expectedTensors(config)].map(([name, shape]) => {
        // Eight bits of a number near 1 fit both 16-bit formats.
        const data = Float32Array.from(
          { length: shape.reduce((a, b) => a * b, 1) },
          () => 1 + random.integer(128) / 128,
        );
        return [name, { shape, data }];
      }),
    );
    const [embedding, ...rest] = [...tensors];
    await writeFile(path.join(dir, "a.safetensors"), encodeHalves("BF16", new Map([embedding!])));
    await writeFile(path.join(dir, "b.safetensors"), encodeHalves("F16", new Map(rest)));
    const map = Object.fromEntries(
      [...tensors.keys()].map((name, i) => [name, i === 0 ? "a.safetensors" : "b.safetensors"]),
    );
    await writeFile(path.join(dir, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: map }));
    const progress: WeightsProgress[] = [];
    const weights = await openWeights(dir, config, { cacheDir, onProgress: (p) => progress.push(p) });
    for (const [name, { data }] of tensors) {
      expect(
        Buffer.compare(Buffer.from((await weights.read(name)).data.buffer), Buffer.from(data.buffer as ArrayBuffer)),
      ).toBe(0);
    }
    expect(new Set(progress.map(({ stage }) => stage))).toEqual(new Set(["hash", "convert"]));
    expect(progress.at(-1)!.doneBytes).toBe(progress.at(-1)!.totalBytes);
  });

  it("names what is wrong with the source", async () => {
    const config = await configOf(golden);
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow(
      `no weights in ${dir}: looked for model.safetensors, model.safetensors.index.json, onnx/model_quantized.onnx and a file *.gguf`,
    );
    const index = path.join(dir, "model.safetensors.index.json");
    await writeFile(index, JSON.stringify({ weight_map: { x: "one.safetensors" } }));
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow(
      /one\.safetensors does not exist, but .* names it/,
    );
    await writeFile(index, JSON.stringify({ weight_map: { x: "../one.safetensors" } }));
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow("files in the same folder");
    const tensors = new Map(await goldenTensors());
    const single = path.join(dir, "model.safetensors");
    tensors.set("model.norm.weight", { shape: [31], data: new Float32Array(31) });
    await writeFile(single, encodeSafetensors(tensors));
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow(
      `${single}: tensor model.norm.weight is [31], expected [32] by config.json`,
    );
    tensors.delete("model.norm.weight");
    await writeFile(single, encodeSafetensors(tensors));
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow("tensor model.norm.weight is missing");
    await truncate(single, 5000);
    await expect(openWeights(dir, config, { cacheDir })).rejects.toThrow("is cut short: it has 5000 bytes");
    await expect(openWeights(dir, config, { cacheDir })).rejects.toBeInstanceOf(UserError);
    expect(await readdir(path.join(cacheDir, "weights"))).toEqual([]);
  });
});

describe("cache", () => {
  it("is made once", async () => {
    const config = await configOf(golden);
    const stages: string[] = [];
    const options = { cacheDir, onProgress: ({ stage }: WeightsProgress) => stages.push(stage) };
    const first = await openWeights(golden, config, options);
    stages.length = 0;
    const second = await openWeights(golden, config, options);
    expect(stages).toEqual(["hash"]);
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(second.file!.path).toBe(path.join(cacheDir, "weights", first.fingerprint, "weights.bin"));
    await expectGolden(second);
  });

  it.each([
    ["cut data", (folder: string) => truncate(path.join(folder, "weights.bin"), 10_000)],
    ["no data", (folder: string) => rm(path.join(folder, "weights.bin"))],
    ["no index", (folder: string) => rm(path.join(folder, "weights.json"))],
    ["half an index", (folder: string) => truncate(path.join(folder, "weights.json"), 100)],
    ["another's index", (folder: string) => writeFile(path.join(folder, "weights.json"), '{"format":0}')],
  ])("is made again: %s", async (_, damage) => {
    const config = await configOf(golden);
    const { fingerprint } = await openWeights(golden, config, { cacheDir });
    await damage(path.join(cacheDir, "weights", fingerprint));
    await expectGolden(await openWeights(golden, config, { cacheDir }));
    expect(await readdir(path.join(cacheDir, "weights"))).toEqual([fingerprint]);
  });

  it("survives eight at once", async () => {
    const config = await configOf(golden);
    const all = await Promise.all(Array.from({ length: 8 }, () => openWeights(golden, config, { cacheDir })));
    for (const weights of all) await expectGolden(weights);
    expect(await readdir(path.join(cacheDir, "weights"))).toHaveLength(1);
  });

  it("removes what a killed conversion left, but not a live one", async () => {
    const old = path.join(cacheDir, "weights", "a.tmp");
    const live = path.join(cacheDir, "weights", "b.tmp");
    for (const folder of [old, live]) {
      await mkdir(folder, { recursive: true });
      await writeFile(path.join(folder, "weights.bin"), "half");
    }
    await utimes(path.join(old, "weights.bin"), 1e9, 1e9);
    const { fingerprint } = await openWeights(golden, await configOf(golden), { cacheDir });
    expect((await readdir(path.join(cacheDir, "weights"))).sort()).toEqual([fingerprint, "b.tmp"].sort());
  });

  it("goes to the temporary folder where it cannot be written", async () => {
    const file = path.join(dir, "a-file");
    await writeFile(file, "");
    const tmp = path.join(dir, "tmp");
    await mkdir(tmp);
    vi.stubEnv("TMPDIR", tmp);
    const weights = await openWeights(golden, await configOf(golden), { cacheDir: path.join(file, "cache") });
    expect(weights.file!.path.startsWith(tmp)).toBe(true);
    await expectGolden(weights);
  });

  it("is where the environment says", async () => {
    const config = await configOf(golden);
    vi.stubEnv("OPENFEDLLM_CACHE", "");
    vi.stubEnv("XDG_CACHE_HOME", path.join(dir, "xdg"));
    expect(
      (await openWeights(golden, config)).file!.path.startsWith(path.join(dir, "xdg", "openfedllm", "weights")),
    ).toBe(true);
    vi.stubEnv("OPENFEDLLM_CACHE", path.join(dir, "own"));
    expect((await openWeights(golden, config)).file!.path.startsWith(path.join(dir, "own", "weights"))).toBe(true);
  });
});

describe("fingerprint", () => {
  it("follows the contents and the configuration, not the place", async () => {
    const copy = path.join(dir, "copy");
    await cp(golden, copy, { recursive: true });
    const config = await configOf(golden);
    const fingerprint = async (folder: string, c = config) => (await openWeights(folder, c, { cacheDir })).fingerprint;
    const original = await fingerprint(golden);
    expect(await fingerprint(copy)).toBe(original);
    const tied = { ...config, tiedHead: true };
    expect(await fingerprint(copy, tied)).not.toBe(original);
    const file = path.join(copy, "model.safetensors");
    const bytes = await readFile(file);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(file, bytes);
    expect(await fingerprint(copy)).not.toBe(original);
  });

  it("does not read unchanged files again, and does read changed ones", async () => {
    const copy = path.join(dir, "copy");
    await cp(golden, copy, { recursive: true });
    const config = await configOf(golden);
    const first = (await openWeights(copy, config, { cacheDir })).fingerprint;
    const [memo] = await readdir(path.join(cacheDir, "hashes"));
    const file = path.join(cacheDir, "hashes", memo!);
    const text = await readFile(file, "utf8");
    // A hash that no file has: it comes back only if the memo is believed.
    await writeFile(file, text.replace(/"sha256":"[^"]*"/, '"sha256":"remembered"'));
    expect((await openWeights(copy, config, { cacheDir })).fingerprint).not.toBe(first);
    await utimes(path.join(copy, "model.safetensors"), 1e9, 1e9);
    expect((await openWeights(copy, config, { cacheDir })).fingerprint).toBe(first);
    await writeFile(file, "{");
    expect((await openWeights(copy, config, { cacheDir })).fingerprint).toBe(first);
  });
});
