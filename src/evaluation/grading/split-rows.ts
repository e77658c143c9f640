import { UserError } from "../../diagnostics/user-error.ts";
import type { SourcedRow } from "../../data/row.ts";
import { oneFile, type BenchmarkData } from "../benchmark-data.ts";

/** How the files of a split may be called: `test.jsonl`, `data/test-00000-of-00001.parquet`, `sent_valid.csv`. */
const WORDS = {
  train: "train",
  validation: "(?:validation|valid|val|dev)",
  dev: "dev",
  test: "test",
} as const;

export interface SplitPlace {
  readonly split: keyof typeof WORDS;
  /** On the Hub, `hf:org/name?…`. */
  readonly hub: string;
  /** Whether a folder's only file, whatever it is called, is this split: the one that is asked, not worked examples. */
  readonly orOnlyFile?: boolean;
  /** Files that would do as well and were not found, for the message. */
  readonly orElse?: string;
}

/** The rows of a split, of the Hub or of the file that is called so. @throws UserError("data") where there are none. */
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
    const hint = [cause.hint, "To ask without worked examples: --shots 0."]
      .filter((part) => part !== undefined)
      .join(" ");
    throw new UserError("data", cause.message, { hint, cause });
  }
}

/** The first items, as many as worked examples are wanted. @throws UserError("data") where there are fewer. */
export function firstExamples<T>(data: BenchmarkData, items: readonly T[], shots: number, of = ""): readonly T[] {
  if (items.length >= shots) return items.slice(0, shots);
  const there = `${items.length === 0 ? "no" : items.length} worked example${items.length === 1 ? "" : "s"}`;
  throw new UserError("data", `${data.local ?? "the Hub's data"}: ${there}${of}, wanted ${shots}`, {
    hint: `Add the others to the split they are taken from, or ask with fewer: --shots ${items.length}.`,
  });
}
