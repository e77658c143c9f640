import { describe, expect, test } from "vitest";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { adamW } from "../src/optim/optimizer.ts";
import type { Params } from "../src/tensor/params.ts";
import { stream } from "../src/tensor/random.ts";
import { openGradientEngine } from "../src/train/gradient-engine.ts";
import { trainLocally } from "../src/train/local-training.ts";
import { referenceRuntime } from "../src/train/reference-runtime.ts";
import type { Runtime } from "../src/train/runtime.ts";
import { openScorer } from "../src/train/scorer.ts";
import {
  answerTo,
  GOLDEN_FAMILIES,
  goldenExamples,
  goldenJson,
  goldenTensors,
  openGolden,
  relativeError,
  weightsFromParams,
  weightsInMemory,
} from "./support/golden.ts";

function open(family: string) {
  const examples = goldenExamples(family);
  return { ...openGolden(family), examples, expected: goldenJson(family, "expected.json") };
}

const noDropout = () => stream(0);

/** PyTorch, transformers and peft made these numbers: scripts/golden/make_golden.py. */
describe.each(GOLDEN_FAMILIES)("%s against PyTorch", (family) => {
  const golden = open(family);
  const { examples, adapter, expected } = golden;
  const maxLength = 32;

  test.each([
    ["all sequences together", 1000],
    ["one sequence at a time", 1],
  ])("loss and every gradient, %s", async (_title, microBatchTokens) => {
    const engine = await openGradientEngine({
      ...golden,
      runtime: onnxRuntime(),
      dropout: 0,
      maxLength,
      microBatchTokens,
    });
    const step = await engine.step(adapter, examples, noDropout);
    expect(step.supervisedTokens).toBe(expected.sft.supervised_tokens);
    expect(Math.abs(step.loss - expected.sft.loss)).toBeLessThan(1e-5);
    const gradients = goldenTensors(family, "sft_grads.safetensors");
    expect([...step.gradients.keys()].sort()).toEqual([...gradients.keys()].sort());
    for (const [name, { data }] of gradients) {
      expect(relativeError(step.gradients.get(name)!.data, data), name).toBeLessThan(1e-4);
    }
    await engine.dispose();
  });

  test("dropout masks belong to the example, whatever it runs together with", async () => {
    const losses: number[] = [];
    for (const microBatchTokens of [1, 1000]) {
      const engine = await openGradientEngine({
        ...golden,
        runtime: onnxRuntime(),
        dropout: 0.5,
        maxLength,
        microBatchTokens,
      });
      const { loss } = await engine.step(adapter, examples, (...key) => stream(3, ...key));
      losses.push(loss);
      await engine.dispose();
    }
    expect(Math.abs(losses[0]! - losses[1]!)).toBeLessThan(1e-5);
    expect(Math.abs(losses[0]! - expected.sft.loss)).toBeGreaterThan(1e-3);
  });

  test("ten AdamW steps: losses, gradient norm and final tensors", async () => {
    const engine = await openGradientEngine({
      ...golden,
      runtime: onnxRuntime(),
      dropout: 0,
      maxLength,
      microBatchTokens: 1000,
    });
    const losses: number[] = [];
    const norms: number[] = [];
    const { after } = await trainLocally({
      engine,
      adapter,
      steps: 10,
      batch: () => examples,
      optimizer: adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 }),
      learningRate: 1e-2,
      maxGradNorm: 1,
      localRule: {},
      random: noDropout,
      onStep({ loss, gradientNorm }) {
        losses.push(loss);
        norms.push(gradientNorm);
      },
    });
    losses.forEach((loss, i) => expect(Math.abs(loss - expected.sft.adamw_losses[i])).toBeLessThan(1e-4));
    expect(Math.abs(norms[0]! / expected.sft.grad_norm - 1)).toBeLessThan(1e-5);
    for (const [name, { data }] of goldenTensors(family, "after10.safetensors")) {
      const got = after.get(name)!.data;
      expect(Math.max(...got.map((v, i) => Math.abs(v - data[i]!))), name).toBeLessThan(1e-4);
    }
    await engine.dispose();
  });

  test("log-probabilities of chosen and rejected answers, adapter on and off", async () => {
    const pair = goldenJson(family, "pair.json");
    const scorer = await openScorer({ ...golden, runtime: onnxRuntime(), maxLength, microBatchTokens: 64 });
    const off: Params = new Map(
      [...adapter].map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }]),
    );
    for (const side of ["chosen", "rejected"] as const) {
      const sequences = pair.prompt.map((prompt: number[], i: number) => answerTo(prompt, pair[side][i]));
      const on = await scorer.score(adapter, sequences);
      const base = await scorer.score(off, sequences);
      expected.dpo.pairs.forEach((row: Record<string, number>, i: number) => {
        expect(Math.abs(on[i]!.logProbability - row[`${side}_logp`]!)).toBeLessThan(1e-4);
        expect(Math.abs(base[i]!.logProbability - row[`ref_${side}_logp`]!)).toBeLessThan(1e-4);
      });
    }
    await scorer.dispose();
  });
});

test("the reference interpreter agrees with PyTorch too, on llama", async () => {
  const golden = open("llama");
  const runtime: Runtime = referenceRuntime;
  const engine = await openGradientEngine({ ...golden, runtime, dropout: 0, maxLength: 32, microBatchTokens: 1000 });
  const step = await engine.step(golden.adapter, golden.examples, noDropout);
  expect(Math.abs(step.loss - golden.expected.sft.loss)).toBeLessThan(1e-6);
  for (const [name, { data }] of goldenTensors("llama", "sft_grads.safetensors")) {
    expect(relativeError(step.gradients.get(name)!.data, data), name).toBeLessThan(1e-5);
  }
});

test("weights that lie in no file give the same bits as those of a file", async () => {
  const golden = open("qwen2");
  const weights = weightsInMemory(goldenTensors("qwen2", "model", "model.safetensors"));
  const [fromFile, fromMemory] = await Promise.all(
    [golden.weights, weights].map(async (given) => {
      const options = { ...golden, weights: given, runtime: onnxRuntime(), dropout: 0, maxLength: 32 };
      const engine = await openGradientEngine({ ...options, microBatchTokens: 1000 });
      const step = await engine.step(golden.adapter, golden.examples, noDropout);
      await engine.dispose();
      return step;
    }),
  );
  expect(Math.abs(fromMemory!.loss - golden.expected.sft.loss)).toBeLessThan(1e-5);
  expect(fromMemory).toEqual(fromFile);
});

test("a missing weight is named, and so is one of another size", async () => {
  const golden = open("llama");
  const options = { ...golden, runtime: onnxRuntime(), maxLength: 32, microBatchTokens: 64 };
  const params = new Map(goldenTensors("llama", "model", "model.safetensors"));
  const short = { shape: [31], data: new Float32Array(31) };
  const weights = weightsInMemory(new Map(params).set("model.norm.weight", short));
  await expect(openScorer({ ...options, weights })).rejects.toThrow(
    "weight 'model.norm.weight' has 124 bytes, expected 128",
  );
  params.delete("model.norm.weight");
  await expect(openScorer({ ...options, weights: weightsFromParams(params) })).rejects.toThrow(
    "the base model has no weight 'model.norm.weight'",
  );
});
