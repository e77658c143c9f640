// Writes one of our models as a GGUF file (version 3, architecture "llama") that llama.cpp opens: the weights, and a
// vocabulary of placeholders, since a benchmark feeds token ids and the loader wants one. Format: ggml's docs/gguf.md; names and the order of the rows of q and k as
// llama.cpp's convert_hf_to_gguf.py has them.
import { closeSync, openSync, writeSync } from "node:fs";

const ALIGNMENT = 32;
const [UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9];
/** Numbers of ggml's types, and of llama.cpp's "mostly" file types. */
const TYPES = { F32: { tensor: 0, file: 0, bytes: 4 }, F16: { tensor: 1, file: 1, bytes: 2 } };

/** A growing run of little-endian values. */
class Bytes {
  parts = [];
  byte = (value) => this.#put(1, (view) => view.setUint8(0, value));
  u32 = (value) => this.#put(4, (view) => view.setUint32(0, value, true));
  u64 = (value) => this.#put(8, (view) => view.setBigUint64(0, BigInt(value), true));
  f32 = (value) => this.#put(4, (view) => view.setFloat32(0, value, true));
  string(text) {
    const bytes = Buffer.from(text);
    this.u64(bytes.length);
    this.parts.push(bytes);
  }
  value(kind, value) {
    if (kind === STRING) this.string(value);
    else if (kind === FLOAT32) this.f32(value);
    else if (kind === BOOL) this.byte(value ? 1 : 0);
    else if (kind === ARRAY) {
      this.u32(value.kind);
      this.u64(value.items.length);
      for (const item of value.items) this.value(value.kind, item);
    } else this.u32(value);
  }
  #put(size, write) {
    const part = Buffer.alloc(size);
    write(new DataView(part.buffer, part.byteOffset, size));
    this.parts.push(part);
  }
}

/** Nearest half-precision bits, ties to even; beyond the largest half, infinity. */
function half(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (!(size < 65520)) return sign | (Number.isNaN(value) ? 0x7e00 : 0x7c00);
  // A unit in the last place of this magnitude; below 2⁻¹⁴ all are one size.
  const exponent = Math.max(-14, Math.floor(Math.log2(size || Number.MIN_VALUE)));
  const units = size / 2 ** (exponent - 10);
  const floor = Math.floor(units);
  const rest = units - floor;
  const rounded = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
  return sign | ((exponent + 14) * 1024 + rounded);
}

/** Hugging Face pairs row i of a head with row i + d/2 in its rotation, llama.cpp with the next row. */
function pairRows(data, heads, width) {
  const headDim = data.length / heads / width;
  const result = new Float32Array(data.length);
  for (let row = 0; row < heads * headDim; row++) {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    const from = head * headDim + (i % 2) * (headDim / 2) + Math.floor(i / 2);
    result.set(data.subarray(from * width, (from + 1) * width), row * width);
  }
  return result;
}

function tensorNames({ layers, tiedHead }) {
  const names = [
    ["token_embd", "model.embed_tokens"],
    ["output_norm", "model.norm"],
    ...(tiedHead ? [] : [["output", "lm_head"]]),
  ];
  for (let layer = 0; layer < layers; layer++) {
    for (const [ours, theirs] of [
      ["input_layernorm", "attn_norm"],
      ["self_attn.q_proj", "attn_q"],
      ["self_attn.k_proj", "attn_k"],
      ["self_attn.v_proj", "attn_v"],
      ["self_attn.o_proj", "attn_output"],
      ["post_attention_layernorm", "ffn_norm"],
      ["mlp.gate_proj", "ffn_gate"],
      ["mlp.up_proj", "ffn_up"],
      ["mlp.down_proj", "ffn_down"],
    ]) {
      names.push([`blk.${layer}.${theirs}`, `model.layers.${layer}.${ours}`]);
    }
  }
  return names.map(([theirs, ours]) => ({ name: `${theirs}.weight`, source: ours }));
}

function metadata(config, fileType) {
  const { rotary, headDim } = config;
  const thetas = rotary.inverseFrequencies;
  const base = thetas[1] ** (-headDim / 2);
  if (
    config.family !== "llama" ||
    config.qkvBias ||
    thetas.some((f, i) => Math.abs(f * base ** ((2 * i) / headDim) - 1) > 1e-6)
  )
    throw new Error("only a plain LLaMA can be written: no biases, no scaled rotation");
  const ids = Array.from({ length: config.vocabSize }, (_, id) => id);
  return [
    ["general.architecture", STRING, "llama"],
    ["general.file_type", UINT32, fileType],
    ["general.alignment", UINT32, ALIGNMENT],
    ["llama.vocab_size", UINT32, config.vocabSize],
    ["llama.context_length", UINT32, config.maxPositions],
    ["llama.embedding_length", UINT32, config.hiddenSize],
    ["llama.feed_forward_length", UINT32, config.intermediateSize],
    ["llama.block_count", UINT32, config.layers],
    ["llama.attention.head_count", UINT32, config.heads],
    ["llama.attention.head_count_kv", UINT32, config.kvHeads],
    ["llama.attention.layer_norm_rms_epsilon", FLOAT32, config.normEpsilon],
    ["llama.rope.dimension_count", UINT32, headDim],
    ["llama.rope.freq_base", FLOAT32, base],
    ["tokenizer.ggml.model", STRING, "gpt2"],
    ["tokenizer.ggml.pre", STRING, "gpt-2"],
    ["tokenizer.ggml.tokens", ARRAY, { kind: STRING, items: ids.map((id) => `<${id}>`) }],
    // All "normal".
    ["tokenizer.ggml.token_type", ARRAY, { kind: INT32, items: ids.map(() => 1) }],
    ["tokenizer.ggml.merges", ARRAY, { kind: STRING, items: ["< 0"] }],
    ["tokenizer.ggml.bos_token_id", UINT32, 0],
    ["tokenizer.ggml.eos_token_id", UINT32, 0],
    ["tokenizer.ggml.add_bos_token", BOOL, false],
  ];
}

/** A matrix [out, in] of q or k as llama.cpp has its rows; any other as it is. */
function reordered(module, data, shape, { heads, kvHeads }) {
  if (module.endsWith("q_proj")) return pairRows(data, heads, shape[1]);
  return module.endsWith("k_proj") ? pairRows(data, kvHeads, shape[1]) : data;
}

/** Each tensor: name, shape, type, and a function that reads its values. */
async function write(file, entries, tensors) {
  const header = new Bytes();
  header.parts.push(Buffer.from("GGUF"));
  header.u32(3);
  header.u64(tensors.length);
  header.u64(entries.length);
  for (const [key, kind, value] of entries) {
    header.string(key);
    header.u32(kind);
    header.value(kind, value);
  }
  const padded = (length) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    header.string(name);
    header.u32(shape.length);
    for (const size of shape.toReversed()) header.u64(size);
    header.u32(type.tensor);
    header.u64(offset);
    offset += padded(type.bytes * shape.reduce((a, b) => a * b, 1));
  }
  const out = openSync(file, "w");
  const append = (bytes) => writeSync(out, Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]));
  append(Buffer.concat(header.parts));
  for (const { type, read } of tensors) {
    const data = await read();
    const values = type === TYPES.F32 ? data : Uint16Array.from(data, half);
    append(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
  }
  closeSync(out);
}

/** `type`: F32 or F16, of the matrices; norms are float32 in both. */
export async function writeModel(file, { modelConfig: config, weights }, type) {
  const tensors = tensorNames(config).map(({ name, source }) => {
    const shape = weights.shapes.get(`${source}.weight`);
    const read = async () => reordered(source, (await weights.read(`${source}.weight`)).data, shape, config);
    return { name, shape, type: TYPES[shape.length === 1 ? "F32" : type], read };
  });
  await write(file, metadata(config, TYPES[type].file), tensors);
}

/** An adapter of a model, for llama.cpp to apply beside the weights. */
export async function writeAdapter(file, { modelConfig: config }, adapter, alpha) {
  const entries = [
    ["general.architecture", STRING, "llama"],
    ["general.type", STRING, "adapter"],
    ["general.alignment", UINT32, ALIGNMENT],
    ["adapter.type", STRING, "lora"],
    ["adapter.lora.alpha", FLOAT32, alpha],
  ];
  const tensors = tensorNames(config).flatMap(({ name, source }) =>
    ["A", "B"].flatMap((half) => {
      const tensor = adapter.get(`base_model.model.${source}.lora_${half}.weight`);
      if (tensor === undefined) return [];
      const { shape, data } = tensor;
      const read = () => (half === "B" ? reordered(source, data, shape, config) : data);
      return [{ name: `${name}.lora_${half.toLowerCase()}`, shape, type: TYPES.F32, read }];
    }),
  );
  await write(file, entries, tensors);
}
