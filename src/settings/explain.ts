import type { z } from "zod";
import { excerpt } from "../diagnostics/excerpt.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { keysOf, propertiesOf, schemaAt, typeText, type JsonSchema } from "./json-schema.ts";
import { experimentJsonSchema } from "./schema.ts";

/** A mistake, without its place, and a way to correct it. */
export interface Problem {
  readonly message: string;
  readonly hint?: string | undefined;
  /** The setting, if the mistake is in one. */
  readonly path?: readonly PropertyKey[] | undefined;
}

/**
 * Explains the first mistake that a schema finds in a value, with the nearest legal key or the legal values, and counts
 * the others. Unknown keys come first. `schema` is the JSON Schema of the whole value.
 */
export function explainAll(
  issues: readonly z.core.$ZodIssue[],
  root: unknown,
  schema: JsonSchema = experimentJsonSchema(),
): Problem {
  // A misspelt key is the reason why another is missing.
  const first = issues.find(({ code }) => code === "unrecognized_keys" || code === "invalid_key") ?? issues[0]!;
  const { message, ...where } = explain(first, root, schema);
  const more = issues.length - 1;
  return {
    ...where,
    message: more === 0 ? message : `${message} (and ${more} more ${more === 1 ? "mistake" : "mistakes"})`,
  };
}

function explain(issue: z.core.$ZodIssue, root: unknown, whole: JsonSchema): Problem {
  // In the issue of a record the unknown key is the end of the path.
  if (issue.code === "unrecognized_keys") return unknownKey(issue.path, issue.keys[0]!, whole);
  if (issue.code === "invalid_key") return unknownKey(issue.path.slice(0, -1), String(issue.path.at(-1)), whole);
  const got = issue.path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part], root);
  if (got === undefined) return missing(issue.path, whole);
  const { path } = issue;
  const schema = schemaAt(path, whole) ?? {};
  const message = `${dotted(path)} is ${shown(got)}, expected ${expected(issue, schema)}`;
  if (got === null) return { path, message, hint: "Give it a value, or remove the key to get its default." };
  const near = typeof got === "string" ? nearest(got, schema.enum?.map(String) ?? []) : undefined;
  return { path, message, hint: near === undefined ? settingsText(schema) : `Did you mean '${near}'?` };
}

function expected(issue: z.core.$ZodIssue, schema: JsonSchema): string {
  if (issue.code === "too_small" && issue.origin === "array") return "at least one entry";
  if (issue.code === "too_small" && issue.origin === "string") return "a text that is not empty";
  if (issue.code === "too_big" && issue.origin === "string") return `at most ${issue.maximum} characters`;
  if (issue.code === "too_big" && issue.inclusive) return `at most ${issue.maximum}`;
  const type = typeText(schema);
  return (schema.enum?.length ?? 0) > 1 ? `one of ${type}` : type;
}

function missing(path: readonly PropertyKey[], whole: JsonSchema): Problem {
  const schema = schemaAt(path, whole) ?? {};
  const [inside] = schema.required ?? [];
  if (inside !== undefined) return missing([...path, inside], whole);
  return { path, message: `${dotted(path)} is missing`, hint: schema.description ?? settingsText(schema) };
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
  const guess =
    everywhere.get(key) ??
    (here === undefined ? everywhere.get(nearest(key, everywhere.keys()) ?? "") : dotted([...path, here]));
  return {
    path: [...path, key],
    message: `unknown key '${dotted([...path, key])}'`,
    hint: guess === undefined ? `Legal here: ${legal.join(", ")}.` : `Did you mean '${guess}'?`,
  };
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
