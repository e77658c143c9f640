import { intArgument, optionalText } from "../arguments.ts";
import * as chars from "../characters.ts";
import { fail, refuse } from "../fault.ts";
import { dumps, jsonOptions } from "../json.ts";
import { binary, iterate, isIterable, ordered, sizeOf, truth } from "../operators.ts";
import { percentFormat } from "../percent-format.ts";
import { replace, STRING_METHODS } from "../string-methods.ts";
import { escapeHtml, repr, str } from "../text.ts";
import { Dict, type Env, isList, Markup, textOf, Tuple, Undefined, type Value } from "../values.ts";
import { type Filter, filter } from "./filter.ts";

/** Keeps the mark of safe text. */
function likewise(value: Value, make: (text: string) => string): Value {
  return value instanceof Markup ? new Markup(make(value.text)) : make(str(value));
}

function method(name: string, given: (Value | undefined)[] = []): (value: Value, env: Env) => Value {
  return (value, env) => {
    const positional = given.filter((item) => item !== undefined);
    const made = STRING_METHODS.get(name)!(str(value), { positional, named: new Map() }, env);
    return value instanceof Markup && typeof made === "string" ? new Markup(made) : made;
  };
}

const WORD_STARTS = new RegExp(`([-${chars.SPACE}({\\[<]+)`);

/** `re.split` at the starts of words, each of which begins with a capital. */
function title(text: string): string {
  return text
    .split(WORD_STARTS)
    .filter((part) => part !== "")
    .map((part) => {
      const [first, ...rest] = chars.points(part);
      return first!.toUpperCase() + rest.join("").toLowerCase();
    })
    .join("");
}

function indent(value: Value, given: readonly (Value | undefined)[], env: Env): Value {
  const [width, first, blank] = given;
  const text = textOf(value);
  if (text === undefined) return value instanceof Undefined ? fail(value.message) : fail("indent takes a str");
  const unit = width === undefined ? "    " : (textOf(width) ?? (binary("*", " ", width, env) as string));
  const lines = chars.lines(`${text}\n`);
  env.budget.make(text.length + lines.length * unit.length);
  env.budget.step(lines.length);
  const everyLine = blank !== undefined && truth(blank);
  const rest = lines.slice(1).map((line) => (line === "" && !everyLine ? line : unit + line));
  const out = [lines[0]!, ...rest].join("\n");
  return likewise(value, () => (first !== undefined && truth(first) ? unit + out : out));
}

function truncate(value: Value, given: readonly (Value | undefined)[]): Value {
  const [size, kill, endGiven, leewayGiven] = given;
  const end = endGiven === undefined ? "..." : str(endGiven);
  const length = intArgument(size, 255, "truncate");
  const leeway = leewayGiven === null ? 5 : intArgument(leewayGiven, 5, "truncate");
  const tail = chars.length(end);
  if (length < tail) fail(`expected length >= ${tail}, got ${length}`);
  if (leeway < 0) fail(`expected leeway >= 0, got ${leeway}`);
  const own = sizeOf(value) ?? fail("truncate takes a str");
  if (own <= length + leeway) return value;
  const text = textOf(value) ?? refuse("truncate of what is no str");
  if (value instanceof Markup) return refuse("truncate of a text marked as safe");
  const cut = chars.slice(text, 0, length - tail);
  if (kill !== undefined && truth(kill)) return cut + end;
  const space = cut.lastIndexOf(" ");
  return (space === -1 ? cut : cut.slice(0, space)) + end;
}

/** `textwrap.wrap` of one line, without breaks at hyphens. */
function wrapLine(line: string, width: number, breakLong: boolean): string[] {
  if (width <= 0) fail(`invalid width ${width} (must be > 0)`);
  // textwrap knows ASCII white space only.
  const chunks = line.match(/[\t\n\v\f\r ]+|[^\t\n\v\f\r ]+/g)?.toReversed() ?? [];
  const isBlank = (chunk: string): boolean => /^[\t\n\v\f\r ]/.test(chunk);
  const out: string[] = [];
  while (chunks.length > 0) {
    const current: string[] = [];
    let used = 0;
    if (out.length > 0 && chars.isSpace(chunks.at(-1)!)) chunks.pop();
    while (chunks.length > 0) {
      const size = chars.length(chunks.at(-1)!);
      if (used + size > width) break;
      current.push(chunks.pop()!);
      used += size;
    }
    if (chunks.length > 0 && chars.length(chunks.at(-1)!) > width) {
      const long = chunks.pop()!;
      if (breakLong) {
        const room = width - used;
        current.push(chars.slice(long, 0, room));
        chunks.push(chars.slice(long, room));
      } else if (current.length === 0) current.push(long);
      else chunks.push(long);
    }
    if (current.length > 0 && isBlank(current.at(-1)!)) current.pop();
    if (current.length > 0) out.push(current.join(""));
  }
  return out;
}

function wordwrap(value: Value, given: readonly (Value | undefined)[], env: Env): Value {
  const [width, breakLong, wrapString, hyphens] = given;
  const text = textOf(value) ?? (value instanceof Undefined ? fail(value.message) : fail("wordwrap takes a str"));
  if (value instanceof Markup) return refuse("wordwrap of a text marked as safe");
  if ((hyphens === undefined || truth(hyphens)) && text.includes("-")) refuse("wordwrap at hyphens");
  const between = optionalText(wrapString, "wordwrap") ?? "\n";
  const size = intArgument(width, 79, "wordwrap");
  env.budget.step(text.length);
  env.budget.make(text.length * (1 + between.length));
  return chars
    .lines(text)
    .map((line) => wrapLine(line, size, breakLong === undefined || truth(breakLong)).join(between))
    .join(between);
}

const KEPT_IN_URLS = /[A-Za-z0-9_.~-]/;

function quote(value: Value, inQuery: boolean): string {
  const out = Array.from(new TextEncoder().encode(str(value)), (byte) => {
    const c = String.fromCharCode(byte);
    if (KEPT_IN_URLS.test(c) || (c === "/" && !inQuery)) return c;
    return inQuery && c === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return out.join("");
}

function urlencode(value: Value): Value {
  if (textOf(value) !== undefined || !isIterable(value)) return quote(value, false);
  const pairs = value instanceof Dict ? value.entries() : [...iterate(value)].map((pair) => [...iterate(pair)]);
  return pairs
    .map((pair) => {
      if (pair.length !== 2) fail("urlencode takes pairs of key and value");
      return `${quote(pair[0], true)}=${quote(pair[1], true)}`;
    })
    .join("&");
}

function xmlattr(value: Value, [autospace]: readonly (Value | undefined)[]): Value {
  if (!(value instanceof Dict))
    return value instanceof Undefined ? fail(value.message) : fail("xmlattr takes a mapping");
  const parts = value.entries().flatMap(([key, item]) => {
    if (item === null || item instanceof Undefined) return [];
    const name = textOf(key) ?? fail("expected string as a key of xmlattr");
    if (/[ \t-\r/>=]/.test(name)) fail(`Invalid character in attribute name: ${repr(key)}`);
    return [`${escapeHtml(key)}="${escapeHtml(item)}"`];
  });
  const out = parts.join(" ");
  return out !== "" && (autospace === undefined || truth(autospace)) ? ` ${out}` : out;
}

/** As `Markup.striptags`: comments, then tags, then white space, then entities. */
function striptags(value: Value): string {
  let text = str(value);
  for (let start = text.indexOf("<!--"); start !== -1; start = text.indexOf("<!--")) {
    const end = text.indexOf("-->", start);
    if (end === -1) break;
    text = text.slice(0, start) + text.slice(end + 3);
  }
  for (let start = text.indexOf("<"); start !== -1; start = text.indexOf("<")) {
    const end = text.indexOf(">", start);
    if (end === -1) break;
    text = text.slice(0, start) + text.slice(end + 1);
  }
  const joined = chars
    .words(text)
    .map((word) => word.text)
    .join(" ");
  if (/&(#|[A-Za-z])/.test(joined)) refuse("entities in striptags");
  return joined;
}

/** `pprint.pformat` of what fits in a line. */
function pprint(value: Value, env: Env): string {
  const shown = repr(sortedKeys(value, env));
  if (chars.length(shown) > 80 || (typeof value === "string" && shown.includes("\\n")))
    refuse("pprint over several lines");
  return shown;
}

function sortedKeys(value: Value, env: Env): Value {
  if (isList(value)) return value.map((item) => sortedKeys(item, env));
  if (value instanceof Tuple) return new Tuple(value.items.map((item) => sortedKeys(item, env)));
  if (!(value instanceof Dict)) return value;
  const entries = value.entries();
  if (new Set(entries.map(([key]) => typeof key)).size > 1) refuse("pprint of a mapping with keys of several types");
  const sorted = entries.toSorted(([a], [b]) => (ordered(a, "<", b, env) ? -1 : ordered(b, "<", a, env) ? 1 : 0));
  return new Dict(sorted.map(([key, item]) => [key, sortedKeys(item, env)] as const));
}

/** Filters that make text. */
export const TEXT_FILTERS: readonly (readonly [string, Filter])[] = [
  filter("string", "", (value) => (value instanceof Markup ? value : str(value))),
  filter("upper", "", (value) => likewise(value, (text) => text.toUpperCase())),
  filter("lower", "", (value) => likewise(value, (text) => text.toLowerCase())),
  filter("capitalize", "", (value, _, env) => method("capitalize")(value, env)),
  filter("title", "", (value) => title(str(value))),
  filter("trim", "chars=", (value, [set], env) => method("strip", [set])(value, env)),
  filter("center", "width=", (value, [width], env) => method("center", [width ?? 80n])(value, env)),
  filter("escape", "", (value) => new Markup(escapeHtml(value))),
  filter("e", "", (value) => new Markup(escapeHtml(value))),
  filter("forceescape", "", (value) => new Markup(escapeHtml(str(value)))),
  filter("safe", "", (value) => new Markup(str(value))),
  filter("striptags", "", striptags),
  filter("indent", "width= first= blank=", indent),
  filter("truncate", "length= killwords= end= leeway=", truncate),
  filter("wordwrap", "width= break_long_words= wrapstring= break_on_hyphens=", wordwrap),
  filter("wordcount", "", (value, _, env) => {
    const text = str(value);
    env.budget.step(text.length >> 4);
    return BigInt([...text.matchAll(/[\p{L}\p{N}_]+/gu)].length);
  }),
  filter("urlencode", "", urlencode),
  filter("xmlattr", "autospace=", xmlattr),
  filter("pprint", "", (value, _, env) => pprint(value, env)),
  filter("replace", "old new count=", (value, [old, by, count], env) => {
    const most = count === undefined || count === null ? -1 : intArgument(count, -1, "replace");
    return replace(str(value), str(old!), str(by!), most, env);
  }),
  [
    "format",
    (value, { positional, named }, env) => {
      if (positional.length > 0 && named.size > 0)
        fail("can't handle positional and keyword arguments at the same time");
      if (value instanceof Markup) return refuse("format of a text marked as safe");
      return percentFormat(str(value), named.size > 0 ? new Dict(named) : new Tuple(positional), env);
    },
  ],
  filter("tojson", "ensure_ascii= indent= separators= sort_keys=", (value, given, env) =>
    dumps(value, jsonOptions(given, env), env),
  ),
  ["urlize", () => refuse("the filter urlize")],
];
