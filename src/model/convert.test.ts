import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";
import { type ByteSource, convertWeights, safetensorsWeights, weightsLayout } from "./convert.ts";
import { parseModelConfig } from "./families/registry.ts";
import { expectedTensors } from "./names.ts";

const golden = (path: string): Buffer => readFileSync(new URL(`../../test/golden/${path}`, import.meta.url));
const model = parseModelConfig(JSON.parse(golden("qwen3/model/config.json").toString()), "config.json");
const file = golden("qwen3/model/model.safetensors");
const tensors = decodeSafetensors(file);

/** Bytes in memory, as a page has them. */
const memory = (bytes: Uint8Array, name: string): ByteSource => ({
  name,
  size: bytes.length,
  read: async (position, length) => bytes.subarray(position, position + length),
});

async function converted(sources: readonly ByteSource[]): Promise<Uint8Array> {
  const whole = new Uint8Array(weightsLayout(model).bytes);
  for await (const { position, bytes } of convertWeights(await safetensorsWeights(sources), model, "w")) {
    whole.set(bytes, position);
  }
  return whole;
}

it("lays every tensor at a multiple of a page, in the order data passes them", () => {
  const layout = weightsLayout(model);
  expect(layout.tensors.map(({ name }) => name)).toEqual([...expectedTensors(model).keys()]);
  let end = 0;
  for (const { offset, shape } of layout.tensors) {
    expect(offset).toBe(Math.ceil(end / 4096) * 4096);
    end = offset + 4 * shape.reduce((a, b) => a * b, 1);
  }
  expect(layout.bytes).toBe(end);
});

it("converts bytes that lie in no file, and shards as one whole", async () => {
  const whole = await converted([memory(file, "model.safetensors")]);
  for (const { name, offset } of weightsLayout(model).tensors) {
    const { data } = tensors.get(name)!;
    expect(new Float32Array(whole.buffer, offset, data.length), name).toEqual(data);
  }
  const shards = [0, 1].map((part) =>
    memory(encodeSafetensors(new Map([...tensors].filter((_, i) => i % 2 === part))), `shard ${part}`),
  );
  expect(await converted(shards)).toEqual(whole);
});

it("names the tensor that is missing or not finite", async () => {
  const without = new Map(tensors);
  without.delete("model.norm.weight");
  await expect(converted([memory(encodeSafetensors(without), "a")])).rejects.toThrow(
    "w: tensor model.norm.weight is missing",
  );
  const { shape } = tensors.get("model.norm.weight")!;
  const bad = new Map(tensors).set("model.norm.weight", { shape, data: new Float32Array(32).fill(Infinity) });
  await expect(converted([memory(encodeSafetensors(bad), "a")])).rejects.toThrow(
    "w: tensor model.norm.weight has values that are not finite",
  );
});

it.each([
  ["qwen3", "model."],
  ["gpt2", "transformer."],
])("reads a %s that was saved without its head, whose names begin without '%s'", async (family, prefix) => {
  const whole = decodeSafetensors(golden(`${family}/model/model.safetensors`));
  const headless = new Map([...whole].map(([name, tensor]) => [name.replace(prefix, ""), tensor]));
  const source = await safetensorsWeights([memory(encodeSafetensors(headless), "headless")]);
  expect([...source.shapes.keys()].sort()).toEqual([...whole.keys()].sort());
});

/** One tensor of each kind that the families add. */
it.each([
  ["phi3", "model.layers.1.self_attn.qkv_proj.weight"],
  ["gemma2", "model.layers.0.post_feedforward_layernorm.weight"],
  ["gemma3", "model.layers.1.self_attn.q_norm.weight"],
  ["olmo2", "model.layers.0.self_attn.k_norm.weight"],
  ["smollm3", "model.layers.1.mlp.gate_proj.bias"],
  ["granite", "model.layers.1.self_attn.o_proj.bias"],
  ["gpt2", "transformer.wpe.weight"],
])("names a tensor of %s that is missing, or of another shape", async (family, name) => {
  const config = parseModelConfig(JSON.parse(golden(`${family}/model/config.json`).toString()), "config.json");
  const whole = decodeSafetensors(golden(`${family}/model/model.safetensors`));
  const converting = async (change: typeof whole): Promise<void> => {
    const source = await safetensorsWeights([memory(encodeSafetensors(change), "a")]);
    for await (const _ of convertWeights(source, config, "w"));
  };
  await converting(whole);
  const without = new Map(whole);
  without.delete(name);
  await expect(converting(without)).rejects.toThrow(`w: tensor ${name} is missing, expected [`);
  const short = new Map(whole).set(name, { shape: [3], data: new Float32Array(3) });
  await expect(converting(short)).rejects.toThrow(`w: tensor ${name} is [3], expected [`);
});
