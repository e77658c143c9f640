import { type DatasetInfo, infoSource } from "./dataset-info.ts";
import type { FileReader } from "./file-reader.ts";
import {
  ALIASES,
  type DataRecord,
  type FieldMap,
  type LearnFrom,
  parseRows,
  type RecordProblem,
  recordError,
} from "./record.ts";
import type { FieldName } from "./record-fields.ts";
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
 * Reads a file, or a dataset of `info`, and says what it holds.
 *
 * @throws UserError("data") for a file that cannot be read, and for rows that are no records of any kind.
 */
export async function surveyFile(reader: FileReader, file: string, info?: DatasetInfo): Promise<FileSurvey> {
  const source = info === undefined ? undefined : await infoSource(reader, info, file);
  const read = (await Promise.all((source?.paths ?? [file]).map((path) => loadRows(reader, path)))).flat();
  const { rows, fields = {} } = source?.prepare(read) ?? { rows: read };
  let first: readonly RecordProblem[] = [];
  for (const learnFrom of source === undefined ? KINDS : [source.learnFrom]) {
    const { records, problems } = parseRows(rows, fields, learnFrom);
    if (problems.length === 0 && records.length > 0) return survey(file, learnFrom, records, fields);
    if (first.length === 0) first = problems;
  }
  throw recordError(first);
}

function survey(file: string, learnFrom: LearnFrom, records: readonly DataRecord[], fields: FieldMap): FileSurvey {
  const columns = [...new Set(records.flatMap(({ fields }) => Object.keys(fields)))];
  const names = Object.entries(ALIASES).flatMap(([part, aliases]) => fields[part as FieldName] ?? aliases);
  const read = new Set<string | false>(names);
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
