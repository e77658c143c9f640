import type { DatasetRef } from "./dataset-ref.ts";

/**
 * PORT: reads data files (`src/node/files.ts` from a disk; a browser reads the files that a person picked). A file that
 * is not there or cannot be read is a `UserError("data", …)`.
 */
export interface FileReader {
  /** Reads the whole file as it is stored (not unpacked). */
  read(path: string): Promise<Uint8Array>;
  /** Opens a file to read parts of it. Without this method, files are read whole. */
  open?(path: string): Promise<OpenFile>;
  /** Lists the files below a folder by their names there (`test/a.csv`), sorted; for a file, only itself. */
  list?(path: string): Promise<readonly DatasetFile[]>;
  /** Fetches the files of one split of a dataset of the Hub, in their order. Without this method there are no such datasets. */
  dataset?(ref: DatasetRef): Promise<readonly DatasetFile[]>;
}

export interface OpenFile {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
  close(): Promise<void>;
}

export interface DatasetFile {
  /** Its name in the dataset or folder, for messages. */
  readonly name: string;
  /** The path for `read` and `open`. */
  readonly path: string;
}
