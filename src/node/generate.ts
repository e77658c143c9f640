import { UserError } from "../diagnostics/user-error.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Platform } from "../experiment/ports.ts";
import { stopTokens } from "../experiment/prepare.ts";
import { generateTexts } from "../data/text-generation.ts";
import { openDecoder } from "../train/decoder.ts";
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
  /** Above 1, tokens of prompt and answer become less likely. */
  readonly repetitionPenalty: number;
  /** The answer ends before the first of these. */
  readonly stop: readonly string[];
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
  const { model, tokenizer, lora, adapter, maxLength } = await openAdaptedModel(
    { ...options, maxLength: WINDOW },
    platform,
  );
  const messages = [{ role: "user" as const, content: options.prompt }];
  const tokens = encodeMessages(messages, TEMPLATES[options.template ?? "chat"], tokenizer, {
    system: options.system,
  });
  if (tokens.length >= maxLength) {
    throw new UserError(
      "config",
      `the prompt is ${tokens.length} tokens long, and there is room for ${maxLength - 1}`,
      { hint: "Shorten the prompt or the system message." },
    );
  }
  const decoder = await openDecoder({ runtime: platform.runtime, ...model, lora, maxLength });
  try {
    await generateTexts(decoder, adapter, [tokens], tokenizer, {
      ...options,
      stopTokens: stopTokens(model, tokenizer),
      onText,
      signal,
    });
  } finally {
    await decoder.dispose();
  }
}
