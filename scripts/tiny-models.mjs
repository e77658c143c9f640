// Tiny random models of every family with an adapter, for checks of exports. A byte-level tokenizer with some merges.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { adapterShapes } from "../dist/model/adapter.js";
import { familyOf, MODEL_TYPES, parseModelConfig } from "../dist/model/families/registry.js";
import { expectedTensors } from "../dist/model/names.js";
import { saveAdapter } from "../dist/node/model/adapter-files.js";
import { stream } from "../dist/tensor/random.js";
import { encodeSafetensors } from "../dist/tensor/safetensors.js";

const ARCHITECTURES = {
  llama: "Llama",
  mistral: "Mistral",
  qwen2: "Qwen2",
  qwen3: "Qwen3",
  gemma: "Gemma",
  phi3: "Phi3",
  gemma2: "Gemma2",
  gemma3_text: "Gemma3",
  olmo2: "Olmo2",
  smollm3: "SmolLM3",
  granite: "Granite",
};
/** Heads that are as wide as the hidden state allows; the others have wider ones. */
const NARROW = new Set(["qwen2", "phi3", "olmo2", "smollm3", "granite"]);
/** The linear layer with a rank of its own. */
const RANKED = { phi3: "o_proj", gpt2: "c_fc" };
/** Keys of families that have their own. */
const OWN = {
  gemma2: { sliding_window: 16, query_pre_attn_scalar: 32, hidden_activation: "gelu_pytorch_tanh" },
  gemma3_text: { sliding_window: 16, query_pre_attn_scalar: 32, hidden_activation: "gelu_pytorch_tanh" },
  granite: { embedding_multiplier: 2, attention_multiplier: 0.2, residual_multiplier: 0.5, logits_scaling: 2 },
  olmo2: { tie_word_embeddings: false },
  smollm3: { num_hidden_layers: 4 },
  gpt2: { n_embd: 64, n_layer: 2, n_head: 4, n_positions: 512, n_inner: 80 },
};
const SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const LETTERS = [
  ["Ġ", "t"],
  ["h", "e"],
  ["Ġt", "he"],
  ["Ġ", "i"],
  ["Ġi", "s"],
  ["a", "t"],
];

/** Writes them into folders of `folder`; returns name, base and adapter of each. */
export async function writeTinyModels(folder) {
  const models = [];
  for (const type of MODEL_TYPES) models.push(await write(folder, type, type, {}));
  const llama3 = {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  };
  models.push(await write(folder, "llama3-rope", "llama", { rope_scaling: llama3, tie_word_embeddings: false }));
  models.push(await write(folder, "linear-rope", "qwen2", { rope_scaling: { rope_type: "linear", factor: 4 } }));
  models.push(await write(folder, "biases", "llama", { attention_bias: true, mlp_bias: true }));
  return models;
}

async function write(folder, name, type, more) {
  const base = path.join(folder, name);
  mkdirSync(base, { recursive: true });
  const json = (file, value) => writeFileSync(path.join(base, file), JSON.stringify(value));
  const pieces = writeTinyTokenizer(base);
  const config = {
    model_type: type,
    architectures: [type === "gpt2" ? "GPT2LMHeadModel" : `${ARCHITECTURES[type]}ForCausalLM`],
    vocab_size: pieces + SPECIAL.length + 2,
    hidden_size: 64,
    intermediate_size: 80,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: NARROW.has(type) ? 16 : 32,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: type === "gemma" ? "gelu_pytorch_tanh" : "silu",
    tie_word_embeddings: true,
    sliding_window: null,
    bos_token_id: pieces + 1,
    eos_token_id: pieces + 2,
    pad_token_id: 0,
    ...OWN[type],
    ...more,
  };
  json("config.json", config);
  const parsed = parseModelConfig(config, name);
  const random = (shapes, scale) =>
    new Map(
      [...shapes].map(([tensor, shape]) => {
        const draw = stream(1, name, tensor);
        const size = shape.reduce((a, b) => a * b, 1);
        const centre = /norm.*weight|ln_.*weight/.test(tensor) && !type.startsWith("gemma") ? 1 : 0;
        return [tensor, { shape, data: Float32Array.from({ length: size }, () => centre + draw.normal() * scale) }];
      }),
    );
  writeFileSync(
    path.join(base, "model.safetensors"),
    encodeSafetensors(random(expectedTensors(parsed), 0.15), { format: "pt" }),
  );
  const adapter = {
    rank: 4,
    alpha: 8,
    dropout: 0,
    targets: "all-linear",
    rsLora: true,
    rankPattern: { [RANKED[type] ?? "q_proj"]: 2 },
  };
  const folderOfAdapter = path.join(folder, `${name}-adapter`);
  await saveAdapter(folderOfAdapter, adapter, random(adapterShapes(adapter, parsed), 0.1), base);
  return { name, base, adapter: folderOfAdapter, hasGguf: familyOf(parsed).gguf !== undefined };
}

/** Writes a byte-level tokenizer with a chat template. Returns the id of its first special token. */
export function writeTinyTokenizer(folder) {
  const pieces = [...bytePieces(), ...LETTERS.map((pair) => pair.join(""))];
  writeByteLevelTokenizer(folder, {
    pieces,
    merges: LETTERS,
    special: SPECIAL,
    end: SPECIAL[2],
    pad: SPECIAL[0],
    template: TEMPLATE,
  });
  return pieces.length;
}

/** Writes a byte-level BPE tokenizer: the special tokens have the ids after the pieces. */
export function writeByteLevelTokenizer(folder, { pieces, merges, special, end, pad, template }) {
  const json = (file, value) => writeFileSync(path.join(folder, file), JSON.stringify(value));
  json("tokenizer.json", {
    version: "1.0",
    added_tokens: special.map((content, i) => ({
      id: pieces.length + i,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: Object.fromEntries(pieces.map((c, i) => [c, i])), merges, unk_token: null },
  });
  json("tokenizer_config.json", {
    eos_token: end,
    pad_token: pad,
    chat_template: template,
    tokenizer_class: "PreTrainedTokenizerFast",
  });
}

/** The characters that stand for the 256 bytes, as GPT-2 has them. */
export function bytePieces() {
  const printable = (b) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let extra = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : extra++));
}
