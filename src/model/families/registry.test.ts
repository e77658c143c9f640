import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GOLDEN_FAMILIES } from "../../../test/support/golden.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { parseHeader } from "../../tensor/safetensors.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import { parseModelConfig } from "./registry.ts";
import { checkShapes, expectedTensors, linearModules } from "../names.ts";

const golden = (path: string): Buffer => readFileSync(new URL(`../../../test/golden/${path}`, import.meta.url));
const parse = (json: unknown): DecoderConfig => parseModelConfig(json, "m/config.json") as DecoderConfig;

const sizes = {
  vocab_size: 96,
  hidden_size: 512,
  intermediate_size: 48,
  num_hidden_layers: 3,
  num_attention_heads: 32,
};
const make = (family: string, rest: object = {}): DecoderConfig => parse({ model_type: family, ...sizes, ...rest });
const byName = (shapes: ReadonlyMap<string, readonly number[]>) => [...shapes].sort(([a], [b]) => (a < b ? -1 : 1));
const windows = (family: string, rest: object) => make(family, rest).slidingWindow;
const biased = (family: string, rest: object) =>
  linearModules(make(family, rest))
    .filter((module) => module.bias && module.name.startsWith("model.layers.0."))
    .map((module) => module.name.slice("model.layers.0.".length).replace(/.*\./, ""));

describe.each(GOLDEN_FAMILIES)("golden %s", (name) => {
  const config = parse(JSON.parse(golden(`${name}/model/config.json`).toString()));

  it("implies exactly the tensors transformers saved", () => {
    const { entries } = parseHeader(golden(`${name}/model/model.safetensors`));
    const saved = new Map(entries.map((entry): [string, readonly number[]] => [entry.name, entry.shape]));
    expect(byName(expectedTensors(config))).toEqual(byName(saved));
    expect(() => checkShapes(saved, config, "w")).not.toThrow();
  });

  it("has the family's numbers", () => {
    const json = JSON.parse(golden(`${name}/model/config.json`).toString()) as Record<string, unknown>;
    expect(config).toMatchObject({ layers: 2, heads: 4, kvHeads: 2, headDim: json["head_dim"] ?? 8 });
    expect(config).toMatchObject({ bosTokenId: 1, eosTokenIds: [2], maxPositions: 128 });
    expect(config.normEpsilon).toBe(json["rms_norm_eps"]);
    const windows = { mistral: [8, 8], phi3: [8, 8], gemma2: [8, undefined], gemma3: [8, undefined] };
    const own = { ...windows, smollm3: [undefined, 8] }[name as "phi3"];
    expect(config.slidingWindow).toEqual(own ?? [undefined, undefined]);
    expect(config.tiedHead).toBe(json["tie_word_embeddings"]);
    expect(config.qkvBias).toBe(["qwen2", "gemma2", "olmo2", "smollm3", "granite"].includes(name));
    expect(config.qkNorm).toBe(["qwen3", "gemma3", "olmo2"].includes(name));
  });
});

describe("rotary embedding", () => {
  // Expected values: the inv_freq buffer of transformers 5.18.
  it.each([
    [
      "old linear",
      { rope_scaling: { type: "linear", factor: 4 } },
      [0.25, 0.07905694097280502, 0.02500000037252903, 0.007905694656074047, 0.0024999999441206455],
    ],
    [
      "old llama3, as Llama 3.2 has it",
      {
        rope_theta: 5e5,
        max_position_embeddings: 131072,
        rope_scaling: {
          rope_type: "llama3",
          factor: 32,
          low_freq_factor: 1,
          high_freq_factor: 4,
          original_max_position_embeddings: 8192,
        },
      },
      [1, 0.193922758102417, 0.03760603070259094, 0.00729266507551074, 0.000429556705057621, 8.570255886297673e-6],
    ],
    [
      "llama3 without the original length",
      {
        max_position_embeddings: 256,
        rope_scaling: { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      },
      [1, 0.3162277638912201, 0.10000000149011612, 0.006613106932491064, 0.0012499999720603228, 0.00039528473280370235],
    ],
    [
      "new linear, whose theta wins over the old key",
      { rope_theta: 7, rope_parameters: { rope_type: "linear", factor: 2.5, rope_theta: 3e4 } },
      [0.4000000059604645, 0.11026046425104141, 0.03039342723786831, 0.008377984166145325, 0.0023094010539352894],
    ],
  ])("%s", (_, keys, expected) => {
    const { inverseFrequencies } = make("llama", keys).rotary;
    expect(inverseFrequencies).toHaveLength(8);
    expected.forEach((value, i) => expect(Math.abs(inverseFrequencies[i]! / value - 1)).toBeLessThan(2.5e-7));
  });

  it("golden llama3", () => {
    const { inverseFrequencies } = parse(JSON.parse(golden("llama3-rope/model/config.json").toString())).rotary;
    [0.5760563611984253, 0.004700753837823868, 0.00017677668074611574, 6.647869668086059e-6].forEach((value, i) => {
      expect(Math.abs(inverseFrequencies[i]! / value - 1)).toBeLessThan(2.5e-7);
    });
  });

  it("refuses what it cannot compute", () => {
    expect(() => make("llama", { rope_scaling: { rope_type: "mrope" } })).toThrow(
      'm/config.json: rope_scaling: rotary embedding type "mrope" is not supported; supported are default, linear, dynamic',
    );
    expect(() => make("llama", { rope_scaling: { type: "linear" } })).toThrow("factor must be a positive number");
    expect(() => make("llama", { partial_rotary_factor: 0.5 })).toThrow("rotation of only a part of a head");
    expect(() => make("qwen3", { rope_parameters: { full_attention: { rope_theta: 1e6 } } })).toThrow(
      "'full_attention'",
    );
  });
});

describe("defaults for absent keys", () => {
  it("are those of transformers", () => {
    expect(make("llama")).toMatchObject({
      kvHeads: 32,
      headDim: 16,
      maxPositions: 2048,
      bosTokenId: 1,
      eosTokenIds: [2],
    });
    expect(make("mistral")).toMatchObject({ kvHeads: 8, maxPositions: 131072, slidingWindow: [4096, 4096, 4096] });
    expect(make("qwen2")).toMatchObject({ kvHeads: 32, headDim: 16, bosTokenId: undefined, eosTokenIds: [] });
    expect(make("qwen3")).toMatchObject({ headDim: 128, tiedHead: false, qkvBias: false });
    expect(make("gemma", { num_attention_heads: 16 })).toMatchObject({
      kvHeads: 16,
      headDim: 256,
      maxPositions: 8192,
      tiedHead: true,
      bosTokenId: 2,
      eosTokenIds: [1],
    });
    expect(make("qwen2", { head_dim: 64, num_key_value_heads: null })).toMatchObject({ headDim: 64, kvHeads: 32 });
    expect(make("llama", { eos_token_id: [5, 6], bos_token_id: null })).toMatchObject({
      bosTokenId: undefined,
      eosTokenIds: [5, 6],
    });
  });

  it("sliding windows", () => {
    const off = [undefined, undefined, undefined];
    expect(windows("mistral", { sliding_window: null })).toEqual(off);
    expect(windows("llama", { sliding_window: 8 })).toEqual(off);
    expect(windows("qwen2", { sliding_window: 8, max_window_layers: 1 })).toEqual(off);
    expect(windows("qwen2", { sliding_window: 8, max_window_layers: 1, use_sliding_window: true })).toEqual([
      undefined,
      8,
      8,
    ]);
    expect(windows("qwen3", { use_sliding_window: true })).toEqual(off);
    expect(windows("qwen3", { use_sliding_window: true, max_window_layers: 0 })).toEqual([4096, 4096, 4096]);
    const layer_types = ["full_attention", "sliding_attention", "full_attention"];
    expect(windows("qwen3", { use_sliding_window: true, layer_types })).toEqual([undefined, 4096, undefined]);
    expect(() => windows("qwen3", { layer_types })).toThrow("use_sliding_window is false");
    expect(() => windows("qwen3", { use_sliding_window: true, layer_types: ["x"] })).toThrow("a list of 3");
  });

  it("biases", () => {
    expect(biased("llama", { attention_bias: true, mlp_bias: true })).toHaveLength(7);
    expect(biased("qwen3", { attention_bias: true })).toEqual(["q_proj", "k_proj", "v_proj", "o_proj"]);
    expect(biased("qwen2", { attention_bias: true, mlp_bias: true })).toEqual(["q_proj", "k_proj", "v_proj"]);
    expect(biased("mistral", { attention_bias: true, mlp_bias: true })).toEqual([]);
  });
});

describe("refusals", () => {
  it.each([
    [
      { ...sizes, model_type: "bloom" },
      'model_type is "bloom", expected one of the supported families: llama, mistral, qwen2, qwen3, gemma',
    ],
    [{ ...sizes }, "model_type is missing"],
    [
      { ...sizes, model_type: "llama", hidden_size: undefined },
      "m/config.json: hidden_size is missing, expected a whole number",
    ],
    [{ ...sizes, model_type: "llama", hidden_act: "gelu" }, 'hidden_act is "gelu", expected silu'],
    [{ ...sizes, model_type: "gemma", hidden_act: "silu" }, 'hidden_act is "silu", expected gelu_pytorch_tanh'],
    [{ ...sizes, model_type: "llama", num_key_value_heads: 5 }, "a divisor of num_attention_heads (32)"],
    [{ ...sizes, model_type: "llama", num_attention_heads: 7 }, "a multiple of num_attention_heads (7)"],
    [{ ...sizes, model_type: "llama", head_dim: 7 }, "head_dim is 7, expected an even number"],
    [{ ...sizes, model_type: "llama", quantization_config: { bits: 4 } }, "the weights are quantised"],
    [
      { ...sizes, model_type: "llama", tie_word_embeddings: "yes" },
      'tie_word_embeddings is "yes", expected true or false',
    ],
    [{ ...sizes, model_type: "llama", eos_token_id: "</s>" }, "eos_token_id"],
    [[], "expected a JSON object"],
    [undefined, "expected a JSON object"],
  ])("%#", (json, message) => {
    expect(() => parse(json)).toThrow(message);
    expect(() => parse(json)).toThrow(UserError);
  });

  it("names the nearest family", () => {
    const hintOf = (type: string): string | undefined => {
      try {
        make(type);
      } catch (error) {
        return (error as UserError).hint;
      }
      return undefined;
    };
    expect(hintOf("Qwen-3")).toMatch(/^The nearest type is qwen3,/);
    expect(hintOf("lama")).toMatch(/^The nearest type is llama,/);
    expect(hintOf("bloom")).toMatch(/^Use a supported base model/);
  });

  it("names a tensor that is missing or misshapen, with both shapes", () => {
    const config = make("llama");
    const shapes = new Map(expectedTensors(config));
    shapes.set("model.norm.weight", [8]);
    expect(() => checkShapes(shapes, config, "w.st")).toThrow(
      "w.st: tensor model.norm.weight is [8], expected [512] by config.json",
    );
    shapes.delete("model.norm.weight");
    expect(() => checkShapes(shapes, config, "w.st")).toThrow("tensor model.norm.weight is missing");
  });
});
