import type { Message } from "../../data/messages.ts";
import { place } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import type { Judge } from "./judge.ts";

/** A judge's prompt with placeholders such as `{question}`. */
export interface JudgePrompt {
  readonly system: string;
  readonly template: string;
}

/** Reads FastChat's judge_prompts.jsonl. The prompts have names such as `single-v1`. */
export async function judgePrompts(data: BenchmarkData): Promise<(name: string) => JudgePrompt> {
  const file = await oneFile(data, /(^|\/)judge_prompts\.jsonl$/, "judge_prompts.jsonl");
  const prompts = new Map<string, JudgePrompt>();
  for (const row of await data.rows(file)) {
    const template = textColumn(row, "prompt_template");
    if (!template.includes("{question")) {
      throw new UserError(
        "data",
        `${place(row.source)}: the prompt has no placeholder for the question, such as {question}`,
      );
    }
    prompts.set(textColumn(row, "name"), { system: textColumn(row, "system_prompt"), template });
  }
  return (name) => {
    const prompt = prompts.get(name);
    if (prompt !== undefined) return prompt;
    throw new UserError("data", `${data.local}: no prompt "${name}" in ${file}`, {
      hint: `It holds ${[...prompts.keys()].join(", ")}.`,
    });
  };
}

/** Replaces the placeholders of a template. Placeholders in the values stay as they are. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (placeholder, name: string) =>
    Object.hasOwn(values, name) ? values[name]! : placeholder,
  );
}

export function judgeMessages(
  { system, template }: JudgePrompt,
  values: Readonly<Record<string, string>>,
): readonly Message[] {
  return [
    { role: "system", content: system },
    { role: "user", content: fill(template, values) },
  ];
}

/** Returns the judge. @throws UserError("config") where none was given. */
export function required(judge: Judge | undefined): Judge {
  if (judge !== undefined) return judge;
  throw new UserError("config", "this benchmark is graded by a judge, and none was given", {
    hint: "Give an OpenAI-compatible endpoint and its model: --judge-url, --judge-model (docs/judge.md).",
  });
}
