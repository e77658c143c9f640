import { UserError } from "../diagnostics/user-error.ts";
import type { SourcedRow } from "../data/row.ts";
import { oneFile, type BenchmarkData } from "./benchmark-data.ts";

/** How the files of a split may be called: `test.jsonl`, `data/test-00000-of-00001.parquet`, `sent_valid.csv`. */
const WORDS = {
  train: "train",
  validation: "(?:validation|valid|val|dev)",
  test: "test",
} as const;

export interface SplitPlace {
  readonly split: keyof typeof WORDS;
  /** On the Hub, `hf:org/name?…`. */
  readonly hub: string;
  /** Whether a folder's only file, whatever it is called, is this split. */
  readonly orOnlyFile?: boolean;
}

/** The rows of a split, of the Hub or of the file that is called so. @throws UserError("data") where there are none. */
export async function splitRows(data: BenchmarkData, place: SplitPlace): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) return data.hub(place.hub);
  const name = await splitFile(data, place);
  const rows = await data.rows(name);
  if (rows.length > 0) return rows;
  throw new UserError("data", `${name}: no records`, { hint: "Take another file, or leave --data out for the Hub's." });
}

async function splitFile(data: BenchmarkData, { split, orOnlyFile = false }: SplitPlace): Promise<string> {
  const all = await data.files();
  if (orOnlyFile && all.length === 1) return all[0]!;
  const shape = new RegExp(
    `(^|[/._-])${WORDS[split]}([._-][^/]*)?\\.(jsonl|ndjson|json|csv|tsv|parquet)(\\.gz)?$`,
    "i",
  );
  return oneFile(data, shape, `table called ${split}, such as ${split}.jsonl`);
}
