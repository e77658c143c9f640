import type { FileReader } from "../../data/file-reader.ts";
import { place, type SourcedRow } from "../../data/row.ts";
import { loadRows } from "../../data/source.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { listColumn, textColumn } from "../benchmark-data.ts";
import type { Answer } from "../benchmark.ts";
import { modelAnswer } from "./dialogue-questions.ts";

/**
 * Reads another model's answers for `GradingTools.baseline`, by the ids of their questions: the answers.jsonl of an evaluation
 * folder, or a file of FastChat's model_answer.
 *
 * @throws UserError("data") for a file that is neither, or has no answers.
 */
export async function baselineAnswers(reader: FileReader, file: string): Promise<(id: string) => Answer | undefined> {
  const answers = new Map((await loadRows(reader, file)).map(answerOf));
  if (answers.size === 0) throw new UserError("data", `${file}: no answers`);
  return (id) => answers.get(id);
}

function answerOf(row: SourcedRow): [id: string, answer: Answer] {
  const ours = Object.hasOwn(row.fields, "question");
  if (!ours && !Object.hasOwn(row.fields, "choices")) {
    throw new UserError("data", `${place(row.source)}: no answer`, {
      hint: "Give the answers.jsonl of an evaluation folder, or a file of FastChat's model_answer.",
    });
  }
  const turns = ours ? listColumn(row, "turns") : modelAnswer(row);
  const id = textColumn(row, ours ? "question" : "question_id");
  return [id, { turns, samples: turns.slice(-1), finish: ["stop"] }];
}
