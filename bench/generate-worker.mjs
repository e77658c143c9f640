// One side of bench/generate.mjs: ours. Line protocol: a JSON line "ready", then for each line read, `generate BATCH` or
// `bandwidth`, a JSON line with what was measured.
import { createInterface } from "node:readline";
import { GraphBuilder } from "../dist/graph/graph.js";
import { initAdapter, loraShape } from "../dist/model/adapter.js";
import { decodingGraph } from "../dist/model/language-model.js";
import { openModel } from "../dist/node/model/model-source.js";
import { onnxRuntime } from "../dist/node/onnx-runtime.js";
import { stream } from "../dist/tensor/random.js";
import { openDecoder } from "../dist/decode/decoder.js";
import { generate } from "../dist/decode/generation.js";
import { GREEDY } from "../dist/decode/token-sampling.js";
import { adapterOf, questions } from "./generate-input.mjs";

const { model: ref, prompt: promptLength, tokens, rank, threads } = JSON.parse(process.argv[2]);

const model = await openModel(ref);
const runtime = onnxRuntime({ threads });
const adapterConfig = adapterOf(rank);
const lora = loraShape(adapterConfig, model.modelConfig);
const maxLength = promptLength + tokens;
const decoder = await openDecoder({ runtime, ...model, lora, maxLength });
const adapter = initAdapter(adapterConfig, model.modelConfig, 1);
const random = stream(1, "bench");

const greedy = {
  maxNewTokens: tokens,
  ...GREEDY,
  stopTokens: new Set(),
  random: () => random,
};

/** Reads the prompts, then writes `tokens` after each; the first token ends the reading. */
async function measure(batch) {
  const prompts = Array.from({ length: batch }, () =>
    Int32Array.from({ length: promptLength }, () => 3 + random.integer(model.modelConfig.vocabSize - 3)),
  );
  const started = performance.now();
  let first;
  for await (const _ of generate(decoder, adapter, prompts, { ...greedy, batchSize: batch }))
    first ??= performance.now();
  return {
    promptMs: first - started,
    decodeMs: performance.now() - first,
    peakMemoryMB: process.resourceUsage().maxRSS / 1024,
  };
}

async function answers() {
  const prompts = questions(model);
  const list = prompts.map(() => []);
  for await (const { prompt, token } of generate(decoder, adapter, prompts, { ...greedy, batchSize: 1 })) {
    if (token !== undefined) list[prompt].push(token);
  }
  return list;
}

/** What one step reads of the base at least: every weight once, of an untied embedding a row a sequence. */
function weightBytes() {
  const { parameters } = decodingGraph(model.modelConfig, lora, { maxLength });
  return parameters
    .filter(({ name }) => model.modelConfig.tiedHead || !name.includes("embed_tokens"))
    .reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
}

let matrix;

/** GB/s of a product of one row with a matrix of 128 MB, the fastest of five. */
async function bandwidth(width = 8192, height = 4096) {
  if (matrix === undefined) {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [1, width]);
    const w = builder.input("w", "float32", [height, width]);
    builder.output("y", builder.op("gemm", [x, w], { transB: true }));
    const session = await runtime.load(builder.build(), model.weights);
    const ones = (shape) => ({ shape, data: new Float32Array(shape[0] * shape[1]).fill(1) });
    matrix = {
      session,
      feeds: new Map([
        ["x", ones([1, width])],
        ["w", ones([height, width])],
      ]),
    };
  }
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    await matrix.session.run(matrix.feeds, ["y"]);
    best = Math.min(best, performance.now() - started);
  }
  return { gbPerSecond: (4 * width * height) / best / 1e6 };
}

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: true, weightBytes: weightBytes() });
for await (const line of createInterface({ input: process.stdin })) {
  const [command, batch] = line.split(" ");
  if (command === "generate") say(await measure(Number(batch)));
  else if (command === "answers") say(await answers());
  else if (command === "bandwidth") say(await bandwidth());
  else break;
}
await decoder.dispose();
process.exit(0);
