import { isPrintable, points } from "./characters.ts";
import { fail, refuse } from "./fault.ts";
import { floatText, intText } from "./numbers.ts";
import {
  Callable,
  Dict,
  DictView,
  isList,
  Live,
  Markup,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const DEEPEST = 200;

/** `str(value)`: what a template writes of it. */
export function str(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return "";
  return repr(value);
}

/** `repr(value)`: Python's notation. */
export function repr(value: Value, depth = 0): string {
  if (depth > DEEPEST) fail("maximum recursion depth exceeded");
  const inner = (item: Value): string => repr(item, depth + 1);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return intText(value);
  if (typeof value === "number") return floatText(value);
  if (typeof value === "string") return quoted(value);
  if (isList(value)) return `[${value.map(inner).join(", ")}]`;
  if (value instanceof Tuple) return `(${value.items.map(inner).join(", ")}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof Dict)
    return `{${value
      .entries()
      .map(([k, v]) => `${inner(k)}: ${inner(v)}`)
      .join(", ")}}`;
  if (value instanceof DictView) return `${value.typeName}([${value.items().map(inner).join(", ")}])`;
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Range) {
    const { start, stop, step } = value;
    return `range(${[start, stop, ...(step === 1n ? [] : [step])].map((part) => intText(part)).join(", ")})`;
  }
  if (value instanceof Namespace) {
    return `<Namespace ${inner(new Dict([...value.attributes].map(([name, item]) => [name, item] as const)))}>`;
  }
  const shown = value instanceof Callable ? value.shown : value instanceof Live ? value.shown() : undefined;
  return shown ?? refuse(`the text of a ${typeName(value)}, in which Python writes an address,`);
}

/** `repr` of a text. `ascii`: as `ascii()` has it. */
export function quoted(text: string, ascii = false): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = "";
  for (const c of points(text)) {
    if (c === quote) out += `\\${c}`;
    else if (ESCAPES[c] !== undefined) out += ESCAPES[c];
    else if (isPrintable(c) && (!ascii || c < "\x7f")) out += c;
    else out += escaped(c.codePointAt(0)!);
  }
  return quote + out + quote;
}

function escaped(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x1_0000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

const HTML: Readonly<Record<string, string>> = { "&": "&amp;", ">": "&gt;", "<": "&lt;", "'": "&#39;", '"': "&#34;" };

/** Escapes a value for HTML, but for text that is marked as safe. */
export function escapeHtml(value: Value): string {
  return value instanceof Markup ? value.text : str(value).replace(/[&><'"]/g, (c) => HTML[c]!);
}
