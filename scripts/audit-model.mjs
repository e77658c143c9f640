// A tiny random model in memory, its clients and their training, for the audits of privacy. Tokens are plain numbers.
import { adapterShapes, initAdapter, loraShape } from "../dist/model/adapter.js";
import { parseModelConfig } from "../dist/model/families/registry.js";
import { expectedTensors } from "../dist/model/names.js";
import { OPTIMIZERS } from "../dist/optim/optimizer.js";
import { stream } from "../dist/tensor/random.js";
import { subtract } from "../dist/tensor/params.js";
import { openGradientEngine } from "../dist/train/gradient-engine.js";
import { trainLocally } from "../dist/train/local-training.js";
import { openRecordGradientEngine } from "../dist/train/record-gradients.js";
import { referenceRuntime } from "../dist/train/reference-runtime.js";
import { openScorer } from "../dist/train/scorer.js";

const MAX_LENGTH = 64;

/** Opens a Llama of `hidden` features and `vocabulary` tokens, with LoRA of `rank` on `targets`. */
export async function openTinyModel({ hidden, vocabulary, rank, targets, layers = 2 }) {
  const modelConfig = parseModelConfig(
    {
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
      vocab_size: vocabulary,
      hidden_size: hidden,
      intermediate_size: hidden,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      max_position_embeddings: MAX_LENGTH,
      rms_norm_eps: 1e-5,
      rope_theta: 10_000,
      hidden_act: "silu",
      tie_word_embeddings: true,
    },
    "tiny",
  );
  const tensors = new Map();
  for (const [name, shape] of expectedTensors(modelConfig)) {
    const random = stream(0, name);
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, () => (name.includes("norm") ? 1 : random.normal() * 0.3));
    tensors.set(name, { dtype: "float32", shape, data });
  }
  const weights = {
    fingerprint: "tiny",
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    read: async (name) => tensors.get(name),
  };
  const adapter = { rank, alpha: rank, dropout: 0, targets, rsLora: false };
  const lora = loraShape(adapter, modelConfig);
  const common = {
    runtime: referenceRuntime,
    modelConfig,
    weights,
    lora,
    maxLength: MAX_LENGTH,
    microBatchTokens: 512,
  };
  const engine = await openGradientEngine({ ...common, dropout: 0 });
  const records = await openRecordGradientEngine({ ...common, dropout: 0 });
  const scorer = await openScorer(common);
  return {
    records,
    embedding: tensors.get("model.embed_tokens.weight"),
    groups: { adapter: { names: adapterShapes(adapter, modelConfig) } },
    start: initAdapter(adapter, modelConfig, 1),
    /** The change of the adapter that local training on `records` makes. */
    async train(before, records, { steps = 1, learningRate, optimizer = "sgd" }) {
      const settings = { momentum: 0, weightDecay: 0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
      const { after } = await trainLocally({
        engine,
        adapter: before,
        steps,
        batch: () => records,
        optimizer: OPTIMIZERS[optimizer](settings),
        learningRate,
        maxGradNorm: 0,
        localRule: {},
        random: () => stream(0),
      });
      return subtract(after, before);
    },
    /** Log-probability of the answers of `records`. */
    score: async (params, records) => (await scorer.score(params, records)).map(({ logProbability }) => logProbability),
  };
}

/** A record of tokens, all of which but the first `prompt` are learned. */
export const recordOf = (tokens, prompt) => ({
  id: Array.from(tokens).join(" "),
  tokens: Int32Array.from(tokens),
  supervised: Uint8Array.from(tokens, (_, i) => (i < prompt ? 0 : 1)),
});

/** A key that the seed fixes, so that the audit can be repeated. A run's own key is never made like that. */
export async function keyOf(seed, ...what) {
  const text = new TextEncoder().encode([seed, ...what].join("|"));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", text));
}
