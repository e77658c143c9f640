import { readFileSync } from "node:fs";
import path from "node:path";
import type { ExportFolder, ExportOptions, ExportSource } from "../../src/export/target.ts";
import { parsePeftConfig } from "../../src/model/peft-config.ts";
import { goldenJson, openGolden } from "./golden.ts";

/** An exported folder in memory. */
export function memoryFolder(): { readonly folder: ExportFolder; readonly files: Map<string, Uint8Array> } {
  const files = new Map<string, Uint8Array>();
  const folder: ExportFolder = {
    async create(name) {
      if (files.has(name)) throw new Error(`${name} is written twice`);
      const pieces: Uint8Array[] = [];
      files.set(name, new Uint8Array());
      return {
        async write(bytes) {
          pieces.push(bytes.slice());
        },
        async close() {
          files.set(name, new Uint8Array(Buffer.concat(pieces)));
        },
      };
    },
  };
  return { folder, files };
}

export const EXPORT_OPTIONS: ExportOptions = {
  dtype: "f32",
  shardBytes: 5e9,
  onProgress: () => {},
  onNote: () => {},
};

/** A golden model and its adapter. It has no tokenizer but the one that is given. */
export function goldenSource(family: string, sideFiles: Readonly<Record<string, unknown>> = {}): ExportSource {
  const { modelConfig, weights, adapter, lora } = openGolden(family);
  const config = readFileSync(path.join(import.meta.dirname, "..", "golden", family, "model", "config.json"));
  const encoded = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return {
    base: {
      ref: family,
      name: family,
      modelConfig,
      weights,
      tokenizerFiles: { tokenizer: {}, config: {} },
      sideFile: async (name) =>
        name === "config.json" ? config : sideFiles[name] === undefined ? undefined : encoded(sideFiles[name]),
    },
    adapter: {
      config: parsePeftConfig(goldenJson(family, "adapter", "adapter_config.json")),
      shape: lora,
      params: adapter,
    },
  };
}

/** A golden model, which has 96 ids and no tokenizer, with a tokenizer. */
export function withTokenizer(source: ExportSource, change: Record<string, unknown> = {}): ExportSource {
  const pieces = Array.from("abcdefghijklmnopqrstuvwxyzĠ");
  const tokenizer = {
    added_tokens: [{ id: 90, content: "<|end|>", special: true, lstrip: false, rstrip: false, normalized: false }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries([...pieces, "th", "the"].map((piece, i) => [piece, i])),
      merges: [
        ["t", "h"],
        ["th", "e"],
      ],
    },
    ...change,
  };
  const tokenizerFiles = { tokenizer, config: { eos_token: "<|end|>", chat_template: "{{ messages }}" } };
  return { ...source, base: { ...source.base, tokenizerFiles } };
}
