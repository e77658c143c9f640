import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { createTokenizer, type Tokenizer } from "../../src/data/tokenizer.ts";

/** The folder of real models and data that some tests use where it is present. */
export const assets: string =
  process.env["OPENFEDLLM_ASSETS"] ?? path.join(import.meta.dirname, "..", "..", "..", "shared", "assets");

/** A JSON file of the assets, parsed; undefined where it is absent. */
export function readAsset(file: string): unknown {
  const full = path.join(assets, file);
  return existsSync(full) ? JSON.parse(readFileSync(full, "utf8")) : undefined;
}

const opened = new Map<string, Tokenizer>();

/** The tokenizer of an asset folder, opened once. */
export function assetTokenizer(name: string): Tokenizer {
  const known =
    opened.get(name) ??
    createTokenizer({
      tokenizer: readAsset(`${name}/tokenizer.json`),
      config: readAsset(`${name}/tokenizer_config.json`),
      model: readAsset(`${name}/config.json`),
    });
  opened.set(name, known);
  return known;
}
