import type { Message, Role } from "../../data/messages.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { oneFile, type BenchmarkData } from "../benchmark-data.ts";
import { fill } from "./judge-prompts.ts";
import { readWord } from "./judge-verdict.ts";
import type { JudgeSettings } from "./judge.ts";

/** A prompt for the comparison of two outputs, with the reading of the judge's answer. */
export interface ComparisonPrompt {
  readonly settings: JudgeSettings;
  messages(values: { readonly instruction: string; readonly output_1: string; readonly output_2: string }): Message[];
  /** Reads the preferred output; null where there is none. */
  read(judgement: string): 1 | 2 | null;
}

/** Reads AlpacaEval's template from the folder (`alpaca_eval….txt`); without one, a short template of this project serves. */
export async function comparisonPrompt(data: BenchmarkData): Promise<ComparisonPrompt> {
  const pattern = /(^|\/)alpaca_eval[^/]*\.txt$/;
  if (!(await data.files()).some((name) => pattern.test(name))) return promptOf(OWN, OWN_READING);
  const file = await oneFile(data, pattern, "prompt template alpaca_eval.txt");
  const template = await data.text(file);
  const missing = ["instruction", "output_1", "output_2"].find((place) => !template.includes(`{${place}}`));
  if (missing !== undefined) throw new UserError("data", `${data.local}: ${file} has no placeholder {${missing}}`);
  const reading = READINGS.find(({ asked }) => asked.test(template));
  if (reading !== undefined) return promptOf(template, reading);
  throw new UserError("data", `${data.local}: ${file} does not ask for a known form of verdict`, {
    hint: "Use alpaca_eval.txt (a ranking of model_1 and model_2) or alpaca_eval_clf.txt (m or M) of AlpacaEval.",
  });
}

interface Reading {
  /** Matches a template that asks for this kind of verdict. */
  readonly asked: RegExp;
  readonly maxTokens: number;
  readonly read: (judgement: string) => 1 | 2 | null;
}

const READINGS: readonly Reading[] = [
  // AlpacaEval, evaluators_configs/alpaca_eval_gpt4 and completion_parsers.py: ranking_parser.
  { asked: /\bmodel_1\b/, maxTokens: 100, read: rankedFirst },
  // alpaca_eval_clf…: the last character.
  { asked: /\bm or M\b/, maxTokens: 300, read: (judgement) => lastOf(judgement.trim().at(-1)) },
];

/** Reads Python's list of `{'model': …, 'rank': …}`, or JSON, and ignores other words around it. */
function rankedFirst(judgement: string): 1 | 2 | null {
  for (const [item] of judgement.matchAll(/\{[^{}]*\}/g)) {
    const model = /["']model["']\s*:\s*["']model_1["']/.test(item);
    const rank = /["']rank["']\s*:\s*([12])\b/.exec(item)?.[1];
    if (model && rank !== undefined) return rank === "1" ? 1 : 2;
  }
  return null;
}

function lastOf(character: string | undefined): 1 | 2 | null {
  return character === "m" ? 1 : character === "M" ? 2 : null;
}

const OWN_READING: Omit<Reading, "asked"> = {
  maxTokens: 400,
  read: (judgement) => {
    const word = readWord(judgement, ["1", "2"]);
    return word === null ? null : word === "1" ? 1 : 2;
  },
};

const OWN = `Two assistants were given the same instruction. Say which output most people would prefer. Weigh whether it does what was asked, whether it is right, and how useful and clear it is; neither its length nor its place here should count.

[Instruction]
{instruction}

[Output 1]
{output_1}
[End of output 1]

[Output 2]
{output_2}
[End of output 2]

Give your reason in a sentence or two. Then end with [[1]] or [[2]]: you have to choose.`;

function promptOf(template: string, { maxTokens, read }: Omit<Reading, "asked">): ComparisonPrompt {
  return {
    settings: { temperature: 0, maxTokens },
    messages: (values) => messagesOf(template).map(({ role, content }) => ({ role, content: fill(content, values) })),
    read,
  };
}

/** Splits a template into messages. AlpacaEval writes them in ChatML; a template without ChatML is a user's message. */
function messagesOf(template: string): Message[] {
  const parts = [...template.matchAll(/<\|im_start\|>(system|user|assistant)\n([\s\S]*?)<\|im_end\|>/g)];
  if (parts.length === 0) return [{ role: "user", content: template.trim() }];
  return parts.map(([, role, content]) => ({ role: role as Role, content: content!.trim() }));
}
