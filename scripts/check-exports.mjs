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

/** Format, number format, and the largest difference of a log-probability (nats) that its rounding explains. */
const GGUF_FORMATS = [
  ["f32", 1e-3],
  ["f16", 5e-2],
  ["q8_0", 0.5],
];

let failures = 0;
function report(what, { difference, same }, limit, alike) {
  const wrong = difference > limit || (alike && same < TOKENS);
  if (wrong) failures++;
  console.log(
    `${wrong ? "WRONG " : "ok    "}${what.padEnd(34)} difference ${difference.toExponential(1)} (limit ${limit}), same tokens ${same} of ${TOKENS}`,
  );
}

/** Log-probabilities after the prompt, and the greedy tokens after it. */
async function ours(model, prompt) {
  const platform = nodePlatform({});
  const base = await platform.openModel(model.base);
  const adapter = await openFittingAdapter(platform, base, model.adapter);
  const maxLength = prompt.length + TOKENS;
  const decoder = await openDecoder({ runtime: platform.runtime, ...base, lora: adapter.shape, maxLength });
  const cache = decoder.openCache(1, maxLength);
  let [logits] = await decoder.extend(adapter.params, cache, 0, [prompt]);
  const first = logProbabilities(logits);
  const tokens = [];
  for (;;) {
    tokens.push(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))));
    if (tokens.length === TOKENS) break;
    [logits] = await decoder.extend(adapter.params, cache, 0, [[tokens.at(-1)]]);
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

async function check(model, { alike }) {
  const base = await nodePlatform({}).openModel(model.base);
  const tokenizer = openTokenizer(base);
  const question = [{ role: "user", content: "What is the capital of France?" }];
  const asked = TEMPLATES.chat.prompt(question, contextOf(tokenizer, {}));
  const prompt = tokenizer.encode(asked);
  const wanted = await ours(model, prompt);
  const llamaCpp = await load("node-llama-cpp");
  for (const [dtype, limit] of GGUF_FORMATS) {
    const file = path.join(exported(model, "gguf", "--dtype", dtype), "model.gguf");
    const got = await inLlamaCpp(llamaCpp, file, undefined, prompt);
    report(`${model.name} gguf ${dtype}`, compared(wanted, got), limit, alike && dtype !== "q8_0");
    const ids = tokenizer.encode(got.text);
    if (JSON.stringify(ids) !== JSON.stringify(got.ids)) {
      failures++;
      console.log(`WRONG ${model.name} gguf ${dtype}: tokens of a text are ${got.ids.join()}, expected ${ids.join()}`);
    }
  }
  const plain = path.join(exported(model, "gguf", "--base-only", "--dtype", "f32"), "model.gguf");
  const lora = path.join(exported(model, "gguf-lora"), "adapter.gguf");
  report(`${model.name} gguf-lora`, compared(wanted, await inLlamaCpp(llamaCpp, plain, lora, prompt)), 1e-3, alike);
}

try {
  for (const model of await writeTinyModels(folder)) await check(model, { alike: false });
  if (run !== undefined) {
    const found = await findTrainedAdapter(run);
    await check({ name: "run", base: found.base, adapter: found.folder }, { alike: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? "all exports agree" : `${failures} exports do not agree`);
process.exitCode = failures === 0 ? 0 : 1;
