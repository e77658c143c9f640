import type { Message } from "../../data/messages.ts";
import { place } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import type { Judge } from "../judge.ts";

/** A judge's prompt with places such as `{question}` in it. */
export interface JudgePrompt {
  readonly system: string;
  readonly template: string;
}

/** FastChat's judge_prompts.jsonl, by its names such as `single-v1`. */
export async function judgePrompts(data: BenchmarkData): Promise<(name: string) => JudgePrompt> {
  const file = await oneFile(data, /(^|\/)judge_prompts\.jsonl$/, "judge_prompts.jsonl");
  const prompts = new Map<string, JudgePrompt>();
  for (const row of await data.rows(file)) {
    const template = textColumn(row, "prompt_template");
    if (!template.includes("{question")) {
      throw new UserError("data", `${place(row.source)}: the prompt has no place for the question, such as {question}`);
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

/** A template with its places filled; what is put in is not looked through for places again. */
export function fill(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (place, name: string) =>
    Object.hasOwn(values, name) ? values[name]! : place,
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

/** @throws UserError("config") where no judge was given. */
export function required(judge: Judge | undefined): Judge {
  if (judge !== undefined) return judge;
  throw new UserError("config", "this benchmark is graded by a judge, and none was given", {
    hint: "Name an OpenAI-compatible endpoint and a model for it; docs/judge.md says how.",
  });
}
