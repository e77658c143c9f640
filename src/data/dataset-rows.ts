import { UserError } from "../diagnostics/user-error.ts";
import type { DatasetRef } from "./dataset-ref.ts";
import type { FileReader } from "./file-reader.ts";
import type { SourcedRow } from "./row.ts";

/**
 * The rows of a dataset of the Hub, prepared if it was given by its bare name. Numbered through all its files, as the Hub's
 * viewer shows them (there from 0): a row keeps its number whatever is left out.
 *
 * @param readRows the rows of one file, called so in messages.
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
