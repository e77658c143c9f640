import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { assets } from "./support/assets.ts";
import { openModel } from "../src/node/model/model-source.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { openTokenizer } from "../src/decode/base-tokenizer.ts";
import { openDecoder } from "../src/decode/decoder.ts";
import { openScorer } from "../src/train/scorer.ts";
import { answersOf } from "./support/answers.ts";

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
      const decoder = await openDecoder({ runtime: onnxRuntime(), ...model, lora: undefined, maxLength: 512 });
      return { model, scorer, decoder, tokenizer: openTokenizer(model) };
    };

    test.each(cases)(
      "$prompt",
      async ({ prompt, input_ids, prompt_mean_nll, last_top5, last_logits_0_7, greedy_ids }) => {
        const { scorer, decoder, tokenizer, model } = await open();
        expect(tokenizer.encode(prompt)).toEqual(input_ids);
        const tokens = Int32Array.from(input_ids);
        const [score] = await scorer.score(new Map(), [
          { id: "", tokens, supervised: new Uint8Array(tokens.length).fill(1) },
        ]);
        expect(Math.abs(-score!.logProbability / score!.tokens - prompt_mean_nll)).toBeLessThan(1e-5);
        const [logits] = await decoder.extend(new Map(), decoder.openCache(1, 512), 0, [tokens]);
        last_logits_0_7.forEach((logit, i) => expect(Math.abs(logits![i]! - logit)).toBeLessThan(1e-4));
        for (const [token, logit] of last_top5) expect(Math.abs(logits![token]! - logit)).toBeLessThan(1e-4);
        const [answer] = await answersOf(decoder, new Map(), [tokens], { maxNewTokens: greedy_ids.length });
        expect(answer).toEqual(greedy_ids);
        expect(model.modelConfig.vocabSize).toBe(logits!.length);
        await scorer.dispose();
        await decoder.dispose();
      },
    );

    test("all prompts at once get the answers they get alone", async () => {
      const { scorer, decoder } = await open();
      const prompts = cases.map(({ input_ids }) => Int32Array.from(input_ids));
      const longest = Math.max(...cases.map(({ greedy_ids }) => greedy_ids.length));
      const answers = await answersOf(decoder, new Map(), prompts, { maxNewTokens: longest });
      cases.forEach(({ greedy_ids }, i) => expect(answers[i]!.slice(0, greedy_ids.length)).toEqual(greedy_ids));
      await scorer.dispose();
      await decoder.dispose();
    });
  },
);
