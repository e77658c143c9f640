import { existsSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assets, assetTokenizer, readAsset } from "../../test/support/assets.ts";
import { createTokenizer, type Tokenizer, withinEmbedding } from "./tokenizer.ts";

const names = ["minimind2-small", "tokenizer-llama2-hf", "tokenizer-smollm2", "tokenizer-qwen2.5"] as const;

/** The ids that are supervised where only `part` (its first place after `from`) of the text is. */
function supervisedIds(
  tokenizer: Tokenizer,
  text: string,
  part: string,
  from = 0,
): { ids: number[]; supervised: number[] } {
  const start = text.indexOf(part, from);
  const { ids, supervised } = tokenizer.encodeSupervised(text, [{ start, end: start + part.length }]);
  return { ids, supervised: supervised.flatMap((flag, i) => (flag ? [i] : [])) };
}

describe.skipIf(!existsSync(assets))(
  "real tokenizers (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
  () => {
    const goldens = (readAsset("goldens/tokenizers.json") ?? { cases: {} }) as {
      cases: Record<string, { text: string; ids: number[]; decoded: string }[]>;
    };
    const cases = names.flatMap((name) => (goldens.cases[name] ?? []).map((golden) => ({ name, ...golden })));

    it.each(cases)("$name encodes and decodes $text as Hugging Face's own library", ({ name, text, ids, decoded }) => {
      expect(assetTokenizer(name).encode(text)).toEqual(ids);
      expect(assetTokenizer(name).encodeSupervised(text, []).ids).toEqual(ids);
      expect(assetTokenizer(name).decode(ids)).toBe(decoded);
    });

    it("knows special tokens, from tokenizer_config.json or else config.json, and what goes before a text", () => {
      const facts = names.map((name) => {
        const { bos, eos, pad, prefix, vocabularySize } = assetTokenizer(name);
        return [bos?.text, eos, pad?.text, prefix, vocabularySize];
      });
      expect(facts).toEqual([
        ["<|im_start|>", { id: 2, text: "<|im_end|>" }, "<|endoftext|>", [], 6400],
        ["<s>", { id: 2, text: "</s>" }, "</s>", [1], 32000],
        ["<|im_start|>", { id: 2, text: "<|im_end|>" }, "<|im_end|>", [], 49152],
        [undefined, { id: 151645, text: "<|im_end|>" }, "<|endoftext|>", [], 151665],
      ]);
    });

    it("refuses an embedding without a row for EOS, and texts that hold a token without one", () => {
      const tokenizer = assetTokenizer("minimind2-small");
      expect(withinEmbedding(tokenizer, 6400)).toBe(tokenizer);
      expect(() => withinEmbedding(tokenizer, 2)).toThrow(
        'the tokenizer puts the token "<|im_end|>" (id 2) into every text, but the model\'s embedding has rows up to 1',
      );
      const limited = withinEmbedding(tokenizer, 3);
      expect(limited.encode("<|im_end|>")).toEqual([2]);
      expect(() => limited.encode("hello")).toThrow("a text holds the token");
    });

    // The oracle: what decoding one token more adds to the text. It holds for ASCII, where no token is a part of a character.
    it.each(names)(
      "%s: a token is supervised exactly if it holds a character of the span (ASCII, against decoding)",
      (name) => {
        const tokenizer = assetTokenizer(name);
        const pieces = [
          "a",
          "Hello",
          " the",
          " ",
          "  ",
          "\n",
          "\n\n",
          "\t",
          "42",
          "don't",
          "?",
          "### Response:",
          "(x)",
          "aaaa",
          ...(name === "tokenizer-llama2-hf" ? [] : ["<|im_end|>"]),
        ];
        const text = fc
          .array(fc.constantFrom(...pieces), { minLength: 2, maxLength: 12 })
          .map((parts) => `x${parts.join("")}`);
        fc.assert(
          fc.property(text, fc.nat(), fc.nat(), (written, a, b) => {
            const start = 1 + (a % (written.length - 1));
            const end = start + 1 + (b % (written.length - start));
            const { ids, supervised } = tokenizer.encodeSupervised(written, [{ start, end }]);
            const ends = ids.map((_, i) => tokenizer.decode(ids.slice(0, i + 1)).length);
            expect(ends.at(-1)).toBe(written.length);
            expect(supervised).toEqual(
              ends.map((to, i) => to > start && (ends[i - 1] ?? 0) < end && to > (ends[i - 1] ?? 0)),
            );
          }),
          { numRuns: 150 },
        );
      },
    );

    it("a character split among tokens is supervised in all of them", () => {
      // Llama 2 spells 🙂 as four bytes and 🚀 as four more (goldens): 29871 is the space it puts first.
      expect(supervisedIds(assetTokenizer("tokenizer-llama2-hf"), "🙂🚀", "🚀")).toEqual({
        ids: [29871, 243, 162, 156, 133, 243, 162, 157, 131],
        supervised: [5, 6, 7, 8],
      });
      // What the tokenizer puts before a text belongs to the span that begins there.
      expect(supervisedIds(assetTokenizer("tokenizer-llama2-hf"), "🙂🚀", "🙂").supervised).toEqual([0, 1, 2, 3, 4]);
      // SmolLM2: "你" is one id, "好" two, "，" two … (goldens); the span "好" begins inside no token.
      const { ids, supervised } = supervisedIds(assetTokenizer("tokenizer-smollm2"), "你好，世界！", "好");
      expect(assetTokenizer("tokenizer-smollm2").decode(supervised.map((i) => ids[i]!))).toBe("好");
    });

    it("text in the form of byte tokens and marks is not taken for them", () => {
      const tokenizer = assetTokenizer("tokenizer-llama2-hf");
      const { ids, supervised } = supervisedIds(tokenizer, "a<0x0A>b\nc\u2581d", "b\nc");
      expect(tokenizer.decode(supervised.map((i) => ids[i]!))).toBe("b\nc");
      expect(supervised).toHaveLength(3);
    });

    it("Llama 2's space after a special token, and text spelling one", () => {
      const tokenizer = assetTokenizer("tokenizer-llama2-hf");
      const text = "one</s>two</s>";
      const { ids, supervised } = supervisedIds(tokenizer, text, "two</s>");
      expect(ids).toEqual([697, 2, 1023, 2]);
      expect(supervised).toEqual([2, 3]);
    });

    it("a span stays in place where the normaliser composes characters (Qwen, NFC)", () => {
      const tokenizer = assetTokenizer("tokenizer-qwen2.5");
      const composed = "caf\u00e9 na\u00efve caf\u00e9 ok";
      const expected = supervisedIds(tokenizer, composed, " ok");
      expect(supervisedIds(tokenizer, composed.normalize("NFD"), " ok")).toEqual(expected);
      expect(expected.supervised).toEqual([expected.ids.length - 1]);
      // A boundary between a letter and its accent: the token that holds both is on both sides.
      const text = "cafe\u0301";
      const accent = tokenizer.encodeSupervised(text, [{ start: 4, end: 5 }]);
      const letters = tokenizer.encodeSupervised(text, [{ start: 0, end: 4 }]);
      expect(accent.ids).toEqual(tokenizer.encode("caf\u00e9"));
      expect(accent.supervised.at(-1)).toBe(true);
      expect(letters.supervised.every(Boolean)).toBe(true);
      const line = tokenizer.encodeSupervised("x\ne\u0301", [{ start: 0, end: 3 }]);
      expect(line).toEqual({
        ids: ["x", "\n", "\u00e9"].flatMap((c) => tokenizer.encode(c)),
        supervised: [true, true, true],
      });
    });
  },
);

/** A small WordPiece tokenizer: it lowercases, drops spaces and has an unknown token, so surfaces do not add up. */
const wordPiece = createTokenizer({
  tokenizer: {
    added_tokens: [],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: null,
    decoder: { type: "WordPiece", prefix: "##", cleanup: false },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: { "[UNK]": 0, say: 1, he: 2, "##llo": 3, now: 4, hi: 5 },
    },
  },
});

it("where surfaces do not add up, a span begins where the text up to it and the whole differ", () => {
  const text = "Say  hello Ωmega now";
  expect(wordPiece.encode(text)).toEqual([1, 2, 3, 0, 4]);
  const flags = (start: number, end: number): boolean[] =>
    wordPiece.encodeSupervised(text, [{ start, end }]).supervised;
  expect(flags(0, 3)).toEqual([true, false, false, false, false]);
  expect(flags(5, 10)).toEqual([false, true, true, false, false]);
  expect(flags(17, 20)).toEqual([false, false, false, false, true]);
  expect(flags(5, 20)).toEqual([false, true, true, true, true]);
});

it("a tokenizer.json of an unknown kind is the model's fault, in one sentence", () => {
  expect(() => createTokenizer({ tokenizer: { model: { type: "Runes" } } })).toThrow(
    expect.objectContaining({ kind: "model" }),
  );
});

/** Merges b c before a b, so that "ab" alone is one token and "abc" begins with "a": prefixes mislead here. */
it.each([
  ["Metaspace", "\u2581", { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" }],
  ["ByteLevel", "\u0120", { type: "ByteLevel", add_prefix_space: true, use_regex: false }],
])(
  "the space that %s puts before a text belongs to the span that begins the text, and moves no other",
  (_, mark, preTokenizer) => {
    const vocab = { [mark]: 0, a: 1, b: 2, c: 3, bc: 4, ab: 5 };
    const tokenizer = createTokenizer({
      tokenizer: {
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: preTokenizer,
        post_processor: null,
        decoder: null,
        model: { type: "BPE", vocab, merges: ["b c", "a b"] },
      },
    });
    const flags = (text: string, start: number, end: number): boolean[] =>
      tokenizer.encodeSupervised(text, [{ start, end }]).supervised;
    expect(tokenizer.encode("ab")).toEqual([0, 5]);
    expect(tokenizer.encode("abc a")).toEqual([0, 1, 4, 0, 1]);
    expect(flags("abc a", 0, 1)).toEqual([true, true, false, false, false]);
    expect(flags("abc a", 2, 3)).toEqual([false, false, true, false, false]);
    expect(flags("abc a", 3, 5)).toEqual([false, false, false, true, true]);
    // A text that begins with a space has no other put before it.
    expect(flags(" abc", 1, 2)).toEqual([false, true, false]);
  },
);
