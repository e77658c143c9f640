import { bind, intArgument, optionalText, textArgument } from "./arguments.ts";
import * as chars from "./characters.ts";
import { fail } from "./fault.ts";
import { iterate } from "./operators.ts";
import { str } from "./text.ts";
import { type Args, Dict, type Env, Markup, textOf, Tuple, typeName, type Value } from "./values.ts";

/** A method of str. `given` counts in code points, as in Python. */
export type StringMethod = (text: string, given: Args, env: Env) => Value;

const every = (text: string, holds: (c: string) => boolean): boolean => text !== "" && chars.points(text).every(holds);

function plain(name: string, make: (text: string) => Value): [string, StringMethod] {
  return [
    name,
    (text, given) => {
      bind(name, "", given);
      return make(text);
    },
  ];
}

function window(text: string, start: Value | undefined, end: Value | undefined, called: string): [number, number] {
  const size = chars.length(text);
  const bound = (value: Value | undefined, missing: number): number => {
    const index = value === null ? missing : intArgument(value, missing, called);
    return Math.max(index < 0 ? index + size : index, 0);
  };
  return [bound(start, 0), Math.min(bound(end, size), size)];
}

/** The first or last place of a part within a window of the text; -1 where there is none. */
function place(name: string, last: boolean, missing?: string): [string, StringMethod] {
  return [
    name,
    (text, given) => {
      const [part, start, end] = bind(name, "sub start= end= /", given);
      const wanted = textArgument(part, name);
      const [from, to] = window(text, start, end, name);
      const inside = chars.slice(text, from, Math.max(to, from));
      const unit = from > to ? -1 : last ? inside.lastIndexOf(wanted) : inside.indexOf(wanted);
      if (unit === -1 && missing !== undefined) fail(missing);
      return unit === -1 ? -1n : BigInt(from + chars.pointIndex(inside, unit));
    },
  ];
}

function edge(name: string, atStart: boolean): [string, StringMethod] {
  return [
    name,
    (text, given) => {
      const [part, start, end] = bind(name, "prefix start= end= /", given);
      const wanted = part instanceof Tuple ? part.items : [part!];
      const [from, to] = window(text, start, end, name);
      const inside = from > to ? undefined : chars.slice(text, from, to);
      return wanted.some((item) => {
        const piece = textArgument(item, name);
        return inside !== undefined && (atStart ? inside.startsWith(piece) : inside.endsWith(piece));
      });
    },
  ];
}

function strip(name: string, make: (text: string, set?: string) => string): [string, StringMethod] {
  return [
    name,
    (text, given) => {
      const [set] = bind(name, "chars= /", given);
      return make(text, optionalText(set, name));
    },
  ];
}

function padded(
  name: string,
  make: (missing: number, width: number, fill: string) => [string, string],
): [string, StringMethod] {
  return [
    name,
    (text, given, env) => {
      const [width, fillGiven] = bind(name, "width fillchar= /", given);
      const fill = fillGiven === undefined ? " " : textArgument(fillGiven, name);
      if (chars.length(fill) !== 1) fail("The fill character must be exactly one character long");
      const wide = intArgument(width, 0, name);
      const missing = wide - chars.length(text);
      if (missing <= 0) return text;
      env.budget.make(wide);
      const [before, after] = make(missing, wide, fill);
      return before + text + after;
    },
  ];
}

/** Splits at white space, or at a separator, at most so many times (-1: everywhere). */
function split(text: string, separator: string | undefined, most: number, fromEnd: boolean): string[] {
  const limit = most < 0 ? Infinity : most;
  if (separator === undefined) {
    const words = chars.words(text);
    if (words.length <= limit || words.length === 0) return words.map((word) => word.text);
    if (fromEnd) {
      const kept = words.slice(words.length - limit);
      const last = words[words.length - limit - 1]!;
      return [text.slice(0, last.start + last.text.length), ...kept.map((word) => word.text)];
    }
    return [...words.slice(0, limit).map((word) => word.text), text.slice(words[limit]!.start)];
  }
  if (separator === "") fail("empty separator");
  const parts = text.split(separator);
  if (parts.length - 1 <= limit) return parts;
  return fromEnd
    ? [parts.slice(0, parts.length - limit).join(separator), ...parts.slice(parts.length - limit)]
    : [...parts.slice(0, limit), parts.slice(limit).join(separator)];
}

function splitting(name: string, fromEnd: boolean): [string, StringMethod] {
  return [
    name,
    (text, given, env) => {
      const [separator, most] = bind(name, "sep= maxsplit=", given);
      const parts = split(text, optionalText(separator, name), intArgument(most, -1, name), fromEnd);
      env.budget.step(parts.length);
      return parts;
    },
  ];
}

function partition(name: string, last: boolean): [string, StringMethod] {
  return [
    name,
    (text, given) => {
      const separator = textArgument(bind(name, "sep /", given)[0], name);
      if (separator === "") fail("empty separator");
      const at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
      if (at === -1) return new Tuple(last ? ["", "", text] : [text, "", ""]);
      return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
    },
  ];
}

/** Replaces at most `count` (-1: all) places of a part, the empty one at each boundary of characters. */
export function replace(text: string, part: string, by: string, count: number, env: Env): string {
  const parts = part === "" ? ["", ...chars.points(text), ""] : text.split(part);
  const places = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  env.budget.step(parts.length);
  env.budget.make(text.length + places * by.length);
  const changed = parts.slice(0, places + 1).join(by);
  return places === parts.length - 1 ? changed : changed + part + parts.slice(places + 1).join(part);
}

/** `str.title`: upper case after each character that has no case. */
function title(text: string): string {
  let out = "";
  let before = false;
  for (const [i, c] of chars.points(text).entries()) {
    // The form of a final sigma depends on its place in the whole text.
    out += before ? (c === "Σ" ? finalSigma(text, i) : c.toLowerCase()) : chars.titleCase(c);
    before = chars.isCased(c);
  }
  return out;
}

function finalSigma(text: string, at: number): string {
  return chars.points(text.toLowerCase())[at] ?? "σ";
}

function capitalize(text: string): string {
  const [first] = chars.points(text);
  return first === undefined ? "" : chars.titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

function isTitle(text: string): boolean {
  let before = false;
  let any = false;
  for (const c of chars.points(text)) {
    const high = chars.isUpper(c) || chars.isTitle(c);
    if (high ? before : chars.isLower(c) && !before) return false;
    before = chars.isCased(c);
    any ||= before;
  }
  return any;
}

const oneCase = (text: string, wrong: (c: string) => boolean, right: (c: string) => boolean): boolean => {
  const list = chars.points(text);
  return !list.some((c) => wrong(c) || chars.isTitle(c)) && list.some(right);
};

const swapCase = (text: string): string =>
  chars
    .points(text)
    .map((c) => (chars.isUpper(c) ? c.toLowerCase() : chars.isLower(c) ? c.toUpperCase() : c))
    .join("");

/** The methods of str but `format` and `format_map`, which look values up, and those that make bytes or tables. */
export const STRING_METHODS: ReadonlyMap<string, StringMethod> = new Map<string, StringMethod>([
  plain("upper", (text) => text.toUpperCase()),
  plain("lower", (text) => text.toLowerCase()),
  plain("title", title),
  plain("capitalize", capitalize),
  plain("swapcase", swapCase),
  plain("isalpha", (text) => every(text, chars.isAlpha)),
  plain("isdigit", (text) => every(text, chars.isDigit)),
  plain("isdecimal", (text) => every(text, chars.isDecimal)),
  plain("isnumeric", (text) => every(text, chars.isNumeric)),
  plain("isalnum", (text) => every(text, chars.isAlphanumeric)),
  plain("isspace", (text) => chars.isSpace(text)),
  plain("isprintable", (text) => chars.isPrintable(text)),
  plain("isascii", (text) => /^[\0-\x7f]*$/.test(text)),
  plain("isidentifier", (text) => /^[\p{XID_Start}_]\p{XID_Continue}*$/u.test(text)),
  plain("islower", (text) => oneCase(text, chars.isUpper, chars.isLower)),
  plain("isupper", (text) => oneCase(text, chars.isLower, chars.isUpper)),
  plain("istitle", isTitle),
  strip("strip", (text, set) => chars.stripEnd(chars.stripStart(text, set), set)),
  strip("lstrip", chars.stripStart),
  strip("rstrip", chars.stripEnd),
  place("find", false),
  place("rfind", true),
  place("index", false, "substring not found"),
  place("rindex", true, "substring not found"),
  edge("startswith", true),
  edge("endswith", false),
  splitting("split", false),
  splitting("rsplit", true),
  partition("partition", false),
  partition("rpartition", true),
  padded("ljust", (missing, _, fill) => ["", fill.repeat(missing)]),
  padded("rjust", (missing, _, fill) => [fill.repeat(missing), ""]),
  padded("center", (missing, width, fill) => {
    const before = (missing >> 1) + (missing & width & 1);
    return [fill.repeat(before), fill.repeat(missing - before)];
  }),
  [
    "zfill",
    (text, given, env) => {
      const width = intArgument(bind("zfill", "width /", given)[0], 0, "zfill");
      const missing = Math.max(width - chars.length(text), 0);
      env.budget.make(missing);
      const sign = /^[+-]/.exec(text)?.[0] ?? "";
      return sign + "0".repeat(missing) + text.slice(sign.length);
    },
  ],
  [
    "expandtabs",
    (text, given, env) => {
      const size = intArgument(bind("expandtabs", "tabsize=", given)[0], 8, "expandtabs");
      let column = 0;
      const out = chars.points(text).map((c) => {
        const width = size > 0 ? size - (column % size) : 0;
        if (c === "\t") env.budget.make(width);
        column = c === "\n" || c === "\r" ? 0 : column + (c === "\t" ? width : 1);
        return c === "\t" ? " ".repeat(width) : c;
      });
      return out.join("");
    },
  ],
  [
    "count",
    (text, given) => {
      const [part, start, end] = bind("count", "sub start= end= /", given);
      const wanted = textArgument(part, "count");
      const [from, to] = window(text, start, end, "count");
      if (from > to) return 0n;
      const inside = chars.slice(text, from, to);
      return BigInt(wanted === "" ? chars.length(inside) + 1 : inside.split(wanted).length - 1);
    },
  ],
  [
    "replace",
    (text, given, env) => {
      const [part, by, count] = bind("replace", "old new count= /", given);
      const most = intArgument(count, -1, "replace");
      return replace(text, textArgument(part, "replace"), textArgument(by, "replace"), most, env);
    },
  ],
  [
    "splitlines",
    (text, given, env) => {
      const [keep] = bind("splitlines", "keepends=", given);
      const parts = chars.lines(text, keep !== undefined && intArgument(keep, 0, "splitlines") !== 0);
      env.budget.step(parts.length);
      return parts;
    },
  ],
  [
    "join",
    (text, given, env) => {
      const [items] = bind("join", "iterable /", given);
      const parts: string[] = [];
      for (const item of iterate(items!)) {
        const part = textOf(item);
        if (part === undefined) fail(`sequence item ${parts.length}: expected str instance, ${typeName(item)} found`);
        env.budget.make(part.length + text.length);
        env.budget.step();
        parts.push(part);
      }
      return parts.join(text);
    },
  ],
  [
    "removeprefix",
    (text, given) => {
      const part = textArgument(bind("removeprefix", "prefix /", given)[0], "removeprefix");
      return text.startsWith(part) ? text.slice(part.length) : text;
    },
  ],
  [
    "removesuffix",
    (text, given) => {
      const part = textArgument(bind("removesuffix", "suffix /", given)[0], "removesuffix");
      return text.endsWith(part) ? text.slice(0, text.length - part.length) : text;
    },
  ],
]);

/** Methods that give a safe text again where they are called on one, without arguments to escape. */
const KEEP_MARKUP = new Set(["upper", "lower", "title", "capitalize", "swapcase", "strip", "lstrip", "rstrip"]);
const READ_MARKUP = /^is|^(find|rfind|index|rindex|count|startswith|endswith)$/;

/** Calls a method of a text that is marked as safe; undefined where it would escape its arguments. */
export function markupMethod(name: string, text: string, given: Args, env: Env): Value | undefined {
  const method = STRING_METHODS.get(name);
  if (method === undefined) return undefined;
  if (READ_MARKUP.test(name)) return method(text, given, env);
  return KEEP_MARKUP.has(name) ? new Markup(method(text, given, env) as string) : undefined;
}

export function namedOf(mapping: Value): Args {
  if (!(mapping instanceof Dict)) return fail("format_map() takes a mapping");
  return { positional: [], named: new Map(mapping.entries().map(([key, value]) => [str(key), value])) };
}
