import type { FileReader } from "./file-reader.ts";
import { ALIASES, type DataRecord, type LearnFrom, parseRows, type RecordProblem, recordError } from "./record.ts";
import { loadRows } from "./source.ts";

/** What a file holds, for a person who has not written settings yet. */
export interface FileSurvey {
  readonly file: string;
  /** What can be learnt from its rows. */
  readonly learnFrom: LearnFrom;
  readonly records: number;
  readonly columns: readonly string[];
  /** Columns that no part of a record is read from. */
  readonly unused: readonly string[];
  /** Characters of a record's columns together. */
  readonly characters: { readonly median: number; readonly longest: number };
  /** Records whose content an earlier record of the file has. */
  readonly duplicates: number;
  /** The contents of the records as text, to compare files. */
  readonly contents: ReadonlySet<string>;
}

/** In the order in which they are tried: a row with an answer and a preference is taken for its answer. */
const KINDS: readonly LearnFrom[] = ["answers", "preferences", "ratings"];

/**
 * Reads a file and says what it holds.
 *
 * @throws UserError("data") for a file that cannot be read, and for rows that are no records of any kind.
 */
export async function surveyFile(reader: FileReader, file: string): Promise<FileSurvey> {
  const rows = await loadRows(reader, file);
  let first: readonly RecordProblem[] = [];
  for (const learnFrom of KINDS) {
    const { records, problems } = parseRows(rows, {}, learnFrom);
    if (problems.length === 0 && records.length > 0) return survey(file, learnFrom, records);
    if (first.length === 0) first = problems;
  }
  throw recordError(first);
}

function survey(file: string, learnFrom: LearnFrom, records: readonly DataRecord[]): FileSurvey {
  const columns = [...new Set(records.flatMap(({ fields }) => Object.keys(fields)))];
  const read = new Set(Object.values(ALIASES).flat());
  const texts = records.map(({ content }) => JSON.stringify(content));
  const lengths = texts.map(({ length }) => length).sort((a, b) => a - b);
  const contents = new Set(texts);
  return {
    file,
    learnFrom,
    records: records.length,
    columns,
    unused: columns.filter((column) => !read.has(column)),
    characters: { median: lengths[Math.floor(lengths.length / 2)]!, longest: lengths.at(-1)! },
    duplicates: texts.length - contents.size,
    contents,
  };
}
