// Opens exported models with the programs that they are for, and compares with what this program computes. By hand: the
// programs are large, so they are no dependencies. In an empty folder elsewhere:
//
//   npm init -y && npm install --ignore-scripts node-llama-cpp @huggingface/transformers
//
// and then here
//
//   npm run check:exports -- FOLDER                     tiny random models of every family
//   npm run check:exports -- FOLDER RUN                 a run's final adapter too
//
// For each number format it prints the largest difference of log-probabilities after a prompt, over the likely tokens, and
// how many greedy tokens are the same. It exits 1 where the differences are more than the format rounds.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { encodeGgml } from "../dist/export/gguf/quantize.js";
import { Q8_BLOCK } from "../dist/export/gguf/gguf-file.js";
import { readMerged } from "../dist/model/merge.js";
import { float16ToFloat32, float32ToFloat16 } from "../dist/tensor/float16.js";
import { openTokenizer } from "../dist/decode/base-tokenizer.js";
import { openDecoder } from "../dist/decode/decoder.js";
import { openFittingAdapter } from "../dist/jobs/fitting-adapter.js";
import { nodePlatform } from "../dist/node/platform.js";
import { findTrainedAdapter } from "../dist/node/trained-adapter.js";
import { TEMPLATES } from "../dist/data/template.js";
import { contextOf } from "../dist/data/tokens.js";
import { writeTinyModels } from "./tiny-models.mjs";

const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const [consumers, run] = process.argv.slice(2);
if (consumers === undefined) {
  console.error("usage: npm run check:exports -- FOLDER_WITH_CONSUMERS [RUN]");
  process.exit(2);
}
const load = (name) => import(pathToFileURL(createRequire(path.resolve(consumers, "_")).resolve(name)));
const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-exports-"));
/** Greedy tokens that are compared. */
const TOKENS = 24;

/** Largest difference of log-probabilities (nats) of two programs that compute the same in float32. */
const SAME = 1e-3;
/**
 * llama.cpp rounds activations to the format of the weights, an error of the size of that which the weights have. Of both
 * together √2 times the difference is expected that the weights alone make in our program; the largest over many tokens is more.
 */
const ACTIVATIONS = 4;
const GGUF_FORMATS = ["f32", "f16", "q8_0"];
/** What a number format leaves of the values of a matrix. */
const ROUNDED = {
  f32: (values) => values,
  f16: (values) => float16ToFloat32(float32ToFloat16(values)),
  q8_0(values) {
    const bytes = encodeGgml(values, "q8_0", "weights");
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return values.map((_, i) => {
      const block = Math.floor(i / Q8_BLOCK) * (Q8_BLOCK + 2);
      const [scale] = float16ToFloat32(Uint16Array.of(view.getUint16(block, true)));
      return scale * view.getInt8(block + 2 + (i % Q8_BLOCK));
    });
  },
};

const ONNX_FORMATS = [
  ["f32", "fp32"],
  ["f16", "fp16"],
];

let failures = 0;
function report(what, { difference, same }, limit, alike) {
  const wrong = difference > limit || (alike && same < TOKENS);
  if (wrong) failures++;
  console.log(
    `${wrong ? "WRONG " : "ok    "}${what.padEnd(34)} difference ${difference.toExponential(1)} (limit ${limit.toExponential(1)}), same tokens ${same} of ${TOKENS}`,
  );
}

/** Log-probabilities after the prompt, and the greedy tokens after it, of the merged model in a number format. */
async function ours(model, prompt, dtype) {
  const platform = nodePlatform({});
  const base = await platform.openModel(model.base);
  const adapter = await openFittingAdapter(platform, base, model.adapter);
  const maxLength = prompt.length + TOKENS;
  const weights = {
    fingerprint: `${model.name}-${dtype}`,
    shapes: base.weights.shapes,
    async read(name) {
      const { shape, data } = await readMerged(base.weights, name, adapter);
      const whole = shape.length === 1 || (dtype === "q8_0" && shape[1] % Q8_BLOCK !== 0);
      return { dtype: "float32", shape, data: whole ? data : ROUNDED[dtype](data) };
    },
  };
  const decoder = await openDecoder({ ...base, runtime: platform.runtime, weights, lora: undefined, maxLength });
  const cache = decoder.openCache(1, maxLength);
  let [logits] = await decoder.extend(new Map(), cache, 0, [prompt]);
  const first = logProbabilities(logits);
  const tokens = [];
  for (;;) {
    tokens.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
    if (tokens.length === TOKENS) break;
    [logits] = await decoder.extend(new Map(), cache, 0, [[tokens.at(-1)]]);
  }
  await decoder.dispose();
  return { first, tokens };
}

function logProbabilities(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return Array.from(logits, (logit) => logit - largest - Math.log(sum));
}

/** Compares where probability is: a token of 1e-6 has few digits in another program's answer. */
function compared(wanted, { first, tokens }) {
  let difference = 0;
  wanted.first.forEach((value, token) => {
    if (value > Math.log(1e-4)) difference = Math.max(difference, Math.abs(value - (first[token] ?? -Infinity)));
  });
  const end = tokens.findIndex((token, i) => token !== wanted.tokens[i]);
  return { difference, same: end === -1 ? tokens.length : end };
}

function exported(model, to, ...flags) {
  const out = path.join(folder, [model.name, to, ...flags].join("_").replaceAll("--", ""));
  const args = [CLI, "export", model.adapter, "--model", model.base, "--to", to, "--out", out, ...flags];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return out;
}

async function inLlamaCpp({ getLlama }, file, lora, prompt) {
  const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: 1 });
  const model = await llama.loadModel({ modelPath: file });
  const context = await model.createContext({
    contextSize: prompt.length + TOKENS + 8,
    batchSize: prompt.length + TOKENS,
    flashAttention: false,
    experimentalKvCacheKeyType: "F32",
    experimentalKvCacheValueType: "F32",
    ...(lora === undefined ? {} : { lora }),
  });
  const sequence = context.getSequence();
  const ask = { generateNext: { probabilities: true, options: { temperature: 1, topK: 0, topP: 1, minP: 0 } } };
  const after = async (tokens) => {
    const input = [...tokens.slice(0, -1), [tokens.at(-1), ask]];
    const results = await sequence.controlledEvaluate(input);
    return results.at(-1).next.probabilities;
  };
  const first = [];
  let next = await after(prompt);
  for (const [token, probability] of next) first[token] = Math.log(probability);
  const tokens = [];
  for (;;) {
    tokens.push([...next].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]);
    if (tokens.length === TOKENS) break;
    next = await after([tokens.at(-1)]);
  }
  const text = "What's 12 + 34?\n  Größe, 天空 \u{1F600}!";
  const ids = [...model.tokenize(text, false)];
  await llama.dispose();
  return { first, tokens, ids, text };
}

/** The answers of transformers.js, which finds the graph, its weights and its cache by their names. */
async function inTransformersJs({ AutoModelForCausalLM, env, Tensor }, exportedTo, dtype, prompt) {
  env.allowRemoteModels = false;
  env.localModelPath = path.dirname(exportedTo);
  const model = await AutoModelForCausalLM.from_pretrained(path.basename(exportedTo), { dtype });
  const row = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
  const inputs = { input_ids: row(prompt), attention_mask: row(prompt.map(() => 1)) };
  const { logits } = await model(inputs);
  const first = logProbabilities(logits.data.slice(-logits.dims[2]));
  // No end of text: as many tokens as are compared.
  const settings = { max_new_tokens: TOKENS, eos_token_id: -1, do_sample: false, repetition_penalty: 1 };
  const generated = await model.generate({ ...inputs, ...settings });
  const tokens = Array.from(generated.data, Number).slice(prompt.length);
  await model.dispose();
  return { first, tokens };
}

async function check(model, { alike }) {
  const base = await nodePlatform({}).openModel(model.base);
  const tokenizer = openTokenizer(base);
  const question = [{ role: "user", content: "What is the capital of France?" }];
  const asked = TEMPLATES.chat.prompt(question, contextOf(tokenizer, {}));
  const prompt = tokenizer.encode(asked);
  // llama.cpp looks GELU up in a table of half precision.
  const same = model.name.startsWith("gemma") ? 4 * SAME : SAME;
  const wanted = {};
  for (const dtype of GGUF_FORMATS) wanted[dtype] = await ours(model, prompt, dtype);
  const llamaCpp = await load("node-llama-cpp");
  for (const dtype of model.hasGguf ? GGUF_FORMATS : []) {
    const limit = Math.max(same, ACTIVATIONS * compared(wanted.f32, wanted[dtype]).difference);
    const file = path.join(exported(model, "gguf", "--dtype", dtype), "model.gguf");
    const got = await inLlamaCpp(llamaCpp, file, undefined, prompt);
    report(`${model.name} gguf ${dtype}`, compared(wanted.f32, got), limit, alike && dtype !== "q8_0");
    const ids = tokenizer.encode(got.text);
    if (JSON.stringify(ids) !== JSON.stringify(got.ids)) {
      failures++;
      console.log(`WRONG ${model.name} gguf ${dtype}: tokens of a text are ${got.ids.join()}, expected ${ids.join()}`);
    }
  }
  const transformersJs = await load("@huggingface/transformers");
  for (const [dtype, option] of ONNX_FORMATS) {
    const got = await inTransformersJs(transformersJs, exported(model, "onnx", "--dtype", dtype), option, prompt);
    // It computes in float32 with the rounded weights, and so do we.
    report(`${model.name} onnx ${dtype}`, compared(wanted[dtype], got), SAME, true);
  }
  if (!model.hasGguf) return;
  const plain = path.join(exported(model, "gguf", "--base-only", "--dtype", "f32"), "model.gguf");
  const lora = path.join(exported(model, "gguf-lora"), "adapter.gguf");
  report(`${model.name} gguf-lora`, compared(wanted.f32, await inLlamaCpp(llamaCpp, plain, lora, prompt)), same, alike);
}

try {
  for (const model of await writeTinyModels(folder)) await check(model, { alike: false });
  if (run !== undefined) {
    const found = await findTrainedAdapter(run);
    await check({ name: "run", base: found.base, adapter: found.folder, hasGguf: true }, { alike: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? "all exports agree" : `${failures} exports do not agree`);
process.exitCode = failures === 0 ? 0 : 1;
