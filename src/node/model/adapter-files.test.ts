import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AdapterConfig } from "../../model/adapter.ts";
import { checkAdapter, initAdapter } from "../../model/adapter.ts";
import { mapParams } from "../../tensor/params.ts";
import { loadAdapter, saveAdapter } from "./adapter-files.ts";
import { readModelConfig } from "./model-source.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const golden = path.join(repository, "test/golden/llama");
const assets = process.env["OPENFEDLLM_ASSETS"] ?? path.join(repository, "../shared/assets");
const gpt2 = path.join(assets, "peft-adapter-gpt2");
const config: AdapterConfig = { rank: 4, alpha: 16, dropout: 0.05, targets: ["k_proj", "up_proj"], rsLora: true };
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "adapter-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe("saveAdapter", () => {
  it("round-trips, into a new folder and over an old one, with the same bytes each time", async () => {
    const params = initAdapter(config, await readModelConfig(path.join(golden, "model")), 3);
    const folder = path.join(dir, "new", "adapter");
    await saveAdapter(folder, config, params, "org/base");
    expect((await readdir(folder)).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    const first = await readFile(path.join(folder, "adapter_model.safetensors"));
    const loaded = await loadAdapter(folder);
    expect(loaded).toEqual({
      config,
      params: new Map([...params].sort(([a], [b]) => (a < b ? -1 : 1))),
      hash: createHash("sha256").update(first).digest("hex"),
    });
    await saveAdapter(
      folder,
      config,
      mapParams(params, (x) => x + 1),
      "org/base",
    );
    expect((await loadAdapter(folder)).params).not.toEqual(loaded.params);
    await saveAdapter(folder, config, loaded.params, "org/base");
    expect(Buffer.compare(await readFile(path.join(folder, "adapter_model.safetensors")), first)).toBe(0);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it("stores float64 tensors as float32, which is what PEFT expects", async () => {
    const name = "base_model.model.model.layers.0.self_attn.k_proj.lora_A.weight";
    await saveAdapter(dir, config, new Map([[name, { shape: [1], data: Float64Array.of(0.1) }]]), "b");
    expect((await loadAdapter(dir)).params.get(name)!.data).toEqual(Float32Array.of(0.1));
  });

  it("says where it could not write", async () => {
    await writeFile(path.join(dir, "file"), "");
    const inside = path.join(dir, "file", "adapter");
    await expect(saveAdapter(inside, config, new Map(), "b")).rejects.toMatchObject({
      kind: "storage",
      message: expect.stringContaining(inside),
    });
  });
});

describe("loadAdapter", () => {
  it("reads what PEFT saved", async () => {
    const { config: saved, params } = await loadAdapter(path.join(golden, "adapter"));
    expect(saved).toMatchObject({ rank: 4, alpha: 8 });
    checkAdapter(params, saved, await readModelConfig(path.join(golden, "model")));
    expect(params.size).toBe(28);
  });

  it("names what is missing, and refuses pickles", async () => {
    await expect(loadAdapter(dir)).rejects.toThrow(`no adapter in ${dir}: looked for adapter_config.json`);
    await saveAdapter(dir, config, new Map(), "b");
    await rm(path.join(dir, "adapter_model.safetensors"));
    await expect(loadAdapter(dir)).rejects.toThrow(`no tensors in ${dir}: looked for adapter_model.safetensors`);
    await writeFile(path.join(dir, "adapter_model.bin"), "");
    await expect(loadAdapter(dir)).rejects.toThrow("adapter_model.bin is a Python pickle");
  });

  it.skipIf(!existsSync(gpt2))(
    "refuses an adapter for classification and says why (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
    async () => {
      await expect(loadAdapter(gpt2)).rejects.toThrow(
        'adapter_config.json: task_type is "SEQ_CLS"; only CAUSAL_LM is supported',
      );
    },
  );
});
