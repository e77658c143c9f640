import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
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
    const made = outcome(() => parseTemplate(template).render(context, { clock: () => new Date() }));
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
  expect({ equal, refused: refused.length }).toEqual({ equal: 1361, refused: 27 });
});
