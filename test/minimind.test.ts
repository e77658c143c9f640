import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assets } from "./support/assets.ts";
import { openModel } from "../src/node/model-source.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { openTokenizer } from "../src/experiment/prepare.ts";
import { stream } from "../src/tensor/random.ts";
import { generate } from "../src/train/generation.ts";
import { openScorer } from "../src/train/scorer.ts";

const goldens = path.join(assets, "goldens", "minimind2-small.forward.json");
const folder = path.join(assets, "minimind2-small");

interface Case {
  prompt: string;
  input_ids: number[];
  prompt_mean_nll: number;
  last_top5: [number, number][];
  last_logits_0_7: number[];
  greedy_ids: number[];
}

describe.skipIf(!existsSync(goldens))(
  `MiniMind2-Small against transformers (skipped where OPENFEDLLM_ASSETS has no goldens)`,
  async () => {
    const { cases } = existsSync(goldens)
      ? (JSON.parse(readFileSync(goldens, "utf8")) as { cases: Case[] })
      : { cases: [] };
    const open = async () => {
      const model = await openModel(folder);
      const scorer = await openScorer({
        runtime: onnxRuntime(),
        ...model,
        lora: undefined,
        maxLength: 512,
        microBatchTokens: 1024,
      });
      return { model, scorer, tokenizer: openTokenizer(model) };
    };

    test.each(cases)(
      "$prompt",
      async ({ prompt, input_ids, prompt_mean_nll, last_top5, last_logits_0_7, greedy_ids }) => {
        const { scorer, tokenizer, model } = await open();
        expect(tokenizer.encode(prompt)).toEqual(input_ids);
        const tokens = Int32Array.from(input_ids);
        const [score] = await scorer.score(new Map(), [
          { id: "", tokens, supervised: new Uint8Array(tokens.length).fill(1) },
        ]);
        expect(Math.abs(-score!.logProbability / score!.tokens - prompt_mean_nll)).toBeLessThan(1e-5);
        const logits = await scorer.nextLogits(new Map(), tokens);
        last_logits_0_7.forEach((logit, i) => expect(Math.abs(logits[i]! - logit)).toBeLessThan(1e-4));
        for (const [token, logit] of last_top5) expect(Math.abs(logits[token]! - logit)).toBeLessThan(1e-4);
        const answer: number[] = [];
        const options = {
          temperature: 0,
          topK: 0,
          topP: 1,
          stopTokens: new Set<number>(),
          maxLength: 512,
          random: stream(0),
        };
        for await (const token of generate(scorer, new Map(), tokens, { ...options, maxNewTokens: greedy_ids.length }))
          answer.push(token);
        expect(answer).toEqual(greedy_ids);
        expect(model.config.vocabSize).toBe(logits.length);
        await scorer.dispose();
      },
    );
  },
);
