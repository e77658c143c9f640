import { UserError } from "../diagnostics/user-error.ts";
import type { DatasetRef } from "./dataset-ref.ts";
import type { FileReader } from "./file-reader.ts";
import type { SourcedRow } from "./row.ts";

/**
 * Reads the rows of a dataset of the Hub. They are prepared if the dataset was given by its bare name. They are numbered
 * through all its files, as the Hub's viewer shows them (there from 0). A row keeps its number if others are left out.
 *
 * @param readRows reads the rows of one file; `name` is the file's name in messages.
 */
export async function datasetRows(
  reader: FileReader,
  ref: DatasetRef,
  readRows: (path: string, name: string) => Promise<SourcedRow[]>,
): Promise<SourcedRow[]> {
  if (reader.dataset === undefined) {
    throw new UserError("data", `${ref.text}: datasets of the Hugging Face Hub cannot be fetched here`, {
      hint: "Give its files instead.",
    });
  }
  const rows: SourcedRow[] = [];
  for (const { path, name } of await reader.dataset(ref)) {
    for (const { fields } of await readRows(path, `${ref.label}: ${name}`)) {
      rows.push({ source: { file: ref.label, record: rows.length + 1 }, fields });
    }
  }
  return ref.named?.prepare?.(rows) ?? rows;
}
