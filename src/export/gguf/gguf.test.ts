import { describe, expect, test } from "vitest";
import { EXPORT_OPTIONS, goldenSource, memoryFolder, withTokenizer } from "../../../test/support/export-folder.ts";
import { floats, readGguf } from "../../../test/support/gguf.ts";
import { GOLDEN_FAMILIES, goldenJson, openGolden } from "../../../test/support/golden.ts";
import { familyOf } from "../../model/families/registry.ts";
import { readMerged } from "../../model/merge.ts";
import type { ExportDtype, ExportSource } from "../target.ts";
import { ggufLora } from "./gguf-lora.ts";
import { gguf } from "./gguf.ts";
import { encodeGgml } from "./quantize.ts";

async function written(source: ExportSource, dtype: ExportDtype = "f32") {
  const { folder, files } = memoryFolder();
  const notes: string[] = [];
  const onNote = (note: string): void => void notes.push(note);
  await gguf.write(source, folder, { ...EXPORT_OPTIONS, dtype, onNote });
  return { ...readGguf(files.get("model.gguf")!), notes };
}

const REFUSED = GOLDEN_FAMILIES.filter((family) => {
  const { modelConfig } = openGolden(family);
  const { gguf: rules } = familyOf(modelConfig);
  return rules === undefined || rules.lacks(modelConfig) !== undefined;
});
const EXPORTED = GOLDEN_FAMILIES.filter((family) => !REFUSED.includes(family) && family !== "llama-yarn");

// test/gguf-base.test.ts writes models of these families without what llama.cpp lacks.
test.each(REFUSED)("%s is refused by name", async (family) => {
  await expect(written(withTokenizer(goldenSource(family)))).rejects.toThrow(
    /is a [\w. ()-]+ model, which is not exported to GGUF|has .*, which llama.cpp's architecture \w+ lacks/,
  );
});

test("a rotation that is not written is refused by name", async () => {
  await expect(written(withTokenizer(goldenSource("llama-yarn")))).rejects.toThrow("does not have the rotation yarn");
});

describe.each(EXPORTED)("%s as GGUF", (family) => {
  test("every merged weight is in it, in llama.cpp's order of rows", async () => {
    const source = withTokenizer(goldenSource(family));
    const { metadata, tensors } = await written(source);
    const architecture = family.startsWith("llama") || family === "mistral" ? "llama" : family;
    expect(metadata.get("general.architecture")).toBe(architecture);
    const read = async (name: string): Promise<Float32Array> =>
      (await readMerged(source.base.weights, name, source.adapter)).data;
    const value = await read("model.layers.1.self_attn.v_proj.weight");
    expect(floats(tensors.get("blk.1.attn_v.weight")!.bytes, value.length)).toEqual(value);
    const { heads, headDim, hiddenSize: width } = source.base.modelConfig;
    const q = await read("model.layers.0.self_attn.q_proj.weight");
    const got = floats(tensors.get("blk.0.attn_q.weight")!.bytes, q.length);
    expect(tensors.get("blk.0.attn_q.weight")!.sizes).toEqual([width, heads * headDim]);
    // Row 1 of the second head: rotated together with row 0, it is row d/2 in Hugging Face's order.
    const row = headDim + (architecture === "llama" ? headDim / 2 : 1);
    expect(got.subarray((headDim + 1) * width, (headDim + 2) * width)).toEqual(
      q.subarray(row * width, (row + 1) * width),
    );
    const norm = await read("model.norm.weight");
    expect(floats(tensors.get("output_norm.weight")!.bytes, norm.length)).toEqual(
      family === "gemma" ? norm.map((x) => x + 1) : norm,
    );
  });
});

test("the tokens after a text, their kinds and the special ones", async () => {
  const { metadata } = await written(withTokenizer(goldenSource("llama")));
  const tokens = metadata.get("tokenizer.ggml.tokens") as string[];
  const types = metadata.get("tokenizer.ggml.token_type") as number[];
  expect([tokens.length, tokens[28], tokens[90], tokens[95]]).toEqual([96, "the", "<|end|>", "[PAD95]"]);
  expect([types[28], types[90], types[95]]).toEqual([1, 3, 5]);
  expect(metadata.get("tokenizer.ggml.merges")).toEqual(["t h", "th e"]);
  expect(metadata.get("tokenizer.ggml.model")).toBe("gpt2");
  expect(metadata.get("tokenizer.ggml.pre")).toBe("gpt-2");
  expect(metadata.get("tokenizer.ggml.eos_token_id")).toBe(90);
  expect(metadata.get("tokenizer.ggml.add_bos_token")).toBe(false);
  expect(metadata.get("tokenizer.chat_template")).toBe("{{ messages }}");
});

test("q8_0 is llama.cpp's, byte for byte", () => {
  const golden: Record<string, { values: number[]; q8_0: string }> = goldenJson("gguf.json");
  for (const [name, { values, q8_0 }] of Object.entries(golden)) {
    const got = encodeGgml(Float32Array.from(values), "q8_0", name);
    expect(Buffer.from(got).toString("hex"), name).toBe(q8_0);
  }
});

test("q8_0 keeps norms in float32, and rows that are no whole blocks in float16", async () => {
  const { tensors } = await written(withTokenizer(goldenSource("qwen2")), "q8_0");
  const types = ["token_embd", "output_norm", "blk.0.ffn_up", "blk.0.ffn_down"].map(
    (name) => tensors.get(`${name}.weight`)!.type,
  );
  // 32 columns in all but ffn_down, which has 48.
  expect(types).toEqual([8, 0, 8, 1]);
});

test("a sliding window shortens the context, and is said", async () => {
  const { metadata, notes } = await written(withTokenizer(goldenSource("mistral")));
  expect(metadata.get("llama.context_length")).toBe(8);
  expect(notes).toEqual([expect.stringContaining("its latest 8 tokens")]);
});

test("llama3's rotation becomes a factor for each frequency", async () => {
  const { metadata, tensors } = await written(withTokenizer(goldenSource("llama3-rope")));
  expect(metadata.get("llama.rope.freq_base")).toBe(500_000);
  const factors = floats(tensors.get("rope_freqs.weight")!.bytes, 4);
  // Wavelengths 6.3, 167, … against 16 positions: short ones stay, long ones are divided by 8.
  expect(factors[0]).toBeGreaterThan(1);
  expect(factors[3]).toBeCloseTo(8, 4);
});

test("the adapter alone has llama.cpp's scale for every module", async () => {
  const source = goldenSource("llama-ranks");
  const { folder, files } = memoryFolder();
  await ggufLora.write(source, folder, EXPORT_OPTIONS);
  const { metadata, tensors } = readGguf(files.get("adapter.gguf")!);
  const { config, shape, params } = source.adapter!;
  expect(metadata.get("adapter.lora.alpha")).toBe(config.alpha);
  const module = "model.layers.1.mlp.up_proj";
  const { rank, scale } = shape.modules.get(module)!;
  const b = params.get(`base_model.model.${module}.lora_B.weight`)!.data;
  const tensor = tensors.get("blk.1.ffn_up.weight.lora_b")!;
  expect(tensor.sizes[0]).toBe(rank);
  const applied = floats(tensor.bytes, b.length).map((x) => (x * config.alpha) / tensor.sizes[0]!);
  applied.forEach((x, i) => expect(x).toBeCloseTo(b[i]! * scale, 6));
});

describe("what llama.cpp cannot say is refused by name", () => {
  test.each([
    [
      "a Unigram tokenizer",
      { model: { type: "Unigram", vocab: [["a", -1]] } },
      /its kind is "Unigram", and only BPE can/,
    ],
    ["lower-casing", { normalizer: { type: "Lowercase" } }, /it normalises texts \(Lowercase\)/],
    [
      "an unknown rule for words",
      {
        pre_tokenizer: {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: "\\d" }, behavior: "Isolated" },
            { type: "ByteLevel", use_regex: false },
          ],
        },
      },
      /its rule that cuts words/,
    ],
    [
      "a token that takes spaces with it",
      { added_tokens: [{ id: 90, content: "<|end|>", special: true, lstrip: true }] },
      /its token "<\|end\|>" has lstrip/,
    ],
  ])("%s", async (_title, change, message) => {
    await expect(written(withTokenizer(goldenSource("llama"), change))).rejects.toThrow(message);
  });

  test.each([
    ["qwen3", { qkvBias: true }, "has biases of q, k and v, which llama.cpp's architecture qwen3 lacks"],
    ["qwen2", { headDim: 16 }, "has a head_dim that is not hidden_size / heads"],
    ["gemma", { tiedHead: false }, "has a head that is not the embedding table"],
  ])("a part of a %s model", async (family, change, message) => {
    const source = withTokenizer(goldenSource(family));
    const base = { ...source.base, modelConfig: { ...source.base.modelConfig, ...change } };
    await expect(written({ ...source, base })).rejects.toThrow(message);
  });
});
