import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { adapterShapes } from "../../src/model/adapter.ts";
import { parseModelConfig } from "../../src/model/families/registry.ts";
import { expectedTensors } from "../../src/model/names.ts";
import { saveAdapter } from "../../src/node/model/adapter-files.ts";
import type { Tensor } from "../../src/tensor/params.ts";
import { stream } from "../../src/tensor/random.ts";
import { encodeSafetensors } from "../../src/tensor/safetensors.ts";

const SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

const CHAT_TEMPLATE =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Byte-level BPE's alphabet: a printable character for each of the 256 bytes. */
function byteAlphabet(): string[] {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let extra = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : extra++));
}

export interface TinyModelOptions {
  /** Default: room for the tokenizer. */
  readonly vocabSize?: number;
  readonly architecture?: string;
  readonly hiddenSize?: number;
  readonly seed?: number;
}

/**
 * Writes a whole Hugging Face model folder with random weights and a tokenizer of one token a byte: training it takes
 * milliseconds, and everything but its answers is as with a real one.
 */
export function writeTinyModel(folder: string, options: TinyModelOptions = {}): string {
  const { vocabSize = 256 + SPECIAL.length, architecture = "llama", hiddenSize = 32, seed = 0 } = options;
  mkdirSync(folder, { recursive: true });
  const config = {
    model_type: architecture,
    architectures: ["LlamaForCausalLM"],
    vocab_size: vocabSize,
    hidden_size: hiddenSize,
    intermediate_size: 48,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: "silu",
    tie_word_embeddings: true,
    bos_token_id: SPECIAL.length - 2 + 256,
    eos_token_id: SPECIAL.length - 1 + 256,
  };
  writeFileSync(path.join(folder, "config.json"), JSON.stringify(config));
  const bytes = byteAlphabet();
  const added = SPECIAL.map((content, i) => ({
    id: 256 + i,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  }));
  const tokenizer = {
    version: "1.0",
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: Object.fromEntries(bytes.map((c, i) => [c, i])), merges: [], unk_token: null },
  };
  writeFileSync(path.join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
  writeFileSync(
    path.join(folder, "tokenizer_config.json"),
    JSON.stringify({ eos_token: "<|im_end|>", pad_token: "<|endoftext|>", chat_template: CHAT_TEMPLATE }),
  );
  if (architecture !== "llama") return folder;
  const weights = new Map<string, Tensor>();
  for (const [name, shape] of expectedTensors(parseModelConfig(config, "tiny"))) {
    const random = stream(seed, name);
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      name.includes("norm") ? 1 : random.normal() * 0.1,
    );
    weights.set(name, { shape, data });
  }
  writeFileSync(path.join(folder, "model.safetensors"), encodeSafetensors(weights, { format: "pt" }));
  return folder;
}

/** Records of one made-up trade: enough to train on, different for every client. */
export function writeTinyData(file: string, trade: string, count: number): void {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      instruction: `What is ${trade} item ${i}?`,
      response: `It is number ${i * 7 + trade.length} of the ${trade}.`,
      topic: i % 2 ? "odd" : "even",
    }),
  );
  writeFileSync(file, `${lines.join("\n")}\n`);
}

/** Writes preference data: questions with a chosen and a rejected answer. */
export function writeTinyPairs(file: string, trade: string, count: number): void {
  const lines = Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      prompt: `How many ${trade} are in box ${i}?`,
      chosen: `There are ${i + 2} ${trade} in box ${i}.`,
      rejected: `Nobody counts ${trade}.`,
    }),
  );
  writeFileSync(file, `${lines.join("\n")}\n`);
}

/** Writes an adapter of a tiny model in PEFT's layout, with values that change what it answers. */
export async function writeTinyAdapter(
  folder: string,
  modelFolder: string,
  { seed, rank = 4 }: { readonly seed: number; readonly rank?: number },
): Promise<string> {
  const config = { rank, alpha: 2 * rank, dropout: 0, targets: "all-linear", rsLora: false } as const;
  const json: unknown = JSON.parse(readFileSync(path.join(modelFolder, "config.json"), "utf8"));
  const params = new Map<string, Tensor>();
  for (const [name, shape] of adapterShapes(config, parseModelConfig(json, "tiny"))) {
    const random = stream(seed, name);
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal() * 0.2);
    params.set(name, { shape, data });
  }
  await saveAdapter(folder, config, params, "tiny");
  return folder;
}
