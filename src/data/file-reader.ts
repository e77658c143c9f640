import type { DatasetRef } from "./dataset-ref.ts";

/**
 * PORT: where data files come from (`src/node/files.ts` for a disk; a browser hands over the files a person picked).
 * A file that is not there, or cannot be read, is a `UserError("data", …)`.
 */
export interface FileReader {
  /** The whole file, as it lies there (not unpacked). */
  read(path: string): Promise<Uint8Array>;
  /** A file to read parts of; without it, files are read whole. */
  open?(path: string): Promise<OpenFile>;
  /** The files below a folder, by their names there (`test/a.csv`), sorted; of a file itself that one. */
  list?(path: string): Promise<readonly DatasetFile[]>;
  /** Fetches a dataset of the Hub: the files of one split, in their order. Without it there are no such datasets. */
  dataset?(ref: DatasetRef): Promise<readonly DatasetFile[]>;
}

export interface OpenFile {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

export interface DatasetFile {
  /** In the dataset or folder, for messages. */
  readonly name: string;
  /** For `read` and `open`. */
  readonly path: string;
}
