import { expect, test, vi } from "vitest";
import { createTokenizer } from "./tokenizer.ts";
import { TEMPLATES } from "./template.ts";

const messages = [{ role: "user" as const, content: "hello" }];

test("a template writes today's date, as in transformers", () => {
  vi.useFakeTimers({ now: new Date(2031, 1, 3, 12), toFake: ["Date"] });
  const chatTemplate =
    "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}|{{ messages[0]['content'] }}";
  expect(TEMPLATES.chat.prompt(messages, { chatTemplate })).toBe("03 Feb 2031|hello");
  vi.useRealTimers();
});

test("of a list of templates the one named default is taken, or the only one; of several others, none", () => {
  const tokenizer = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: "BPE", vocab: { a: 0 }, merges: [] },
  };
  const template = (chat_template: unknown): string | undefined =>
    createTokenizer({ tokenizer, config: { chat_template } }).chatTemplate;
  const [tools, plain] = [
    { name: "tool_use", template: "x" },
    { name: "default", template: "y" },
  ];
  expect(template("{{ a }}")).toBe("{{ a }}");
  expect(template([tools, plain])).toBe("y");
  expect(template([tools])).toBe("x");
  expect(template([tools, { name: "rag", template: "z" }])).toBeUndefined();
  expect(template(undefined)).toBeUndefined();
});
