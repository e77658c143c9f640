import { Budget, type Limits } from "./budget.ts";
import { fail, refuse } from "./fault.ts";
import { FILTERS } from "./filters/registry.ts";
import { globals } from "./globals.ts";
import { undeclared } from "./names.ts";
import { parse } from "./parser.ts";
import { type Generation, Renderer } from "./renderer.ts";
import { analyse } from "./scopes.ts";
import { TESTS } from "./tests.ts";
import { type Env, fromJson, type Value } from "./values.ts";

export interface RenderOptions {
  /** What `strftime_now` reads. Without it there is no `strftime_now`. */
  readonly clock?: (() => Date) | undefined;
  readonly limits?: Limits | undefined;
}

export interface Rendering {
  readonly text: string;
  /** The parts between `{% generation %}` and its end; undefined where one is within a macro or a block of text. */
  readonly generations: readonly Generation[] | undefined;
}

/** A chat template, parsed once. */
export interface JinjaTemplate {
  /**
   * Writes the template's text. `variables` are parsed JSON: a whole number is an int, undefined is not there.
   *
   * @throws TemplateFault where Jinja ends with an error, for what is not supported, and at a limit.
   */
  render(variables: Readonly<Record<string, unknown>>, options?: RenderOptions): Rendering;
}

const knows = (kind: "filter" | "test", name: string): boolean => (kind === "filter" ? FILTERS : TESTS).has(name);

/** Parses a template as transformers sets Jinja up. @throws TemplateFault for a template that Jinja does not parse. */
export function parseTemplate(source: string): JinjaTemplate {
  const statements = parse(source);
  if (undeclared(statements, ["self"]).size > 0) refuse("`self`, the blocks of a template,");
  const scopes = analyse(statements, knows);
  return {
    render(variables, { clock, limits } = {}) {
      const env: Env = {
        budget: new Budget(limits),
        clock,
        filter: (name, value, given) =>
          (FILTERS.get(name) ?? fail(`No filter named '${name}' found.`))(value, given, env),
        test: (name, value, given) => (TESTS.get(name) ?? fail(`No test named '${name}' found.`))(value, given, env),
        knows,
      };
      const context = new Map<string, Value>(globals(clock));
      for (const [name, value] of Object.entries(variables))
        if (value !== undefined) context.set(name, fromJson(value));
      const renderer = new Renderer(scopes, context, env);
      const text = renderer.render(statements);
      return { text, generations: renderer.generationsLost ? undefined : renderer.generations };
    },
  };
}
