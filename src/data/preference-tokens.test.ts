import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assets, assetTokenizer } from "../../test/support/assets.ts";
import { writeTinyModel } from "../../test/support/tiny-model.ts";
import type { Example } from "./example.ts";
import type { Message } from "./messages.ts";
import { encodePairs } from "./items/pair.ts";
import { encodeRated } from "./items/rated.ts";
import type { PreferenceOptions } from "./preference-tokens.ts";
import type { Content, DataRecord } from "./record.ts";
import { loadRecords } from "./source.ts";
import { TEMPLATES, type TemplateName } from "./template.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";
import { encodeMessages, encodeRecord } from "./tokens.ts";

/** One token a byte; <|endoftext|> 256, <|im_start|> 257, <|im_end|> 258, which is EOS. */
const files = (() => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-"));
  try {
    writeTinyModel(folder, { architecture: "no weights" });
    const read = (name: string) => JSON.parse(readFileSync(path.join(folder, name), "utf8")) as object;
    return { tokenizer: read("tokenizer.json"), config: read("tokenizer_config.json") };
  } finally {
    rmSync(folder, { recursive: true });
  }
})();
const bytes = createTokenizer(files);
const EOS = 258;
const BOS = 256;
const bosFirst = {
  type: "TemplateProcessing",
  single: [{ SpecialToken: { id: "<|endoftext|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
  pair: [],
  special_tokens: { "<|endoftext|>": { id: "<|endoftext|>", ids: [BOS], tokens: ["<|endoftext|>"] } },
};
const withBos = createTokenizer({ ...files, tokenizer: { ...files.tokenizer, post_processor: bosFirst } });

const ids = (text: string): number[] => [...new TextEncoder().encode(text)];
const record = (content: Content, id = "f#1"): DataRecord => ({
  id,
  source: { file: "f", record: 1 },
  content,
  fields: {},
});
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const pair = (prompt: string | readonly Message[], chosen: string, rejected: string, id?: string): DataRecord =>
  record({ kind: "preference", prompt: typeof prompt === "string" ? [user(prompt)] : prompt, chosen, rejected }, id);

/** Tokens of the prompt, then of each answer. */
function encode(
  given: DataRecord,
  template: TemplateName,
  options: PreferenceOptions = {},
  tokenizer: Tokenizer = bytes,
) {
  const { examples, report } = encodePairs([given], TEMPLATES[template], tokenizer, options);
  const [example] = examples;
  return { chosen: split(example?.chosen), rejected: split(example?.rejected), report };
}

/** Prompt and answer of an example; the supervised tokens are its end, all of it. */
function split(example: Example | undefined): [number[], number[]] | undefined {
  if (example === undefined) return undefined;
  const start = example.supervised.indexOf(1);
  expect([...example.supervised.subarray(start)]).not.toContain(0);
  return [[...example.tokens.subarray(0, start)], [...example.tokens.subarray(start)]];
}

describe("pairs, to the id", () => {
  it("none", () => {
    const { examples, report } = encodePairs([pair("ab", "c", "de")], TEMPLATES.none, bytes);
    expect(examples).toEqual([
      {
        id: "f#1",
        chosen: {
          id: "f#1/chosen",
          tokens: Int32Array.of(97, 98, 99, EOS),
          supervised: Uint8Array.of(0, 0, 1, 1),
        },
        rejected: {
          id: "f#1/rejected",
          tokens: Int32Array.of(97, 98, 100, 101, EOS),
          supervised: Uint8Array.of(0, 0, 1, 1, 1),
        },
      },
    ]);
    expect(report).toEqual({
      records: 1,
      truncated: 0,
      truncatedPrompts: 0,
      truncatedAnswers: 0,
      dropped: 0,
      fullPrompts: 0,
      equalAnswers: 0,
      tokens: 9,
      supervisedTokens: 5,
    });
  });

  it("vicuna: only the last answer, whatever earlier turns the prompt has; the answers keep what they share", () => {
    const prompt = [{ role: "system" as const, content: "S" }, user("a"), assistant("b"), user("c")];
    const before = [...ids("S USER: a ASSISTANT: b"), EOS, ...ids("USER: c ASSISTANT:")];
    const { chosen, rejected } = encode(pair(prompt, "Because x", "Because y"), "vicuna");
    expect(chosen).toEqual([before, [...ids(" Because x"), EOS]]);
    expect(rejected).toEqual([before, [...ids(" Because y"), EOS]]);
  });

  it("chat: up to and with the end of turn, nothing after it", () => {
    const turn = (role: string, content: string): number[] => [257, ...ids(`${role}\n${content}`), EOS, 10];
    const before = [...turn("user", "a"), ...turn("assistant", "b"), ...turn("user", "c"), 257, ...ids("assistant\n")];
    const { chosen, rejected } = encode(pair([user("a"), assistant("b"), user("c")], "d", "ef"), "chat");
    expect(chosen).toEqual([before, [100, EOS]]);
    expect(rejected).toEqual([before, [101, 102, EOS]]);
  });

  it("chat: a template may write earlier turns as it likes", () => {
    const dropping =
      "{% for m in messages %}{{ m.role }}:{% if loop.last or m.role == 'user' %}{{ m.content }}{% endif %};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    const tokenizer = createTokenizer({ ...files, chatTemplate: dropping });
    const { chosen } = encode(pair([user("a"), assistant("b"), user("c")], "d", "e"), "chat", {}, tokenizer);
    expect(chosen).toEqual([ids("user:a;assistant:;user:c;assistant:"), ids("d;")]);
  });

  it("alpaca: an input has its section, or is joined, as in supervised tuning", () => {
    const content = { prompt: [user("a")], input: "b", chosen: "c", rejected: "d" } as const;
    for (const inputs of ["section", "joined"] as const) {
      const { chosen } = encode(record({ kind: "preference", ...content }), "alpaca", { inputs }, withBos);
      const answer = record({ kind: "instruction", instruction: "a", input: "b", response: "c" });
      const { example } = encodeRecord(answer, TEMPLATES.alpaca, withBos, { maxLength: 512, inputs });
      expect(chosen).toEqual(split(example));
      expect(chosen![0][0]).toBe(BOS);
    }
  });

  it("where the prompt's end becomes other tokens before one answer, the answers begin before it", () => {
    const vocab = Object.fromEntries(["x", "a", "b", "c", "ab", "</s>"].map((token, i) => [token, i]));
    const tokenizer = createTokenizer({
      tokenizer: {
        added_tokens: [],
        normalizer: null,
        pre_tokenizer: null,
        post_processor: null,
        decoder: null,
        model: { type: "BPE", vocab, merges: ["a b"] },
      },
      config: { eos_token: "</s>" },
    });
    const { chosen, rejected } = encode(pair("xa", "b", "c"), "none", {}, tokenizer);
    expect(chosen).toEqual([[0], [4, 5]]);
    expect(rejected).toEqual([[0], [1, 3, 5]]);
  });

  it("refuses a record of another kind", () => {
    const answer = record({ kind: "instruction", instruction: "a", response: "b" });
    expect(() => encodePairs([answer], TEMPLATES.none, bytes)).toThrow(
      "record f#1 has no pair of a chosen and a rejected answer",
    );
    expect(() => encodeRecord(pair("a", "b", "c"), TEMPLATES.none, bytes, { maxLength: 9 })).toThrow(
      expect.objectContaining({
        kind: "data",
        message: "record f#1 has two answers, chosen and rejected, expected one answer to learn",
      }),
    );
  });
});

describe("what does not fit", () => {
  // 6 tokens of prompt, 4 and 3 of answers.
  const given = pair("abcdef", "ghi", "jk");

  it("the prompt gives way to the longest answer, down to half the window; then answers are cut", () => {
    expect(encode(given, "none", { maxLength: 10 }).report.truncated).toBe(0);
    const eight = encode(given, "none", { maxLength: 8 });
    expect(eight.chosen).toEqual([ids("cdef"), [...ids("ghi"), EOS]]);
    expect(eight.rejected).toEqual([ids("cdef"), [...ids("jk"), EOS]]);
    expect(eight.report).toMatchObject({ truncated: 1, truncatedPrompts: 1, truncatedAnswers: 0 });
    const six = encode(given, "none", { maxLength: 6 });
    expect(six.chosen).toEqual([ids("def"), ids("ghi")]);
    expect(six.rejected).toEqual([ids("def"), [...ids("jk"), EOS]]);
    expect(six.report).toMatchObject({
      truncated: 1,
      truncatedPrompts: 1,
      truncatedAnswers: 1,
      tokens: 12,
      supervisedTokens: 6,
    });
  });

  it("a limit of the prompt's own holds whatever room there is", () => {
    const { chosen, report } = encode(given, "none", { maxLength: 10, maxPromptLength: 2 });
    expect(chosen).toEqual([ids("ef"), [...ids("ghi"), EOS]]);
    expect(report).toMatchObject({ truncated: 1, truncatedPrompts: 1, truncatedAnswers: 0 });
  });

  it("BOS stays first, the tokenizer's and the chat template's own", () => {
    expect(encode(given, "none", { maxLength: 8 }, withBos).chosen).toEqual([
      [BOS, ...ids("def")],
      [...ids("ghi"), EOS],
    ]);
    const chatTemplate =
      "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}{{ m.content }}{% endfor %}{% if add_generation_prompt %}a{% endif %}";
    const config = { ...files.config, bos_token: "<|endoftext|>" };
    const writesBos = createTokenizer({ ...files, config, chatTemplate });
    const { chosen } = encode(pair("bcdefg", "hij", "k"), "chat", { maxLength: 8 }, writesBos);
    expect(chosen).toEqual([[BOS, ...ids("efga")], ids("hij")]);
  });

  it("a prompt that fills the window is left out, and so are answers that are the same as far as they go", () => {
    const full = encode(given, "none", { maxLength: 6, maxPromptLength: 6 });
    expect(full).toMatchObject({ chosen: undefined, report: { dropped: 1, fullPrompts: 1, equalAnswers: 0 } });
    const equal = encode(pair("ab", "xxa", "xxb"), "none", { maxLength: 4 });
    expect(equal).toMatchObject({
      chosen: undefined,
      report: { records: 1, truncated: 0, dropped: 1, fullPrompts: 0, equalAnswers: 1, tokens: 0 },
    });
  });

  it("always: one prompt for both, a suffix of it all; answers from their beginning; within the window", () => {
    const word = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }).filter((text) => text.trim() !== "");
    const limit = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined });
    fc.assert(
      fc.property(
        word,
        word,
        word,
        fc.integer({ min: 2, max: 60 }),
        limit,
        (prompt, a, b, maxLength, maxPromptLength) => {
          const { chosen, rejected, report } = encode(
            pair(prompt, a, b),
            "none",
            { maxLength, maxPromptLength },
            withBos,
          );
          expect(report.dropped).toBe(chosen === undefined ? 1 : 0);
          if (chosen === undefined || rejected === undefined) return;
          expect(chosen[0]).toEqual(rejected[0]);
          const wholePrompt = ids(prompt);
          expect(chosen[0][0]).toBe(BOS);
          const kept = chosen[0].slice(1);
          expect(kept).toEqual(wholePrompt.slice(wholePrompt.length - kept.length));
          expect(chosen[0].length).toBeLessThanOrEqual(maxPromptLength ?? maxLength);
          for (const [answer, tokens] of [[a, chosen[1]] as const, [b, rejected[1]] as const]) {
            expect(tokens).toEqual([...ids(answer), EOS].slice(0, maxLength - chosen[0].length));
          }
          expect(report.tokens).toBe(2 * chosen[0].length + chosen[1].length + rejected[1].length);
          expect(report.supervisedTokens).toBe(chosen[1].length + rejected[1].length);
        },
      ),
    );
  });
});

describe("fidelity original: TRL 0.7.2's scheme", () => {
  const original = (given: DataRecord, options: PreferenceOptions, tokenizer = withBos) =>
    encode(given, "none", { fidelity: "original", ...options }, tokenizer);

  it("no BOS, EOS after both; Vicuna's space belongs to the answers", () => {
    const given = pair([{ role: "system", content: "S" }, user("a")], "b", "c");
    const { chosen, rejected } = encode(given, "vicuna", { fidelity: "original" }, withBos);
    expect(chosen).toEqual([ids("S USER: a ASSISTANT:"), [32, 98, EOS]]);
    expect(rejected).toEqual([ids("S USER: a ASSISTANT:"), [32, 99, EOS]]);
  });

  it("keeps the prompt's end where both do not fit, and cuts the answers where that is not enough", () => {
    const fits = original(pair("abcdef", "g", "h"), { maxLength: 8, maxPromptLength: 3 });
    expect(fits.chosen).toEqual([ids("abcdef"), [103, EOS]]);
    const promptOnly = original(pair("abcdef", "ghi", "j"), { maxLength: 8, maxPromptLength: 3 });
    expect(promptOnly.chosen).toEqual([ids("def"), [...ids("ghi"), EOS]]);
    expect(promptOnly.report).toMatchObject({ truncated: 1, truncatedPrompts: 1, truncatedAnswers: 0 });
    const both = original(pair("abcdef", "ghijkl", "m"), { maxLength: 8, maxPromptLength: 3 });
    expect(both.chosen).toEqual([ids("def"), ids("ghijk")]);
    expect(both.rejected).toEqual([ids("def"), [109, EOS]]);
    expect(both.report).toMatchObject({ truncated: 1, truncatedPrompts: 1, truncatedAnswers: 1 });
    // A prompt shorter than its limit leaves room that the scheme does not use.
    const short = original(pair("ab", "cdefghi", "j"), { maxLength: 8, maxPromptLength: 3 });
    expect(short.chosen).toEqual([ids("ab"), ids("cdefg")]);
  });

  it("512, 128 and so 384 by default", () => {
    // 200 and 401 tokens: 601 > 512, and 128 + 401 = 529 > 512.
    const given = pair(`${"a".repeat(72)}${"b".repeat(128)}`, "c".repeat(400), "d".repeat(384));
    const { chosen, rejected } = original(given, {});
    expect(chosen).toEqual([ids("b".repeat(128)), ids("c".repeat(384))]);
    expect(rejected).toEqual([ids("b".repeat(128)), ids("d".repeat(384))]);
    // 200 and 312: exactly 512.
    expect(original(pair("a".repeat(200), "c".repeat(311), "d"), {}).report.truncated).toBe(0);
  });
});

describe("rated answers", () => {
  const rated = (prompt: string, completion: string, desirable: boolean, id: string): DataRecord =>
    record({ kind: "rated", prompt: [user(prompt)], completion, desirable }, id);

  it("each with the next answer to another prompt, around the end", () => {
    const records = [rated("p", "a", true, "f#1"), rated("p", "b", false, "f#2"), rated("q", "cd", true, "f#3")];
    const { examples, report } = encodeRated(records, TEMPLATES.none, bytes);
    expect(
      examples.map(({ id, desirable, answer, mismatched }) => [id, desirable, split(answer), split(mismatched)]),
    ).toEqual([
      ["f#1", true, [[112], [97, EOS]], [[112], [99, 100, EOS]]],
      ["f#2", false, [[112], [98, EOS]], [[112], [99, 100, EOS]]],
      ["f#3", true, [[113], [99, 100, EOS]], [[113], [97, EOS]]],
    ]);
    expect(examples[0]).toMatchObject({ answer: { id: "f#1" }, mismatched: { id: "f#1/mismatched" } });
    expect(report).toMatchObject({ records: 3, dropped: 0, tokens: 10, supervisedTokens: 7 });
  });

  it("a pair is two, and neither is the other's mismatched one", () => {
    const records = [pair("p", "a", "b", "f#1"), pair("q", "c", "d", "f#2")];
    const { examples, report } = encodeRated(records, TEMPLATES.none, bytes);
    expect(examples.map(({ id, desirable, mismatched }) => [id, desirable, split(mismatched)![1]])).toEqual([
      ["f#1/chosen", true, [99, EOS]],
      ["f#1/rejected", false, [99, EOS]],
      ["f#2/chosen", true, [97, EOS]],
      ["f#2/rejected", false, [97, EOS]],
    ]);
    expect(report.records).toBe(4);
  });

  it("with one prompt only, the next; alone, itself", () => {
    const mismatched = (records: DataRecord[]) =>
      encodeRated(records, TEMPLATES.none, bytes).examples.map(({ mismatched }) => split(mismatched)![1][0]);
    expect(mismatched([pair("p", "a", "b"), rated("p", "c", true, "f#2")])).toEqual([98, 99, 97]);
    expect(mismatched([rated("p", "c", true, "f#2")])).toEqual([99]);
  });

  it("the next with another prompt is the one a slow search finds", () => {
    const prompts = fc.array(fc.constantFrom("p", "q", "r"), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(prompts, (list) => {
        const records = list.map((prompt, i) => rated(prompt, String.fromCodePoint(0x41 + i), true, `f#${i}`));
        const { examples } = encodeRated(records, TEMPLATES.none, bytes);
        for (const [i, { mismatched }] of examples.entries()) {
          let expected = (i + 1) % list.length;
          for (let step = 1; step < list.length; step++) {
            const candidate = (i + step) % list.length;
            if (list[candidate] === list[i]) continue;
            expected = candidate;
            break;
          }
          expect(split(mismatched)![1][0]).toBe(0x41 + expected);
        }
      }),
    );
  });

  it("each is cut by itself, and counted by its answer", () => {
    const records = [rated("abcd", "e", true, "f#1"), rated("p", "fghi", true, "f#2")];
    const { examples, report } = encodeRated(records, TEMPLATES.none, bytes, { maxLength: 6 });
    expect(split(examples[0]!.answer)).toEqual([ids("abcd"), [101, EOS]]);
    expect(split(examples[0]!.mismatched)).toEqual([ids("bcd"), ids("fgh")]);
    expect(report).toMatchObject({ truncated: 0, tokens: 12, supervisedTokens: 7 });
    const full = encodeRated(records, TEMPLATES.none, bytes, { maxLength: 4, maxPromptLength: 4 });
    expect(full.examples.map(({ id }) => id)).toEqual(["f#2"]);
    expect(full.report).toMatchObject({ records: 2, dropped: 1, fullPrompts: 1, truncated: 1, truncatedAnswers: 1 });
  });

  it("refuses an answer without a rating", () => {
    const answer = record({ kind: "completion", prompt: "a", completion: "b" });
    expect(() => encodeRated([answer], TEMPLATES.none, bytes)).toThrow("record f#1 holds an answer without a rating");
  });
});

describe.skipIf(!existsSync(path.join(assets, "hh-rlhf")))(
  "hh-rlhf with real tokenizers (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
  () => {
    it.each(["minimind2-small", "tokenizer-llama2-hf", "tokenizer-smollm2", "tokenizer-qwen2.5"])(
      "%s: the prompt is what generation begins with, and the answers decode to the answers",
      async (name) => {
        const reader = { read: async (file: string) => new Uint8Array(readFileSync(path.join(assets, file))) };
        const file = "hh-rlhf/harmless-base-test.jsonl.gz";
        const { records } = await loadRecords(reader, file, { learnFrom: "preferences", invalid: "skip" });
        const tokenizer = assetTokenizer(name);
        for (const template of ["chat", "vicuna"] as const) {
          if (template === "chat" && tokenizer.chatTemplate === undefined) continue;
          const some = records.slice(0, 100);
          const { examples, report } = encodePairs(some, TEMPLATES[template], tokenizer, { maxLength: 100_000 });
          expect(report).toMatchObject({ records: 100, truncated: 0, dropped: 0 });
          for (const [i, { chosen, rejected }] of examples.entries()) {
            const { content } = some[i]!;
            if (content.kind !== "preference") throw new Error("not a pair");
            const prompt = [...encodeMessages(content.prompt, TEMPLATES[template], tokenizer)];
            for (const [example, answer] of [
              [chosen, content.chosen] as const,
              [rejected, content.rejected] as const,
            ]) {
              const [before, learnt] = split(example)!;
              expect(before).toEqual(prompt);
              expect(learnt.at(-1)).toBe(tokenizer.eos!.id);
              expect(tokenizer.decode(learnt.slice(0, -1)).trim()).toBe(answer.normalize("NFC").trim());
            }
          }
        }
      },
    );
  },
);
