import { UserError } from "../diagnostics/user-error.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Platform } from "../experiment/ports.ts";
import { stopTokens } from "../experiment/prepare.ts";
import { stream } from "../tensor/random.ts";
import { generate } from "../train/generation.ts";
import { openAdaptedModel } from "./adapted-model.ts";

export interface GenerateOptions {
  readonly model: string;
  readonly adapter?: string | undefined;
  readonly prompt: string;
  readonly system?: string | undefined;
  readonly template?: TemplateName | undefined;
  readonly maxNewTokens: number;
  /** 0: greedy. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/** Tokens of prompt and answer together, where the model has positions for so many. */
const WINDOW = 2048;

/** Answers one prompt; `onText` gets the answer piece by piece, as it grows. */
export async function generateText(
  options: GenerateOptions,
  platform: Platform,
  onText: (piece: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { model, tokenizer, scorer, adapter, maxLength } = await openAdaptedModel(
    { ...options, maxLength: WINDOW },
    platform,
  );
  try {
    const messages = [{ role: "user" as const, content: options.prompt }];
    const tokens = encodeMessages(messages, TEMPLATES[options.template ?? "chat"], tokenizer, {
      system: options.system,
    });
    // One place for the token that is being predicted, one to put it in.
    if (tokens.length > maxLength - 2) {
      throw new UserError(
        "config",
        `the prompt is ${tokens.length} tokens long, and there is room for ${maxLength - 2}`,
        { hint: "Shorten the prompt or the system message." },
      );
    }
    const answer: number[] = [];
    let shown = "";
    const random = stream(options.seed, "generation");
    for await (const token of generate(scorer, adapter, tokens, {
      ...options,
      stopTokens: stopTokens(model, tokenizer),
      maxLength,
      random,
      signal,
    })) {
      answer.push(token);
      const text = tokenizer.decode(answer, { skipSpecial: true });
      // A character of several tokens is not there until its last one is.
      if (text.endsWith("\uFFFD")) continue;
      onText(text.slice(shown.length));
      shown = text;
    }
    onText(tokenizer.decode(answer, { skipSpecial: true }).slice(shown.length));
  } finally {
    await scorer.dispose();
  }
}
