// What bench/generate.mjs measures, by llama.cpp through node-llama-cpp; the protocol of generate-worker.mjs. The weights are
// the same, written as GGUF into a temporary folder, and so is the adapter, which llama.cpp applies beside them.
//
//   node llama-cpp.mjs '{"package": DIR, "type": "F32", "model": REF, "prompt": 128, "tokens": 64, "rank": 8, "threads": 1, "batch": 8}'
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { initAdapter } from "../../dist/model/adapter.js";
import { openModel } from "../../dist/node/model/model-source.js";
import { stream } from "../../dist/tensor/random.js";
import { adapterOf, questions } from "../generate-input.mjs";
import { writeAdapter, writeModel } from "./gguf.mjs";

const options = JSON.parse(process.argv[2]);
const { prompt: promptLength, tokens, threads, batch } = options;
const { getLlama } = await import(pathToFileURL(path.join(options.package, "dist/index.js")).href);
const { version } = JSON.parse(readFileSync(path.join(options.package, "package.json"), "utf8"));

const base = await openModel(options.model);
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-gguf-"));
const [modelPath, adapterPath] = ["model.gguf", "adapter.gguf"].map((name) => path.join(folder, name));
await writeModel(modelPath, base, options.type);
const adapterConfig = adapterOf(options.rank);
await writeAdapter(adapterPath, base, initAdapter(adapterConfig, base.modelConfig, 1), adapterConfig.alpha);

const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({
  sequences: batch,
  contextSize: promptLength + tokens,
  threads: { ideal: threads, min: threads },
  lora: { adapters: [{ filePath: adapterPath, scale: 1 }] },
});
rmSync(folder, { recursive: true });
const sequences = Array.from({ length: batch }, () => context.getSequence());

/** `count` greedy tokens; the placeholder vocabulary's end-of-text token is one like any other. */
async function* continued(sequence, prompt, count) {
  await sequence.clearHistory();
  for (let next = prompt, done = 0; done < count;) {
    for await (const token of sequence.evaluate(next, { temperature: 0, yieldEogToken: true })) {
      yield token;
      next = [token];
      if (++done === count) return;
    }
  }
}

const random = stream(1, "bench");

async function measure() {
  const started = performance.now();
  let [reading, first] = [batch];
  let allRead;
  const read = new Promise((resolve) => (allRead = resolve));
  await Promise.all(
    sequences.map(async (sequence) => {
      const prompt = Array.from({ length: promptLength }, () => 3 + random.integer(base.modelConfig.vocabSize - 3));
      let count = 0;
      for await (const _ of continued(sequence, prompt, tokens)) {
        if (++count > 1) continue;
        if (--reading === 0) {
          first = performance.now();
          allRead();
        }
        await read;
      }
    }),
  );
  return {
    promptMs: first - started,
    decodeMs: performance.now() - first,
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
  };
}

async function answers() {
  const list = [];
  for (const prompt of questions(base)) {
    const answer = [];
    for await (const token of continued(sequences[0], [...prompt], tokens)) answer.push(token);
    list.push(answer);
  }
  return list;
}

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: true, version });
for await (const line of createInterface({ input: process.stdin })) {
  const [command] = line.split(" ");
  if (command === "generate") say(await measure());
  else if (command === "answers") say(await answers());
  else break;
}
process.exit(0);
