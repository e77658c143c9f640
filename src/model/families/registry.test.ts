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

  // GPT-2's configuration has other keys: it is read in the test of its own below.
  if (name === "gpt2") return;
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

describe("GPT-2", () => {
  const gpt2 = (rest: object = {}) =>
    parse({ model_type: "gpt2", vocab_size: 96, n_embd: 32, n_layer: 3, n_head: 4, ...rest }) as unknown;

  it("has its own names, and the defaults of transformers", () => {
    expect(gpt2()).toMatchObject({
      hiddenSize: 32,
      layers: 3,
      heads: 4,
      kvHeads: 4,
      headDim: 8,
      intermediateSize: 128,
    });
    expect(gpt2()).toMatchObject({ maxPositions: 1024, tiedHead: true, normEpsilon: 1e-5, eosTokenIds: [50_256] });
    expect(gpt2({ n_inner: 20, n_positions: 64 })).toMatchObject({ intermediateSize: 20, maxPositions: 64 });
    expect(gpt2({ n_embd: undefined, hidden_size: 64 })).toMatchObject({ hiddenSize: 64 });
  });

  it("scales scores by head, by layer or not", () => {
    const scales = (rest: object) => (gpt2(rest) as { attentionScales: number[] }).attentionScales;
    const root = 1 / Math.sqrt(8);
    expect(scales({})).toEqual([root, root, root]);
    expect(scales({ scale_attn_by_inverse_layer_idx: true })).toEqual([root, root / 2, root / 3]);
    expect(scales({ scale_attn_weights: false })).toEqual([1, 1, 1]);
  });

  it.each([
    [{ activation_function: "gelu" }, 'activation_function is "gelu", expected gelu_new'],
    [{ add_cross_attention: true }, "add_cross_attention is true, expected false"],
    [{ n_embd: 30 }, "n_embd is 30, expected a multiple of n_head (4)"],
    [{ n_layer: undefined }, "n_layer is missing"],
  ])("refuses %j", (rest, message) => {
    expect(() => gpt2(rest)).toThrow(message);
  });
});

describe("what the other families read", () => {
  const read = (family: string, rest: object = {}) => make(family, { num_attention_heads: 16, ...rest });

  it("Phi-3", () => {
    expect(read("phi3")).toMatchObject({ kvHeads: 16, normEpsilon: 1e-5, maxPositions: 4096, eosTokenIds: [32_000] });
    expect(read("phi3", { sliding_window: 7 }).slidingWindow).toEqual([7, 7, 7]);
    expect(read("phi3", { partial_rotary_factor: 0.75 }).rotary.inverseFrequencies).toHaveLength(12);
    expect(() => read("phi3", { rope_scaling: { type: "linear", factor: 2 } })).toThrow(
      'rope_scaling: rotary embedding type "linear" is not supported; supported are default and longrope',
    );
    const factors = Array<number>(16).fill(1);
    const su = { type: "su", short_factor: factors, long_factor: factors };
    expect(read("phi3", { rope_scaling: su, max_position_embeddings: 8192 }).rotary).toMatchObject({
      long: { beyond: 4096 },
      attentionFactor: Math.sqrt(1 + Math.log(2) / Math.log(4096)),
    });
  });

  it("Gemma 2 and 3", () => {
    expect(read("gemma2")).toMatchObject({ attentionCap: 50, logitCap: 30, attentionScale: 1 / 16, kvHeads: 4 });
    expect(read("gemma2").slidingWindow).toEqual([4096, undefined, 4096]);
    const uncapped = read("gemma2", { attn_logit_softcapping: null, final_logit_softcapping: null });
    expect([uncapped.attentionCap, uncapped.logitCap]).toEqual([undefined, undefined]);
    const gemma3 = read("gemma3_text", { rope_scaling: { rope_type: "linear", factor: 8 } });
    expect(gemma3.slidingWindow).toEqual([4096, 4096, 4096]);
    expect([gemma3.rotary.inverseFrequencies[0], gemma3.localRotary!.inverseFrequencies[0]]).toEqual([0.125, 1]);
    expect(read("gemma3_text", { sliding_window_pattern: 3 }).slidingWindow).toEqual([4096, 4096, undefined]);
    for (const [family, rest, message] of [
      ["gemma2", { hidden_activation: "gelu" }, 'hidden_activation is "gelu", expected gelu_pytorch_tanh'],
      ["gemma2", { layer_types: ["full_attention"] }, "layer_types"],
      ["gemma3_text", { use_bidirectional_attention: true }, "use_bidirectional_attention is true, expected false"],
      ["gemma3_text", { rope_parameters: { rope_type: "default" } }, "not rope_type"],
    ] as const) {
      expect(() => read(family, rest)).toThrow(message);
    }
  });

  it("SmolLM3", () => {
    expect(read("smollm3")).toMatchObject({ unrotatedLayers: [], kvHeads: 4, tiedHead: true, eosTokenIds: [128_001] });
    expect(read("smollm3", { no_rope_layer_interval: 2 }).unrotatedLayers).toEqual([1]);
    expect(read("smollm3", { no_rope_layers: [0, 1, 0] }).unrotatedLayers).toEqual([0, 2]);
    expect(() => read("smollm3", { no_rope_layers: [1] })).toThrow("a list of 0 or 1 for each of 3 layers");
    const windowed = { use_sliding_window: true, sliding_window: 9, no_rope_layers: [0, 1, 0] };
    expect(read("smollm3", windowed).slidingWindow).toEqual([9, undefined, 9]);
  });

  it("OLMo 2 and Granite", () => {
    expect(read("olmo2")).toMatchObject({ normEpsilon: 1e-5, qkNorm: true, eosTokenIds: [50_279] });
    expect(expectedTensors(read("olmo2")).get("model.layers.0.self_attn.q_norm.weight")).toEqual([512]);
    expect(read("granite", { logits_scaling: 8 })).toMatchObject({
      logitDivisor: 8,
      attentionScale: 1,
      residualFactor: 1,
    });
    expect(() => read("granite", { residual_multiplier: 0 })).toThrow(
      "residual_multiplier is 0, expected a number above 0",
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
