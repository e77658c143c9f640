import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { TemplateFault } from "./fault.ts";
import { parseTemplate, type Rendering } from "./template.ts";

interface Case {
  readonly template: string;
  readonly text?: string;
  /** Python's class of error. */
  readonly error?: string;
}

interface Golden {
  readonly context: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
}

const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/golden/templates/${file}`, import.meta.url), "utf8"));

/** That of the script. */
const CLOCK = (): Date => new Date(2026, 10, 29, 9, 5, 7);

/** What is made of a template: its text, or why there is none. */
function outcome(render: () => Rendering): { text: string } | { fault: TemplateFault } {
  try {
    return { text: render().text };
  } catch (error) {
    if (error instanceof TemplateFault) return { fault: error };
    throw error;
  }
}

test("expressions and statements give the text that transformers gives, or are refused by name", () => {
  const { context, cases } = read("expressions.json") as Golden;
  const refused: string[] = [];
  let equal = 0;
  for (const { template, text, error } of cases) {
    const made = outcome(() => parseTemplate(template).render(context, { clock: CLOCK }));
    if ("fault" in made && made.fault.kind === "refused") {
      expect(made.fault.message).toMatch(/is not supported$/);
      refused.push(template);
    } else if (error !== undefined) {
      expect(made, template).toHaveProperty("fault");
      equal++;
    } else {
      expect(made, template).toEqual({ text });
      equal++;
    }
  }
  expect({ equal, refused: refused.length }).toEqual({ equal: 1373, refused: 30 });
});

interface Conversation {
  readonly messages: readonly { readonly role: string; readonly content: unknown }[];
  readonly tools?: readonly unknown[];
  readonly add_generation_prompt?: boolean;
  readonly continue_final_message?: boolean;
  readonly variables?: Readonly<Record<string, unknown>>;
}

interface Families {
  readonly special_tokens: Readonly<Record<string, string>>;
  readonly conversations: Readonly<Record<string, Conversation>>;
  readonly cases: readonly {
    readonly family: string;
    readonly conversation: string;
    readonly text?: string;
    readonly error?: string;
    /** Of `{% generation %}`, in code points. */
    readonly generations?: readonly (readonly [number, number])[];
  }[];
}

const { special_tokens: tokens, conversations, cases: familyCases } = read("families.json") as Families;
const families = [...new Set(familyCases.map(({ family }) => family))];

describe(`${families.length} families write their conversations as in transformers`, () => {
  test.each(families)("%s", (family) => {
    const source = readFileSync(
      new URL(`../../test/golden/templates/families/${family}.jinja`, import.meta.url),
      "utf8",
    );
    for (const { conversation: name, text, error, generations } of familyCases.filter(
      (each) => each.family === family,
    )) {
      const { messages, tools = null, variables, ...options } = conversations[name]!;
      // transformers itself has no text where the answer to continue is not in it.
      if (options.continue_final_message === true && error === "ValueError") continue;
      const made = outcome(() =>
        parseTemplate(source).render(
          {
            ...tokens,
            ...variables,
            tools,
            documents: null,
            messages: options.continue_final_message === true ? withTag(messages) : messages,
            add_generation_prompt: options.add_generation_prompt ?? false,
          },
          { clock: CLOCK },
        ),
      );
      if (error !== undefined) {
        expect(made, name).toHaveProperty("fault");
        continue;
      }
      if ("fault" in made) throw made.fault;
      expect(options.continue_final_message === true ? upToTag(made.text) : made.text, name).toBe(text);
      if (generations === undefined) continue;
      const characters = Array.from(text!);
      const unit = (point: number): number => characters.slice(0, point).join("").length;
      expect(
        parseTemplate(source).render({ ...tokens, tools, documents: null, messages }, { clock: CLOCK }).generations,
        name,
      ).toEqual(generations.map(([start, end]) => ({ start: unit(start), end: unit(end) })));
    }
  });
});

const TAG = "CONTINUE_FINAL_MESSAGE_TAG ";

function withTag(messages: Conversation["messages"]): Conversation["messages"] {
  return messages.map((message, i) =>
    i === messages.length - 1 ? { ...message, content: `${message.content as string}${TAG}` } : message,
  );
}

function upToTag(text: string): string {
  const at = text.lastIndexOf(TAG.trim());
  return text.startsWith(TAG, at) ? text.slice(0, at) : text.slice(0, at).trimEnd();
}

describe("templates from strangers", () => {
  const render = (source: string, limits = { steps: 1e5, characters: 1e6, milliseconds: 60_000 }): unknown =>
    outcome(() => parseTemplate(source).render({}, { limits }));

  test.each([
    ["{% for a in range(1000) %}{% for b in range(1000) %}{% endfor %}{% endfor %}", "it takes more than 100000 steps"],
    ["{{ 'x' * 2000000 }}", "it makes more than 1000000 characters of text"],
    ["{% for a in range(99) %}{{ 'x' * 99999 }}{% endfor %}", "it makes more than 1000000 characters of text"],
    ["{{ [0] * 2000000 }}", "it makes more than 1000000 characters of text"],
    ["{{ ('x' * 9999).replace('', 'y' * 9999) }}", "it makes more than 1000000 characters of text"],
    ["{{ 'x'.center(2000000) }}", "it makes more than 1000000 characters of text"],
    ["{{ '%2000000d' % 1 }}", "a width or precision of 2000000"],
    ["{{ 2 ** 2000000 }}", "an integer of more than 100000 bits is not supported"],
    ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros or loops call themselves more than 150 deep"],
    [`{{ ${"(".repeat(500)}1${")".repeat(500)} }}`, "expressions are nested deeper than 120"],
    [`${"{% if 1 %}".repeat(500)}x${"{% endif %}".repeat(500)}`, "tags are nested deeper than 60"],
  ])("%s ends by itself", (source, message) => {
    expect(render(source)).toMatchObject({ fault: { message } });
  });
});
