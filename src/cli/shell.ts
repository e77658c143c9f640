import path from "node:path";
import { parseDatasetRef } from "../data/dataset-ref.ts";

/** Quotes an argument for a POSIX shell, if it needs quotes. */
export function shellQuote(argument: string): string {
  if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command on lines that a shell joins, of at most `width` columns if the arguments allow it. */
export function commandLines(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    if (line !== "" && line.length + part.length + 3 > width) {
      lines.push(`${line} \\`);
      line = `  ${part}`;
    } else {
      line = line === "" ? part : `${line} ${part}`;
    }
  }
  return [...lines, line];
}

/** Rewrites a path that is relative to the configuration's folder to one that is relative to the working directory. */
export function typedPath(baseDir: string, given: string, cwd: string = process.cwd()): string {
  if (path.isAbsolute(given)) return given;
  const relative = path.relative(cwd, path.resolve(cwd, baseDir, given));
  return relative === "" ? "." : relative;
}

/** Does the same for data. A dataset of the Hub stays unchanged. */
export function typedData(baseDir: string, given: string, cwd: string = process.cwd()): string {
  return parseDatasetRef(given) === undefined ? typedPath(baseDir, given, cwd) : given;
}
