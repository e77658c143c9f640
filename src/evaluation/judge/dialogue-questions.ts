import { isRow, place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { listColumn, preferredFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import type { Question } from "../benchmark.ts";
import { judgePrompts, type JudgePrompt } from "./judge-prompts.ts";

/** A question of MT-Bench: two turns, with the prompts for its judge. */
export interface DialogueQuestion extends Question {
  readonly group: string;
  readonly turns: readonly [string, string];
  /** The prompt for the first answer, and that for both. */
  readonly prompts: readonly [JudgePrompt, JudgePrompt];
  /** Right answers to both turns, where the judge is shown them. */
  readonly reference: readonly string[] | undefined;
}

/** FastChat, llm_judge/common.py: NEED_REF_CATS. */
const WITH_REFERENCE = new Set(["math", "reasoning", "coding"]);
/** FastChat, llm_judge/common.py: temperature_config; 0.7 for a category that is not there. */
const TEMPERATURES: Readonly<Record<string, number>> = {
  writing: 0.7,
  roleplay: 0.7,
  extraction: 0,
  math: 0,
  coding: 0,
  reasoning: 0,
  stem: 0.1,
  humanities: 0.1,
};

/** Loads MT-Bench's questions from FastChat's files, with the prompts of one kind of judging. */
export async function dialogueQuestions(
  data: BenchmarkData,
  kind: { readonly general: string; readonly withReference: string },
): Promise<readonly DialogueQuestion[]> {
  if (data.local === undefined)
    throw onlyLocal("MT-Bench", "question.jsonl, reference_answer/gpt-4.jsonl and judge_prompts.jsonl");
  const promptOf = await judgePrompts(data);
  const promptsOf = (name: string): readonly [JudgePrompt, JudgePrompt] => [
    promptOf(name),
    promptOf(`${name}-multi-turn`),
  ];
  const general = promptsOf(kind.general);
  const withReference = promptsOf(kind.withReference);
  const file = await preferredFile(
    data,
    [/(^|\/)mt_?bench[_/]question\.jsonl$/, /(^|\/)question\.jsonl$/],
    "question.jsonl",
  );
  const rows = await data.rows(file);
  const needed = rows.some((row) => WITH_REFERENCE.has(textColumn(row, "category")));
  const references = needed ? await referenceAnswers(data) : new Map<string, readonly string[]>();
  return rows.map((row) => {
    const id = textColumn(row, "question_id");
    const group = textColumn(row, "category");
    const reference = WITH_REFERENCE.has(group) ? references.get(id) : undefined;
    if (WITH_REFERENCE.has(group) && reference?.length !== 2) {
      throw new UserError("data", `${place(row.source)}: no reference answers to both turns of question ${id}`, {
        hint: `Questions in the category ${group} need them: add them to reference_answer/gpt-4.jsonl.`,
      });
    }
    return {
      id,
      group,
      turns: twoTurns(row),
      generation: { temperature: TEMPERATURES[group] ?? 0.7 },
      prompts: reference === undefined ? general : withReference,
      reference,
    };
  });
}

function twoTurns(row: SourcedRow): readonly [string, string] {
  const [first, second, ...more] = listColumn(row, "turns");
  if (first !== undefined && second !== undefined && more.length === 0) return [first, second];
  throw new UserError("data", `${place(row.source)}: expected two turns`, {
    hint: "MT-Bench's questions have two; those of the Vicuna benchmark have one.",
  });
}

async function referenceAnswers(data: BenchmarkData): Promise<ReadonlyMap<string, readonly string[]>> {
  // FastChat's folder also has model_answer/gpt-4.jsonl, which is the model's own attempt.
  const file = await preferredFile(
    data,
    [/(^|\/)mt_?bench\/reference_answer\/gpt-4\.jsonl$/, /(^|\/)reference_answer\/gpt-4\.jsonl$/, /^gpt-4\.jsonl$/],
    "reference_answer/gpt-4.jsonl",
  );
  return new Map((await data.rows(file)).map((row) => [textColumn(row, "question_id"), modelAnswer(row)]));
}

/** Reads the turns of the first answer in a row of FastChat's model_answer or reference_answer. */
export function modelAnswer(row: SourcedRow): readonly string[] {
  const { choices } = row.fields;
  const turns: unknown = Array.isArray(choices) && isRow(choices[0]) ? choices[0]["turns"] : undefined;
  if (Array.isArray(turns) && turns.every((turn) => typeof turn === "string")) return turns;
  throw new UserError("data", `${place(row.source)}: no answer, expected choices[0].turns with one text for each turn`);
}

export function onlyLocal(benchmark: string, files: string): UserError {
  return new UserError("data", `${benchmark} is not read from the Hub: a local folder with its data is needed`, {
    hint: `Give the folder with --data. It must hold ${files}; docs/judge.md tells where to find them.`,
  });
}
