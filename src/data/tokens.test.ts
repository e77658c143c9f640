import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { assets, assetTokenizer, readAsset } from "../../test/support/assets.ts";
import type { Example } from "./example.ts";
import type { AnswerContent, DataRecord } from "./record.ts";
import { loadRecords } from "./source.ts";
import { messagesOf, TEMPLATES, type TemplateName } from "./template.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";
import { encodeMessages, encodeRecord, encodeRecords, type EncodeOptions } from "./tokens.ts";

const record = (content: AnswerContent): DataRecord<AnswerContent> => ({
  id: "f#1",
  source: { file: "f", record: 1 },
  content,
  fields: {},
});
const paris = record({ kind: "instruction", instruction: "What is the capital of France?", response: "Paris." });
const conversation = record({
  kind: "messages",
  messages: [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello!" },
    { role: "user", content: "Bye" },
    { role: "assistant", content: "See you." },
  ],
});

function encode(
  given: DataRecord,
  template: TemplateName,
  tokenizer: Tokenizer,
  options: EncodeOptions = { maxLength: 512 },
): Example {
  return encodeRecord(given, TEMPLATES[template], tokenizer, options).example!;
}
const supervisedOf = ({ tokens, supervised }: Example): number[] => [...tokens].filter((_, i) => supervised[i] === 1);

const flagsOf = (token: number, { tokens, supervised }: Example): number[] =>
  [...tokens].flatMap((id, i) => (id === token ? [supervised[i]!] : []));

describe.skipIf(!existsSync(assets))(
  "with real tokenizers (skipped where ../shared/assets and $OPENFEDLLM_ASSETS are absent)",
  () => {
    it("alpaca in Llama 2: BOS, the marker's ids as TRL knows them, the answer, EOS once", () => {
      const llama = assetTokenizer("tokenizer-llama2-hf");
      const example = encode(paris, "alpaca", llama);
      const marker = [2277, 29937, 13291, 29901];
      expect(example.tokens[0]).toBe(1);
      expect([...example.tokens].slice(-8)).toEqual([13, ...marker, 3681, 29889, 2]);
      expect(supervisedOf(example)).toEqual([3681, 29889, 2]);
      expect([...example.tokens].filter((id) => id === 2)).toHaveLength(1);
    });

    it.each(["minimind2-small", "tokenizer-llama2-hf", "tokenizer-smollm2", "tokenizer-qwen2.5"])(
      "%s: of a long record the first tokens are those of the whole, and not all of it is tokenised",
      (name) => {
        const tokenizer = assetTokenizer(name);
        const whole: Tokenizer = {
          ...tokenizer,
          encodeSupervised: (text, spans) => tokenizer.encodeSupervised(text, spans),
        };
        const words = Array.from({ length: 3000 }, (_, i) => `Word ${i * i} – 世界 🙂${" ".repeat(i % 90)}`).join(" ");
        for (const response of [
          words,
          "x".repeat(12_000),
          " \n".repeat(6000) + "end",
          `${"=".repeat(200)} `.repeat(60),
        ]) {
          const long = record({ kind: "instruction", instruction: "Repeat.", response });
          const options = { maxLength: 64 };
          const encoded = encodeRecord(long, TEMPLATES.alpaca, tokenizer, options);
          expect(encoded).toEqual(encodeRecord(long, TEMPLATES.alpaca, whole, options));
          expect(encoded.truncated).toBe(true);
        }
        const { ids } = tokenizer.encodeSupervised(words, [], 64);
        expect(ids.length).toBeGreaterThan(128);
        expect(ids.length).toBeLessThan(tokenizer.encode(words).length / 10);
      },
    );

    it.each(["minimind2-small", "tokenizer-llama2-hf", "tokenizer-smollm2", "tokenizer-qwen2.5"])(
      "%s: alpaca, vicuna and none supervise the answer and EOS, and nothing else",
      (name) => {
        const tokenizer = assetTokenizer(name);
        for (const template of ["alpaca", "vicuna"] as const) {
          const example = encode(paris, template, tokenizer);
          const learnt = supervisedOf(example);
          expect(learnt.at(-1)).toBe(tokenizer.eos!.id);
          expect(tokenizer.decode(learnt.slice(0, -1)).trim()).toBe("Paris.");
          // The prompt for generation is the very tokens that stand before the answer in training.
          const question = messagesOf(paris.content).slice(0, -1);
          const prompt = encodeMessages(question, TEMPLATES[template], tokenizer);
          expect(prompt).toEqual(example.tokens.slice(0, example.supervised.indexOf(1)));
        }
        const example = encode(
          record({ kind: "completion", prompt: "Once upon", completion: " a time" }),
          "none",
          tokenizer,
        );
        expect(tokenizer.decode(supervisedOf(example)).trim()).toBe(`a time${tokenizer.eos!.text}`);
      },
    );

    it.each(["minimind2-small", "tokenizer-llama2-hf", "tokenizer-qwen2.5"])(
      "%s: its own chat template, turn by turn",
      (name) => {
        const tokenizer = assetTokenizer(name);
        const example = encode(conversation, "chat", tokenizer);
        const eos = tokenizer.eos!.text;
        expect(tokenizer.decode(supervisedOf(example)).replaceAll(`${eos} `, eos)).toBe(`Hello!${eos}See you.${eos}`);
        const decoded = tokenizer.decode(example.tokens);
        expect(decoded.endsWith("\n")).toBe(true);
        expect(example.supervised.at(-1)).toBe(0);
        // The template's own BOS, or none; never the tokenizer's besides.
        expect(example.tokens[0]).not.toBe(name === "tokenizer-llama2-hf" ? 1 : undefined);
        const prompt = encodeMessages(messagesOf(conversation.content).slice(0, -1), TEMPLATES.chat, tokenizer);
        expect(example.tokens.slice(0, prompt.length)).toEqual(prompt);
        expect(example.supervised[prompt.length]).toBe(1);
      },
    );

    it("MiniMind's chat, to the id", () => {
      const tokenizer = assetTokenizer("minimind2-small");
      const example = encode(record({ kind: "instruction", instruction: "Hi", response: "Yo" }), "chat", tokenizer);
      const text =
        "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n";
      expect([...example.tokens]).toEqual(tokenizer.encode(text));
      expect(supervisedOf(example)).toEqual([...tokenizer.encode("Yo"), 2]);
    });

    it("a tokenizer that pads with EOS still learns to stop: supervision goes by place, not by id", () => {
      for (const name of ["tokenizer-llama2-hf", "tokenizer-smollm2"]) {
        const tokenizer = assetTokenizer(name);
        expect(tokenizer.pad!.id).toBe(tokenizer.eos!.id);
        expect(encode(paris, "alpaca", tokenizer).supervised.at(-1)).toBe(1);
      }
      // user, assistant, user, assistant: the assistant's ends are learnt, the user's are not.
      expect(flagsOf(2, encode(conversation, "chat", assetTokenizer("tokenizer-llama2-hf")))).toEqual([0, 1, 0, 1]);
    });

    it("data that ends its answers with EOS gets no second one", () => {
      const ended = record({ kind: "completion", prompt: "a", completion: " b</s>" });
      const example = encode(ended, "none", assetTokenizer("tokenizer-llama2-hf"));
      expect([...example.tokens].filter((id) => id === 2)).toHaveLength(1);
      expect(example.supervised.at(-1)).toBe(1);
    });

    it("cuts from the right, and drops a record of which no answer is left", () => {
      const tokenizer = assetTokenizer("minimind2-small");
      const whole = encode(paris, "alpaca", tokenizer);
      const first = whole.supervised.indexOf(1);
      const cut = encodeRecord(paris, TEMPLATES.alpaca, tokenizer, { maxLength: first + 1 });
      expect(cut).toEqual({
        truncated: true,
        example: {
          id: "f#1",
          tokens: whole.tokens.slice(0, first + 1),
          supervised: whole.supervised.slice(0, first + 1),
        },
      });
      expect(encodeRecord(paris, TEMPLATES.alpaca, tokenizer, { maxLength: first })).toEqual({
        truncated: true,
        example: undefined,
      });
      const long = record({ kind: "instruction", instruction: "x ".repeat(600), response: "y" });
      const { examples, report } = encodeRecords([paris, long, paris], TEMPLATES.alpaca, tokenizer, {
        maxLength: whole.tokens.length - 1,
      });
      expect(examples).toHaveLength(2);
      expect(report).toEqual({
        records: 3,
        truncated: 2,
        dropped: 1,
        tokens: 2 * (whole.tokens.length - 1),
        supervisedTokens: 2 * (supervisedOf(whole).length - 1),
      });
    });

    it("never supervises position 0", () => {
      const example = encode(
        record({
          kind: "messages",
          messages: [
            { role: "user", content: "" },
            { role: "assistant", content: "Hello" },
          ],
        }),
        "none",
        assetTokenizer("minimind2-small"),
      );
      expect(example.supervised[0]).toBe(0);
      expect(example.supervised.subarray(1)).not.toContain(0);
    });

    it("all of a Dolly client: each answer's text is what is learnt, whatever is in it", async () => {
      const reader = { read: async (file: string) => new Uint8Array(readFileSync(path.join(assets, file))) };
      const { records } = await loadRecords(reader, "dolly-fed10/local_training_5.json");
      expect(records).toHaveLength((readAsset("dolly-fed10/local_training_5.json") as unknown[]).length);
      for (const name of ["minimind2-small", "tokenizer-llama2-hf", "tokenizer-qwen2.5"]) {
        const tokenizer = assetTokenizer(name);
        for (const template of ["alpaca", "chat"] as const) {
          for (const given of records.slice(0, 200)) {
            if (given.content.kind !== "instruction") continue;
            const learnt = tokenizer.decode(supervisedOf(encode(given, template, tokenizer, { maxLength: 100_000 })));
            // A token may hold the line break before the answer with the answer's first character.
            expect(learnt.trim()).toBe(`${given.content.response.normalize("NFC")}${tokenizer.eos!.text}`.trim());
          }
        }
      }
    });
  },
);

it("a tokenizer without EOS is refused where the template needs one", () => {
  const tokenizer = createTokenizer({
    tokenizer: {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
    },
  });
  expect(() => encode(record({ kind: "completion", prompt: "a", completion: "b" }), "none", tokenizer)).toThrow(
    expect.objectContaining({
      kind: "model",
      message: "the tokenizer has no EOS token, so the model could not learn where an answer ends",
    }),
  );
});
