import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { createTokenizer } from "./tokenizer.ts";
import { TEMPLATES } from "./template.ts";
import { contextOf } from "./tokens.ts";

/** What transformers writes with the templates of a tokenizer's folder; no text where it raises an error. */
interface NamedCase {
  readonly chat_template: unknown;
  readonly chatTemplate?: string;
  readonly toolTemplate?: string;
  readonly tools: readonly unknown[] | null;
  readonly text?: string;
}

const messages = [{ role: "user" as const, content: "hello" }];

test("a template writes today's date, as in transformers", () => {
  vi.useFakeTimers({ now: new Date(2031, 1, 3, 12), toFake: ["Date"] });
  const chatTemplate =
    "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}|{{ messages[0]['content'] }}";
  expect(TEMPLATES.chat.prompt(messages, { chatTemplate })).toBe("03 Feb 2031|hello");
  vi.useRealTimers();
});

test("of named templates tool_use is taken where tools are given, else default, as transformers chooses", () => {
  const tokenizer = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: "BPE", vocab: { a: 0 }, merges: [] },
  };
  const golden = new URL("../../test/golden/templates/named.json", import.meta.url);
  const { cases } = JSON.parse(readFileSync(golden, "utf8")) as { cases: readonly NamedCase[] };
  for (const { chat_template, chatTemplate, toolTemplate, tools, text } of cases) {
    const config = chat_template === null ? {} : { chat_template };
    const context = contextOf(createTokenizer({ tokenizer, config, chatTemplate, toolTemplate }), {});
    const written = (): string =>
      TEMPLATES.chat.prompt(messages, { ...context, variables: tools === null ? {} : { tools } });
    const which = JSON.stringify({ chat_template, chatTemplate, toolTemplate, tools });
    if (text === undefined) expect(written, which).toThrow("the model has no chat template");
    else expect(written(), which).toBe(text);
  }
  expect(cases.filter(({ text }) => text === undefined)).not.toHaveLength(0);
});
