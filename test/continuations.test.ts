import { afterAll, describe, expect, test } from "vitest";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { scoreContinuations } from "../src/decode/continuations.ts";
import { openDecoder } from "../src/decode/decoder.ts";
import { openScorer } from "../src/train/scorer.ts";
import { answerTo, openGolden } from "./support/golden.ts";

describe("many continuations of one prompt", async () => {
  const golden = openGolden("llama");
  const shared = { ...golden, runtime: onnxRuntime(), maxLength: 64 };
  const decoder = await openDecoder(shared);
  const scorer = await openScorer({ ...shared, microBatchTokens: 256 });
  afterAll(async () => {
    await decoder.dispose();
    await scorer.dispose();
  });
  const prompt = Int32Array.of(5, 17, 40, 2, 9);
  // Shared beginnings, one that ends where another goes on, one alone, one twice.
  const continuations = [
    ...Array.from({ length: 30 }, (_, i) => [3 + (i % 3), 10 + (i % 5), 20 + i]),
    [3, 10],
    [3],
    [50],
    [50, 51, 52, 53, 54, 55],
    [3, 10, 20],
  ];

  test.each([1, 4, 64])("score as each alone, %i at once", async (batchSize) => {
    const got = await scoreContinuations(decoder, golden.adapter, { prompt, continuations, batchSize });
    const alone = await scorer.score(
      golden.adapter,
      continuations.map((tokens) => answerTo([...prompt], tokens)),
    );
    expect(got).toHaveLength(continuations.length);
    got.forEach((logProbability, i) => expect(logProbability).toBeCloseTo(alone[i]!.logProbability, 4));
  });

  test("of one token need no run but the prompt's, and none need none", async () => {
    const every = Array.from({ length: golden.modelConfig.vocabSize }, (_, token) => [token]);
    const scores = await scoreContinuations(decoder, golden.adapter, { prompt, continuations: every });
    expect(scores.reduce((sum, score) => sum + Math.exp(score), 0)).toBeCloseTo(1, 6);
    expect(await scoreContinuations(decoder, golden.adapter, { prompt, continuations: [] })).toHaveLength(0);
  });

  test("stop when they are told to", async () => {
    const signal = AbortSignal.abort();
    const work = scoreContinuations(decoder, golden.adapter, { prompt, continuations, signal });
    await expect(work).rejects.toBe(signal.reason);
  });
});
