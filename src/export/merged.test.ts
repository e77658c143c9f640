import { describe, expect, test } from "vitest";
import {
  goldenExamples,
  GOLDEN_FAMILIES,
  goldenJson,
  openGolden,
  weightsFromParams,
} from "../../test/support/golden.ts";
import { EXPORT_OPTIONS, goldenSource, memoryFolder } from "../../test/support/export-folder.ts";
import { onnxRuntime } from "../node/onnx-runtime.ts";
import { type Params, toFloat32 } from "../tensor/params.ts";
import { decodeSafetensors, parseHeader } from "../tensor/safetensors.ts";
import { openScorer } from "../train/scorer.ts";
import { merged } from "./merged.ts";

async function exported(family: string, options: Partial<typeof EXPORT_OPTIONS> = {}) {
  const { folder, files } = memoryFolder();
  await merged.write(goldenSource(family), folder, { ...EXPORT_OPTIONS, ...options });
  return files;
}

const tensorsOf = (files: ReadonlyMap<string, Uint8Array>): Params =>
  new Map(
    [...files].filter(([name]) => name.endsWith(".safetensors")).flatMap(([, bytes]) => [...decodeSafetensors(bytes)]),
  );

const jsonOf = (bytes: Uint8Array | undefined) =>
  JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;

describe.each(GOLDEN_FAMILIES)("%s, merged", (family) => {
  test("has PyTorch's loss of base and adapter apart", async () => {
    const files = await exported(family);
    const scorer = await openScorer({
      runtime: onnxRuntime(),
      modelConfig: openGolden(family).modelConfig,
      weights: weightsFromParams(toFloat32(tensorsOf(files))),
      lora: undefined,
      maxLength: 32,
      microBatchTokens: 1000,
    });
    const scores = await scorer.score(new Map(), goldenExamples(family));
    await scorer.dispose();
    const tokens = scores.reduce((sum, score) => sum + score.tokens, 0);
    const loss = -scores.reduce((sum, score) => sum + score.logProbability, 0) / tokens;
    expect(Math.abs(loss - goldenJson(family, "expected.json").sft.loss)).toBeLessThan(1e-5);
  });
});

describe("number formats", () => {
  test.each([
    ["f16", "F16", "float16", 2 ** -11],
    ["bf16", "BF16", "bfloat16", 2 ** -8],
  ] as const)("%s rounds each weight once", async (dtype, stored, named, relative) => {
    const exact = tensorsOf(await exported("llama"));
    const files = await exported("llama", { dtype });
    expect(parseHeader(files.get("model.safetensors")!).entries.every((entry) => entry.dtype === stored)).toBe(true);
    expect(jsonOf(files.get("config.json"))["dtype"]).toBe(named);
    for (const [name, { data }] of tensorsOf(files)) {
      const wanted = exact.get(name)!.data;
      // The smallest normal float16 is 2^-14; below it steps are 2^-24.
      data.forEach((value, i) =>
        expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(Math.max(relative * Math.abs(wanted[i]!), 2 ** -25)),
      );
    }
  });

  test("a weight that float16 cannot hold is refused by name", async () => {
    const source = goldenSource("llama");
    const { weights } = source.base;
    const large = {
      ...weights,
      read: async (name: string) => {
        const tensor = await weights.read(name);
        if (name === "model.norm.weight") (tensor.data as Float32Array)[3] = 70_000;
        return tensor;
      },
    };
    const base = { ...source.base, weights: large };
    const { folder } = memoryFolder();
    await expect(merged.write({ ...source, base }, folder, { ...EXPORT_OPTIONS, dtype: "f16" })).rejects.toThrow(
      "tensor model.norm.weight has the value 70000, and float16 ends at 65504",
    );
  });
});

test("shards hold every tensor once, and the index says where", async () => {
  const whole = tensorsOf(await exported("qwen3"));
  const files = await exported("qwen3", { shardBytes: 20_000 });
  const shards = [...files.keys()].filter((name) => name.endsWith(".safetensors"));
  expect(shards.length).toBeGreaterThan(2);
  expect(shards[0]).toBe(`model-00001-of-0000${shards.length}.safetensors`);
  const { weight_map: map, metadata } = jsonOf(files.get("model.safetensors.index.json")) as {
    weight_map: Record<string, string>;
    metadata: { total_size: number };
  };
  expect(Object.keys(map).sort()).toEqual([...whole.keys()].sort());
  let bytes = 0;
  for (const [name, shard] of Object.entries(map)) {
    const tensor = decodeSafetensors(files.get(shard)!).get(name)!;
    expect(tensor).toEqual(whole.get(name));
    bytes += tensor.data.byteLength;
  }
  expect(metadata.total_size).toBe(bytes);
});
