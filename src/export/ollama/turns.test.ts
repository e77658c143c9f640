import { describe, expect, test } from "vitest";
import type { Message } from "../../data/messages.ts";
import { TEMPLATES } from "../../data/template.ts";
import { goTemplate } from "./ollama.ts";
import { findTurns } from "./turns.ts";

const CHATML =
  "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const rendering = (chatTemplate: string) => (messages: readonly Message[]) =>
  TEMPLATES.chat.prompt(messages, { chatTemplate, bosToken: "<s>", eosToken: "</s>" });

/** Runs the part of Go's text/template that the export writes. */
function runGo(template: string, messages: readonly Message[]): string {
  const constant = (text: string): string => JSON.parse(text.replaceAll("\\x22", '\\"')) as string;
  const pieces = [...template.matchAll(/\{\{ (.*?) \}\}(?=\{\{|$)/gs)].map(([, action]) => action!);
  expect(pieces.map((action) => `{{ ${action} }}`).join("")).toBe(template);
  let out = "";
  /** Runs from a place to the matching `else` or `end`, writing or skipping; returns where it stopped. */
  const run = (from: number, message: Message | undefined, writes: boolean): number => {
    for (let at = from; ; at++) {
      const action = pieces[at];
      if (action === undefined || action === "end" || action.startsWith("else")) return at;
      if (action.startsWith("if ")) at = branch(at, action.slice(3), message, writes);
      else if (action === "range .Messages") {
        let end = at;
        for (const each of messages) end = run(at + 1, each, writes);
        at = end;
      } else if (writes && action.startsWith('"')) out += constant(action);
      else if (writes) out += (action.startsWith("(index") ? messages[0]! : message!).content;
    }
  };
  const branch = (at: number, condition: string, message: Message | undefined, writes: boolean): number => {
    const [, subject, role] = /^eq (.*)\.Role "(\w+)"$/.exec(condition)!;
    const holds = (subject === "" ? message! : messages[0]!).role === role;
    const stop = run(at + 1, message, writes && holds);
    if (pieces[stop] === "end") return stop;
    const rest = pieces[stop]!.slice("else".length).trim();
    return rest === ""
      ? run(stop + 1, message, writes && !holds)
      : branch(stop, rest.slice(3), message, writes && !holds);
  };
  run(0, undefined, true);
  return out;
}

const CASES: readonly (readonly [string, string])[] = [
  ["ChatML", CHATML],
  [
    "a default system message",
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}" + CHATML,
  ],
  [
    "Llama 2 without a system message",
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}{% else %}{{ raise_exception('no system') }}{% endif %}{% endfor %}",
  ],
  ["quotation marks and braces", CHATML.replaceAll("<|im_start|>", '<\\"{{\\"\\"\\" ')],
];

describe("a Go template", () => {
  test.each(CASES)("writes what the template writes: %s", (_title, chatTemplate) => {
    const render = rendering(chatTemplate);
    const turns = findTurns(render, "base");
    const go = goTemplate(turns);
    expect(go).not.toContain('"""');
    const talk: Message[] = [
      { role: "user", content: ' What is 1 < 2 & "three"?\n' },
      { role: "assistant", content: "{{ true }} — ja, natürlich" },
      { role: "user", content: "And then?" },
    ];
    expect(runGo(go, talk)).toBe(render(talk));
    if (turns.system === undefined) return;
    const asked: Message[] = [{ role: "system", content: "Be brief." }, ...talk];
    expect(runGo(go, asked)).toBe(render(asked));
  });
});

test.each([
  ["that trims turns", CHATML.replace("m['content']", "m['content'].strip()"), /puts? text around turns/],
  ["that counts turns", CHATML.replace("m['role']", "(loop.index|string)"), /puts? text around turns/],
  [
    "that leaves out answers",
    CHATML.replace("{{ '<|im", "{% if m['role'] != 'assistant' %}{{ '<|im").replace(
      "{% endfor",
      "{% endif %}{% endfor",
    ),
    /each turn once/,
  ],
])("a template %s is refused by name", (_title, chatTemplate, message) => {
  expect(() => findTurns(rendering(chatTemplate), "base")).toThrow(message);
  expect(() => findTurns(rendering(chatTemplate), "base")).toThrow("the chat template of base");
});
