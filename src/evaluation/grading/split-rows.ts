import { UserError } from "../../diagnostics/user-error.ts";
import type { SourcedRow } from "../../data/row.ts";
import { oneFile, type BenchmarkData } from "../benchmark-data.ts";

/** Words for a split in names of files: `test.jsonl`, `data/test-00000-of-00001.parquet`, `sent_valid.csv`. */
const WORDS = {
  train: "train",
  validation: "(?:validation|valid|val|dev)",
  dev: "dev",
  test: "test",
} as const;

export interface SplitPlace {
  readonly split: keyof typeof WORDS;
  /** Its reference on the Hub, `hf:org/name?…`. */
  readonly hub: string;
  /** True where a folder's only file, whatever its name, is this split. Only for questions, not for worked examples. */
  readonly orOnlyFile?: boolean;
  /** Other files that would serve and were not found, for the message. */
  readonly orElse?: string;
}

/** Reads the rows of a split, from the Hub or from the file with its name. @throws UserError("data") where there are none. */
export async function splitRows(data: BenchmarkData, place: SplitPlace): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) return data.hub(place.hub);
  const name = await splitFile(data, place);
  const rows = await data.rows(name);
  if (rows.length > 0) return rows;
  throw new UserError("data", `${name}: no records`, { hint: "Take another file, or leave --data out for the Hub's." });
}

async function splitFile(data: BenchmarkData, { split, orOnlyFile = false, orElse }: SplitPlace): Promise<string> {
  const all = await data.files();
  if (orOnlyFile && all.length === 1) return all[0]!;
  const shape = new RegExp(
    `(^|[/._-])${WORDS[split]}([._-][^/]*)?\\.(jsonl|ndjson|json|csv|tsv|parquet)(\\.gz)?$`,
    "i",
  );
  try {
    return await oneFile(
      data,
      shape,
      `${orElse === undefined ? "" : `${orElse} or `}${split}.jsonl (.json, .csv, .parquet)`,
    );
  } catch (cause) {
    if (orOnlyFile || !(cause instanceof UserError)) throw cause;
    const hint = [cause.hint, "Without worked examples: --shots 0."].filter((part) => part !== undefined).join(" ");
    throw new UserError("data", cause.message, { hint, cause });
  }
}

/** Takes the first items as worked examples. @throws UserError("data") where there are too few. */
export function firstExamples<T>(data: BenchmarkData, items: readonly T[], shots: number, of = ""): readonly T[] {
  if (items.length >= shots) return items.slice(0, shots);
  const there = `${items.length === 0 ? "no" : items.length} worked example${items.length === 1 ? "" : "s"}`;
  throw new UserError("data", `${data.local ?? "the Hub's data"}: ${there}${of}, wanted ${shots}`, {
    hint: `Add more to the split of the worked examples, or use fewer: --shots ${items.length}.`,
  });
}
