// One side of bench/step.mjs: times a training step of ours on request. Line protocol: a JSON line "ready", then for
// each line "step" or "peak" read, a JSON line with what was measured.
import { createInterface } from "node:readline";
import { GraphBuilder } from "../dist/graph/graph.js";
import { initAdapter, loraShape } from "../dist/model/adapter.js";
import { trainingGraph } from "../dist/model/language-model.js";
import { openModel } from "../dist/node/model/model-source.js";
import { onnxRuntime } from "../dist/node/onnx-runtime.js";
import { adamW } from "../dist/optim/optimizer.js";
import { stream } from "../dist/tensor/random.js";
import { secretStream } from "../dist/privacy/secret-stream.js";
import { openGradientEngine } from "../dist/train/gradient-engine.js";
import { padBatch } from "../dist/train/micro-batches.js";
import { trainLocally } from "../dist/train/local-training.js";
import { trainPrivately } from "../dist/train/private-training.js";
import { openRecordGradientEngine } from "../dist/train/record-gradients.js";
import { sft } from "../dist/train/sft.js";

const {
  model: ref,
  batch,
  length,
  rank,
  supervised,
  threads,
  microBatchTokens,
  profile,
  isPrivate = false,
} = JSON.parse(process.argv[2]);

const model = await openModel(ref);
const runtime = onnxRuntime({ threads, ...(profile === undefined ? {} : { profile }) });
const adapterConfig = { rank, alpha: 2 * rank, dropout: 0, targets: ["q_proj", "v_proj"], rsLora: false };
const lora = loraShape(adapterConfig, model.modelConfig);
const shared = { modelConfig: model.modelConfig, weights: model.weights, lora };
const open = isPrivate ? openRecordGradientEngine : openGradientEngine;
const engine = await open({ runtime, ...shared, dropout: 0, maxLength: length, microBatchTokens });

const random = stream(1, "bench");
const examples = Array.from({ length: batch }, (_, i) => ({
  id: String(i),
  tokens: Int32Array.from({ length }, () => 3 + random.integer(model.modelConfig.vocabSize - 3)),
  supervised: Uint8Array.from({ length }, (_unused, at) => (at >= Math.round(length * (1 - supervised)) ? 1 : 0)),
}));
let adapter = initAdapter(adapterConfig, model.modelConfig, 1);

async function step() {
  const started = performance.now();
  const common = {
    engine,
    adapter,
    steps: 1,
    optimizer: adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }),
    learningRate: 1e-4,
    localRule: {},
    random: () => stream(0),
  };
  const { after, loss } = isPrivate
    ? // With the rate 1 every record is in the step, as in the plain one.
      await trainPrivately({
        ...common,
        items: examples,
        rate: 1,
        noise: { clip: 1, noiseMultiplier: 1 },
        secret: (_step, use) => secretStream(new Uint8Array(32), use),
      })
    : await trainLocally({ ...common, batch: () => examples, maxGradNorm: 1 });
  adapter = after;
  return { ms: performance.now() - started, loss, peakMemoryMB: process.resourceUsage().maxRSS / 1024 };
}

/** Floating-point operations of one step's matrix products, as executed: causal runs count 10/16 of the square. */
function stepFlops() {
  const graph = trainingGraph(model.modelConfig, lora, { maxLength: length, dropout: false, loss: sft.loss });
  const rows = padBatch(examples, 4).labels.data.length;
  const sizes = { batch, length, rows };
  const size = (dim) =>
    String(dim)
      .split("*")
      .reduce((product, factor) => product * (sizes[factor] ?? Number(factor)), 1);
  const square = (headDim, products, { heads }) => (10 / 16) * 2 * products * batch * heads * length * length * headDim;
  let flops = 0;
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    if (op === "gemm") {
      const [m, n] = outputs[0].shape.map(size);
      flops += 2 * m * n * size(inputs[0].shape[attributes.transA ? 0 : 1]);
    } else if (op === "attention") flops += square(model.modelConfig.headDim, 2, attributes);
    else if (op === "attentionGrad") flops += square(model.modelConfig.headDim, 4, attributes);
  }
  return flops;
}

const PEAK = 2048;
let peakSession;
/** GFLOP/s of a large square product with the engine's own kernel. */
async function peak() {
  const data = Float32Array.from({ length: PEAK * PEAK }, (_, i) => (i % 7) - 3);
  if (peakSession === undefined) {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["n", PEAK]);
    // A constant, as the model's weights are: the engine packs it once.
    const w = builder.constant("w", data, [PEAK, PEAK]);
    // Column sums come out, so that copying a whole result is not timed.
    builder.output("y", builder.op("sumRows", [builder.op("gemm", [x, w], {})], {}));
    peakSession = await runtime.load(builder.build(), model.weights);
  }
  const feeds = new Map([["x", { shape: [PEAK, PEAK], data }]]);
  const started = performance.now();
  await peakSession.run(feeds, ["y"]);
  return { gflops: (2 * PEAK ** 3) / (performance.now() - started) / 1e6 };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say({ ready: true, flops: stepFlops(), tokens: batch * length });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "quit") break;
  say(line === "peak" ? await peak() : await step());
}
await engine.dispose();
