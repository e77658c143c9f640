import type { Message } from "../data/messages.ts";
import type { TemplateName } from "../data/template.ts";
import type { Platform } from "../experiment/ports.ts";
import type { AnswerOptions } from "../serving/answerer.ts";
import { loadAnswerer } from "./load-answerer.ts";

export interface GenerateOptions extends Omit<AnswerOptions, "onText" | "signal"> {
  readonly model: string;
  readonly adapter?: string | undefined;
  readonly prompt: string;
  readonly system?: string | undefined;
  readonly template?: TemplateName | undefined;
}

/** Answers one prompt; `onText` gets the answer piece by piece, as it grows. */
export async function generateText(
  { model, adapter, prompt, system, template, ...options }: GenerateOptions,
  platform: Platform,
  onText: (piece: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const adapters = adapter === undefined ? [] : [{ name: "adapter", folder: adapter }];
  const answerer = await loadAnswerer({ model, adapters, template }, platform);
  const messages: Message[] = [
    ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
    { role: "user", content: prompt },
  ];
  try {
    const tokens = answerer.encodeConversation(messages);
    await answerer.answer(answerer.names.at(-1)!, [tokens], { ...options, onText, signal });
  } finally {
    await answerer.dispose();
  }
}
