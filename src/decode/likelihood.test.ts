import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeTinyModel } from "../../test/support/tiny-model.ts";
import { nodePlatform } from "../node/platform.ts";
import { openDecoder } from "./decoder.ts";
import { likelihoods } from "./likelihood.ts";
import { openScorer } from "../train/scorer.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-likelihood-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("likelihoods", () => {
  it("equal the scorer's, whatever the prompts have in common and however long the answers are", async () => {
    writeTinyModel(folder);
    const platform = nodePlatform({ threads: 1 });
    const model = await platform.openModel(folder);
    const opening = { runtime: platform.runtime, ...model, lora: undefined, maxLength: 512 };
    const decoder = await openDecoder(opening);
    const scorer = await openScorer({ ...opening, microBatchTokens: 1024 });
    const score = likelihoods(decoder, new Map());
    const tokens = (length: number, step: number): number[] => Array.from({ length }, (_, i) => (i * step + 11) % 250);
    const shared = tokens(300, 7);
    const prompts = [
      [5],
      [...shared, 1, 2, 3],
      [...shared, 1, 2, 4, 9],
      [...shared, 1, 2, 4, 9],
      tokens(40, 3),
      shared.slice(0, 100),
    ];
    const answers = [[7], [9, 8, 7, 6], [1, 2], [], tokens(11, 5)];
    for (const prompt of prompts) {
      const got = await score(Int32Array.from(prompt), answers);
      const expected = await scorer.score(
        new Map(),
        answers.map((answer, i) => ({
          id: String(i),
          tokens: Int32Array.from([...prompt, ...answer]),
          supervised: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1)]),
        })),
      );
      got.forEach(({ logProbability, tokens: count }, i) => {
        expect(count).toBe(answers[i]!.length);
        expect(logProbability).toBeCloseTo(expected[i]!.logProbability, 4);
      });
    }
    await decoder.dispose();
    await scorer.dispose();
  });
});
