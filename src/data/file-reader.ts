/**
 * PORT: where data files come from (`src/node/files.ts` for a disk; a browser hands over the files a person picked).
 * A file that is not there, or cannot be read, is a `UserError("data", …)`.
 */
export interface FileReader {
  /** The whole file, as it lies there (not unpacked). */
  read(path: string): Promise<Uint8Array>;
}
