import type { FileSurvey } from "../../data/survey.ts";
import { type Column, tableLines } from "../tables/table.ts";
import { formatCount } from "./quantities.ts";
import { clip, oneLine, wrap } from "./text-width.ts";

/** What files of records hold: a line for each, and notes on records that occur twice. */
export function surveyLines(surveys: readonly FileSurvey[], columns: number): string[] {
  const right = { align: "right" } as const;
  const table: Column[] = [
    { header: "file" },
    { header: "records", ...right },
    { header: "twice", ...right },
    { header: "characters", ...right },
    { header: "columns" },
  ];
  const rows = surveys.map(({ file, records, duplicates, characters, columns: all, unused }) => [
    clip(oneLine(file), 32),
    formatCount(records),
    formatCount(duplicates),
    `${formatCount(characters.median)}, ${formatCount(characters.longest)} at most`,
    all.map((column) => (unused.includes(column) ? `(${oneLine(column)})` : oneLine(column))).join(", "),
  ]);
  const isUnused = surveys.some(({ unused }) => unused.length > 0);
  const notes = [
    ...(isUnused ? ["Columns in brackets are not learnt from; data.fields can name other columns."] : []),
    ...shared(surveys),
  ];
  return [
    ...tableLines(table, rows).map((line) => clip(line, columns)),
    ...notes.flatMap((note) => wrap(note, columns)),
  ];
}

/** Records that two files share would be trained on by both, or held out by one and trained on by the other. */
function shared(surveys: readonly FileSurvey[]): string[] {
  return surveys.flatMap((one, i) =>
    surveys.slice(i + 1).flatMap((other) => {
      const count = [...one.contents].filter((content) => other.contents.has(content)).length;
      if (count === 0) return [];
      return [`note: ${formatCount(count)} records are in ${oneLine(one.file)} and in ${oneLine(other.file)}.`];
    }),
  );
}
