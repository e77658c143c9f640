import type { FileReader } from "../../src/data/file-reader.ts";
import { benchmarkData, type BenchmarkData } from "../../src/evaluation/benchmark-data.ts";
import type { Answer } from "../../src/evaluation/benchmark.ts";

/** Files in memory, by their names in the folder `data`. */
export function readerOf(files: Readonly<Record<string, string>>): FileReader {
  return {
    list: (folder: string) =>
      Promise.resolve(
        Object.keys(files)
          .sort()
          .map((name) => ({ name, path: `${folder}/${name}` })),
      ),
    read: (path: string) => Promise.resolve(new TextEncoder().encode(files[path.slice("data/".length)])),
  };
}

/** A folder of a benchmark held in memory, its files by name. */
export function folderOf(files: Readonly<Record<string, string>>): BenchmarkData {
  return benchmarkData(readerOf(files), "data");
}

/** Datasets of the Hub held in memory: rows by reference; anything else is an error. */
export function hubOf(datasets: Readonly<Record<string, readonly object[]>>): BenchmarkData {
  return {
    local: undefined,
    files: () => Promise.resolve([]),
    rows: () => Promise.reject(new Error("nothing local")),
    text: () => Promise.reject(new Error("nothing local")),
    hub(ref) {
      const rows = datasets[ref];
      if (rows === undefined) return Promise.reject(new Error(`asked the Hub for ${ref}`));
      return Promise.resolve(
        rows.map((fields, i) => ({ source: { file: ref, record: i + 1 }, fields: fields as Record<string, unknown> })),
      );
    },
  };
}

export const jsonLines = (...rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** An answer in words. */
export const said = (text: string): Answer => ({ turns: [text], samples: [text], finish: ["stop"] });

export const DEFAULTS = { mode: "generation", shots: undefined, fidelity: "paper" } as const;

export const TOOLS = { fidelity: "paper" } as const;
