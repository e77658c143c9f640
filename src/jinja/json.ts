import { points } from "./characters.ts";
import { fail } from "./fault.ts";
import { floatText, intText, numberOf } from "./numbers.ts";
import { binary, listOf, ordered, truth } from "./operators.ts";
import { Dict, type Env, isList, textOf, Tuple, typeName, type Value } from "./values.ts";

const DEEPEST = 500;

export interface JsonOptions {
  readonly ascii: boolean;
  readonly indent: string | undefined;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

/** Reads the arguments of transformers' `tojson`. */
export function jsonOptions(
  [ascii, indent, separators, sortKeys]: readonly (Value | undefined)[],
  env: Env,
): JsonOptions {
  const step = indent === undefined || indent === null ? undefined : indentText(indent, env);
  const given = separators === undefined || separators === null ? undefined : listOf(separators, env);
  if (given !== undefined && given.length !== 2) fail("separators of tojson are two texts");
  const [item, key] = given?.map((part) => textOf(part) ?? fail("separators of tojson are two texts")) ?? [];
  return {
    ascii: ascii !== undefined && truth(ascii),
    indent: step,
    itemSeparator: item ?? (step === undefined ? ", " : ","),
    keySeparator: key ?? ": ",
    sortKeys: sortKeys !== undefined && truth(sortKeys),
  };
}

function indentText(indent: Value, env: Env): string {
  const text = textOf(indent);
  if (text !== undefined) return text;
  const width = numberOf(indent);
  if (typeof width !== "bigint") return fail("the indent of tojson is an integer or a text");
  return binary("*", " ", width, env) as string;
}

/** `json.dumps(value, …)` */
export function dumps(value: Value, options: JsonOptions, env: Env, depth = 0): string {
  if (depth > DEEPEST) fail("maximum recursion depth exceeded");
  env.budget.step();
  const text = textOf(value);
  if (text !== undefined) {
    env.budget.make(text.length);
    return jsonText(text, options.ascii);
  }
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return intText(value);
  if (typeof value === "number") return jsonFloat(value);
  const separator = options.itemSeparator;
  const wrap = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    const inner = options.indent === undefined ? "" : `\n${options.indent.repeat(depth + 1)}`;
    const outer = options.indent === undefined ? "" : `\n${options.indent.repeat(depth)}`;
    env.budget.make(parts.length * (inner.length + separator.length) + outer.length);
    return open + inner + parts.join(separator + inner) + outer + close;
  };
  if (isList(value) || value instanceof Tuple) {
    const items = isList(value) ? value : value.items;
    return wrap(
      "[",
      items.map((item) => dumps(item, options, env, depth + 1)),
      "]",
    );
  }
  if (value instanceof Dict) {
    const entries = options.sortKeys
      ? value.entries().toSorted(([a], [b]) => (ordered(a, "<", b, env) ? -1 : ordered(b, "<", a, env) ? 1 : 0))
      : value.entries();
    const parts = entries.map(
      ([key, item]) => jsonKey(key, options) + options.keySeparator + dumps(item, options, env, depth + 1),
    );
    return wrap("{", parts, "}");
  }
  return fail(`Object of type ${typeName(value)} is not JSON serializable`);
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return floatText(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

function jsonKey(key: Value, { ascii }: JsonOptions): string {
  const text = textOf(key);
  if (text !== undefined) return jsonText(text, ascii);
  if (key === null) return '"null"';
  if (typeof key === "boolean") return `"${String(key)}"`;
  if (typeof key === "bigint") return `"${intText(key)}"`;
  if (typeof key === "number") return `"${jsonFloat(key)}"`;
  return fail(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
  "\b": "\\b",
};

function jsonText(text: string, ascii: boolean): string {
  const unit = (c: string): string => SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const plain = text.replace(/["\\\p{Cc}]/gu, (c) => (c < " " || c === '"' || c === "\\" ? unit(c) : c));
  if (!ascii) return `"${plain}"`;
  return `"${points(plain)
    .map((c) => (c <= "~" || c === "\x7f" ? c : c.split("").map(unit).join("")))
    .join("")}"`;
}
