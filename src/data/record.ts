import { parseAnswer } from "./answer.ts";
import type { Content } from "./content.ts";
import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { parsePreference, parseRated } from "./preference.ts";
import { ALIASES, columnNames, has, isMapped, type FieldMap } from "./record-fields.ts";
import { place, valueAt, type Row, type RowSource, type SourcedRow } from "./row.ts";
import { UnusedColumns } from "./unused-columns.ts";

export type { AnswerContent } from "./answer.ts";
export type { Content } from "./content.ts";
export { ALIASES, type FieldMap } from "./record-fields.ts";

/**
 * The part of a record that a job learns from: answers (supervised tuning), pairs of answers with one preferred (DPO), or
 * answers with a rating (KTO). For KTO a pair is two rated answers.
 */
export type LearnFrom = "answers" | "preferences" | "ratings";

export interface DataRecord<C extends Content = Content> {
  /** `<file base name>#<1-based record number>`. */
  readonly id: string;
  readonly source: RowSource;
  readonly content: C;
  /** The row as it was read, for partitioning by any of its columns. */
  readonly fields: Row;
}

/** All of a record that its tokens depend on. */
export type EncodableRecord = Pick<DataRecord, "id" | "content">;

/** A row that is not a record, with the reason. */
export interface RecordProblem {
  readonly source: RowSource;
  readonly problem: string;
  /** The action to take, where the row would be a record of another kind of job. */
  readonly hint?: string;
}

export interface ParsedRows {
  readonly records: readonly DataRecord[];
  readonly problems: readonly RecordProblem[];
  /** Columns that no part of a record was read from, with the number of records that have something there. */
  readonly unused: ReadonlyMap<string, number>;
}

/**
 * Parses the rows of one file as records. `learnFrom` decides which kind of content a row holds; then the mapping, or else
 * the columns of the row.
 *
 * @throws UserError("data") where `fields` names a column that no row has.
 */
export function parseRows(
  rows: readonly SourcedRow[],
  fields: FieldMap = {},
  learnFrom: LearnFrom = "answers",
): ParsedRows {
  checkMapping(rows, fields);
  const records: DataRecord[] = [];
  const problems: RecordProblem[] = [];
  const unused = new UnusedColumns();
  for (const { source, fields: row } of rows) {
    const content = PARSERS[learnFrom](row, fields);
    if (typeof content === "string") {
      problems.push({ source, ...(ofAnotherJob(row, fields, learnFrom) ?? { problem: content }) });
      continue;
    }
    records.push({ id: `${baseName(source.file)}#${source.record}`, source, content, fields: row });
    unused.count(row, content, fields);
  }
  return { records, problems, unused: unused.rows };
}

/** Makes one error for any number of bad records: the first problem, and the number of further records. */
export function recordError(problems: readonly RecordProblem[]): UserError {
  const [first, ...more] = problems;
  const others =
    more.length === 0 ? "" : ` (${more.length} more ${more.length === 1 ? "record" : "records"} cannot be used either)`;
  return new UserError("data", `${place(first!.source)}: ${first!.problem}${others}`, {
    hint:
      first!.hint ??
      "Correct or remove these records, or name the columns with data.fields. To leave such records out and count them, set data.invalid: skip.",
  });
}

/** Counts the rows with each problem, the most frequent problem first: the summary of skipped rows. */
export function countProblems(problems: readonly RecordProblem[]): { problem: string; rows: number }[] {
  const counts = new Map<string, number>();
  for (const { problem } of problems) counts.set(problem, (counts.get(problem) ?? 0) + 1);
  return [...counts].map(([problem, rows]) => ({ problem, rows })).sort((a, b) => b.rows - a.rows);
}

function checkMapping(rows: readonly SourcedRow[], fields: FieldMap): void {
  for (const [name, path] of Object.entries(fields)) {
    if (path === false) continue;
    if (!Object.hasOwn(ALIASES, name)) {
      const near = nearest(name, Object.keys(ALIASES));
      const message = `fields.${name} is not a part of a record (${Object.keys(ALIASES).join(", ")})`;
      throw new UserError("data", message, near === undefined ? {} : { hint: `Did you mean fields.${near}?` });
    }
    if (rows.length === 0 || rows.some((row) => valueAt(row.fields, path) !== undefined)) continue;
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row.fields)))];
    const near = nearest(path, columns);
    throw new UserError(
      "data",
      `${rows[0]!.source.file} has no column "${path}" (fields.${name}); its columns are ${excerpt(columns.join(", "), 400)}`,
      {
        hint:
          near === undefined ? "Name one of its columns, or remove the mapping." : `The nearest column is "${near}".`,
      },
    );
  }
}

/** Parsers of a row's content; each returns the problem in words where the row has none. */
const PARSERS: Readonly<Record<LearnFrom, (row: Row, fields: FieldMap) => Content | string>> = {
  answers: parseAnswer,
  preferences: parsePreference,
  ratings: (row, fields) =>
    !isMapped(fields, "label") && has(row, "chosen", fields) && has(row, "rejected", fields)
      ? parsePreference(row, fields)
      : parseRated(row, fields),
};

/** The problem of an unusable row that fits another kind of job; undefined where it fits none. */
function ofAnotherJob(row: Row, fields: FieldMap, learnFrom: LearnFrom): Omit<RecordProblem, "source"> | undefined {
  const chosen = has(row, "chosen", fields);
  const rejected = has(row, "rejected", fields);
  const rated = has(row, "label", fields);
  if (learnFrom === "answers") {
    if (!chosen || !rejected) return undefined;
    return {
      problem: "two answers (chosen and rejected), expected one answer to learn: this is preference data",
      hint: "Use objective.name dpo or another preference objective. To learn only the chosen answer, name it in data.fields: { messages: chosen } if it is messages or a whole dialogue, { prompt: prompt, completion: chosen } if it is the answer alone.",
    };
  }
  if (chosen || rejected) return undefined;
  if (learnFrom === "ratings") {
    if (rated) return undefined;
    return {
      problem: `no label, and no chosen and rejected (${columnNames(row)})`,
      hint: "KTO takes answers with a label (true or false), or pairs. For rows with an answer alone use objective.name sft, or name the columns with data.fields.",
    };
  }
  return rated
    ? {
        problem: `a label but no chosen and rejected (${columnNames(row)})`,
        hint: "Single rated answers are for KTO (objective.name kto); the other preference objectives need two answers to each prompt.",
      }
    : {
        problem: `no chosen and rejected (${columnNames(row)})`,
        hint: "Preference tuning takes two answers to each prompt. For rows with one answer use objective.name sft, or name the columns with data.fields.",
      };
}

function baseName(path: string): string {
  return path.split(/[/\\]/).at(-1)!;
}
