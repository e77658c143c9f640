import { encodeMessages } from "../data/tokens.ts";
import type { Params } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { generate } from "../train/generation.ts";
import type { Scorer } from "../train/scorer.ts";
import { type Prepared, stopTokens } from "./prepare.ts";
import type { PromptAnswer } from "./summary.ts";

/** Answers the configured prompts greedily, with two adapters side by side. */
export async function answerPrompts(
  { config, model, template, tokenizer }: Prepared,
  scorer: Scorer,
  adapters: { readonly before: Params; readonly after: Params },
  signal: AbortSignal | undefined,
): Promise<PromptAnswer[]> {
  const { prompts, maxNewTokens } = config.evaluation;
  const answer = async (prompt: string, adapter: Params): Promise<string> => {
    const tokens = encodeMessages([{ role: "user", content: prompt }], template, tokenizer, config.data);
    const pieces: number[] = [];
    const options = {
      maxNewTokens,
      temperature: 0,
      topK: 0,
      topP: 1,
      stopTokens: stopTokens(model, tokenizer),
      maxLength: config.data.maxLength,
      signal,
    };
    for await (const token of generate(scorer, adapter, tokens, { ...options, random: stream(config.seed, "answers") }))
      pieces.push(token);
    return tokenizer.decode(pieces, { skipSpecial: true }).trim();
  };
  const answers: PromptAnswer[] = [];
  for (const prompt of prompts) {
    answers.push({
      prompt,
      before: await answer(prompt, adapters.before),
      after: await answer(prompt, adapters.after),
    });
  }
  return answers;
}
