import type { z } from "zod";
import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import type { Part } from "./apply-setting.ts";
import { camelCase, otherName } from "./other-names.ts";
import { keysOf, propertiesOf, schemaAt, typeText, type JsonSchema } from "./json-schema.ts";
import { experimentJsonSchema } from "./schema.ts";

/** A mistake, without its place, and a way to correct it. */
export interface Problem {
  readonly message: string;
  readonly hint?: string | undefined;
  /** The setting, if the mistake is in one. */
  readonly path?: readonly PropertyKey[] | undefined;
  /** Default: its value. */
  readonly part?: Part | undefined;
  /** The setting that an unknown key most likely means. */
  readonly means?: string | undefined;
  /** The setting that is not there. */
  readonly missing?: string | undefined;
}

/** Settings that name a thing which a plugin may add. */
const OF_PLUGINS = /^(federation\.algorithm|objective\.name|evaluation\.benchmarks\[\d+\]\.name)$/;

/** Every key is compared with all legal ones, so only so many mistakes are explained. */
const MOST_EXPLAINED = 50;

/**
 * Explains the mistakes that a schema finds in a value, each with the nearest legal key or the legal values. Unknown keys
 * come first: a misspelt key is the reason why another is missing, which is then left out. `schema` is the JSON Schema of
 * the whole value. `total` counts those beyond what is explained, too.
 */
export function explainEach(
  issues: readonly z.core.$ZodIssue[],
  root: unknown,
  schema: JsonSchema = experimentJsonSchema(),
): { readonly problems: readonly Problem[]; readonly total: number } {
  const keys = issues.flatMap((issue) => {
    // In the issue of a record the unknown key is the end of the path.
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ path: issue.path, key }));
    if (issue.code === "invalid_key") return [{ path: issue.path.slice(0, -1), key: String(issue.path.at(-1)) }];
    return [];
  });
  const unknown = keys.slice(0, MOST_EXPLAINED).map(({ path, key }) => unknownKey(path, key, schema));
  const meant = unknown.flatMap(({ means }) => means ?? []);
  const others = issues.filter(({ code }) => code !== "unrecognized_keys" && code !== "invalid_key");
  const explained = others.slice(0, MOST_EXPLAINED).map((issue) => explain(issue, root, schema));
  const left = explained.filter(({ missing: key }) => key === undefined || !meant.some((name) => within(name, key)));
  const problems = [...unknown, ...left];
  const total = keys.length + others.length - (explained.length - left.length);
  return { problems, total };
}

/** The first of the mistakes in a value, with the number of the others. */
export function explainAll(...given: Parameters<typeof explainEach>): Problem {
  const { problems, total } = explainEach(...given);
  const { message, ...where } = problems[0]!;
  const more = total - 1;
  return {
    ...where,
    message: more === 0 ? message : `${message} (and ${more} more ${more === 1 ? "mistake" : "mistakes"})`,
  };
}

/** True where one dotted key is the other or stands in it. */
function within(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

function explain(issue: z.core.$ZodIssue, root: unknown, whole: JsonSchema): Problem {
  const got = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part], root);
  if (got === undefined) return missing(issue.path, whole);
  const { path } = issue;
  const schema = schemaAt(path, whole) ?? {};
  const message = `${dotted(path)} is ${shown(got)}, expected ${expected(issue, schema)}`;
  if (got === null) return { path, message, hint: "Give it a value, or remove the key to get its default." };
  const near = typeof got === "string" ? nearest(got, schema.enum?.map(String) ?? []) : undefined;
  const other = OF_PLUGINS.test(dotted(path)) ? "One of a file of your own needs --plugin FILE." : settingsText(schema);
  return { path, message, hint: near === undefined ? other : `Did you mean '${near}'?` };
}

function expected(issue: z.core.$ZodIssue, schema: JsonSchema): string {
  if (issue.code === "too_small" && issue.origin === "array") return "at least one entry";
  if (issue.code === "too_small" && issue.origin === "string") return "a text that is not empty";
  if (issue.code === "too_big" && issue.origin === "string") return `at most ${issue.maximum} characters`;
  if (issue.code === "too_big" && issue.inclusive) return `at most ${issue.maximum}`;
  if (issue.code === "custom" && issue.message.startsWith("expected ")) return issue.message.slice("expected ".length);
  const type = typeText(schema);
  return (schema.enum?.length ?? 0) > 1 ? `one of ${type}` : type;
}

function missing(path: readonly PropertyKey[], whole: JsonSchema): Problem {
  const schema = schemaAt(path, whole) ?? {};
  const [inside] = schema.required ?? [];
  if (inside !== undefined) return missing([...path, inside], whole);
  const key = dotted(path);
  return {
    path,
    part: "key",
    missing: key,
    message: `${key} is missing`,
    hint: schema.description ?? settingsText(schema),
  };
}

function settingsText(section: JsonSchema): string | undefined {
  const keys = keysOf(section);
  return keys.length === 0 ? undefined : `Its settings: ${keys.join(", ")}.`;
}

/** Explains a key that no setting has. `whole` is the JSON Schema of the whole value. */
export function unknownKey(
  path: readonly PropertyKey[],
  key: string,
  whole: JsonSchema = experimentJsonSchema(),
): Problem {
  const legal = keysOf(schemaAt(path, whole));
  const here = nearest(key, legal);
  // The outermost setting of a name comes last, so that it wins.
  const all = pathsOf(whole).sort((a, b) => b.split(".").length - a.split(".").length);
  const everywhere = new Map(all.map((full) => [full.split(".").at(-1)!, full]));
  const there = (name: string): string | undefined =>
    legal.includes(name) ? dotted([...path, name]) : everywhere.get(name);
  // Of a configuration only: a request to the server has settings of its own.
  const isOurs = there(key) !== undefined;
  const other = !isOurs && all.includes("adapter.rank") ? otherName(key) : undefined;
  const foreign = other?.setting !== undefined && all.includes(other.setting) ? other.setting : undefined;
  const guess =
    there(key) ??
    there(camelCase(key)) ??
    foreign ??
    (here === undefined ? everywhere.get(nearest(key, everywhere.keys()) ?? "") : dotted([...path, here]));
  const said = { path: [...path, key], part: "key", message: `unknown key '${dotted([...path, key])}'` } as const;
  if (other !== undefined && (foreign !== undefined ? guess === foreign : other.about !== undefined)) {
    const about = other.about ?? schemaAt(foreign!.split("."), whole)?.description?.split(/(?<=\.) /)[0] ?? "";
    const hint = foreign === undefined ? about : `${whose(other.program)}'${key}' is ${foreign} here. ${about}`.trim();
    return { ...said, hint, means: foreign };
  }
  return {
    ...said,
    hint: guess === undefined ? `Legal here: ${legal.join(", ")}.` : `Did you mean '${guess}'?`,
    means: guess,
  };
}

/** `PEFT's `, `transformers' `; nothing for a name of several programs. */
function whose(program: string): string {
  if (program === "") return "";
  return program.endsWith("s") ? `${program}' ` : `${program}'s `;
}

/** Lists the keys under a part of the schema, as the documentation writes them. */
function pathsOf(schema: JsonSchema | undefined, prefix = ""): string[] {
  return Object.entries(propertiesOf(schema) ?? {}).flatMap(([key, inner]) => [
    `${prefix}${key}`,
    ...pathsOf(inner, `${prefix}${key}.`),
    ...pathsOf(inner.items, `${prefix}${key}[].`),
  ]);
}

function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${excerpt(String(part))}`))
    .join("");
}

const LONGEST_SHOWN = 60;

function shown(value: unknown): string {
  if (value === null) return "empty (null)";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return excerpt(text, LONGEST_SHOWN + 1);
}
