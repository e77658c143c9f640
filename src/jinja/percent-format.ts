import { length, slice } from "./characters.ts";
import { fail, refuse } from "./fault.ts";
import { formatFloat } from "./float-format.ts";
import { indexOf, numberOf, toFloat, truncate } from "./numbers.ts";
import { quoted, repr, str } from "./text.ts";
import { orElse, Dict, type Env, isList, Range, textOf, Tuple, typeName, Undefined, type Value } from "./values.ts";

const SPEC = /^(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?[hlL]?([\s\S]?)/u;
/** Wider ones are an error of memory sooner than a text. */
const WIDEST = 1_000_000;

/** `format % value` for a text on the left. */
export function percentFormat(format: string, value: Value, env: Env): string {
  const values: readonly Value[] = value instanceof Tuple ? value.items : [value];
  const keyed = value instanceof Dict || isList(value) || value instanceof Range;
  let next = 0;
  const take = (): Value => (next < values.length ? values[next++]! : fail("not enough arguments for format string"));
  let out = "";
  let at = 0;
  for (;;) {
    const percent = format.indexOf("%", at);
    if (percent === -1) break;
    out += format.slice(at, percent);
    const [all, key, flags, width, precision, type] = SPEC.exec(format.slice(percent + 1))!;
    at = percent + 1 + all.length;
    if (type === "") fail("incomplete format");
    const wide = size(width === "*" ? take() : BigInt(width || "0"));
    const exact = precision === undefined ? undefined : size(precision === "*" ? take() : BigInt(precision || "0"));
    if (type === "%") {
      if (all !== "%") refuse("flags before %%");
      out += "%";
      continue;
    }
    let item: Value;
    if (key !== undefined) {
      if (!(value instanceof Dict)) fail("format requires a mapping");
      item = orElse(value.get(key), () => fail(`no key '${key}' for the format`));
    } else item = take();
    out += piece(item, type!, { flags: flags!, width: wide, precision: exact });
    env.budget.make(out.length >> 4);
    env.budget.step();
  }
  // A list counts as a mapping here, so that one which is not used is no error.
  if (next < values.length && !keyed) fail("not all arguments converted during string formatting");
  out += format.slice(at);
  env.budget.make(out.length);
  return out;
}

function size(value: Value): number {
  const number = Number(indexOf(value, "a width of a format"));
  return Math.abs(number) > WIDEST ? fail(`a width or precision of ${number}`) : number;
}

interface Spec {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

function piece(value: Value, type: string, { flags, width, precision }: Spec): string {
  const left = flags.includes("-") || width < 0;
  const pad = (sign: string, body: string, zeros: boolean): string => {
    const missing = Math.max(Math.abs(width) - length(sign) - length(body), 0);
    if (left) return sign + body + " ".repeat(missing);
    return zeros && flags.includes("0") ? sign + "0".repeat(missing) + body : " ".repeat(missing) + sign + body;
  };
  const cut = (text: string): string => (precision === undefined ? text : slice(text, 0, Math.max(precision, 0)));
  if (type === "s") return pad("", cut(str(value)), false);
  if (type === "r") return pad("", cut(repr(value)), false);
  if (type === "a") return pad("", cut(ascii(value)), false);
  if (type === "c") return pad("", character(value), false);
  const signOf = (negative: boolean): string =>
    negative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  if ("diuoxX".includes(type)) {
    const number = numberOf(value);
    if (number === undefined || (typeof number === "number" && "oxX".includes(type))) {
      return value instanceof Undefined
        ? fail(value.message)
        : fail(`%${type} format: a number is required, not ${typeName(value)}`);
    }
    const whole = typeof number === "number" ? truncate(number) : number;
    const radix = { o: 8, x: 16, X: 16 }[type] ?? 10;
    let digits = (whole < 0n ? -whole : whole).toString(radix).padStart(precision ?? 0, "0");
    if (type === "X") digits = digits.toUpperCase();
    const prefix = flags.includes("#") && radix !== 10 ? `0${type}` : "";
    return pad(signOf(whole < 0n) + prefix, digits, true);
  }
  if ("eEfFgG".includes(type)) {
    const number = numberOf(value);
    if (number === undefined) {
      return value instanceof Undefined ? fail(value.message) : fail(`must be a real number, not ${typeName(value)}`);
    }
    const float = toFloat(number);
    const text = formatFloat(float, type, precision ?? 6, flags.includes("#"));
    const negative = float < 0 || Object.is(float, -0);
    return pad(signOf(negative), text, Number.isFinite(float));
  }
  return fail(`unsupported format character '${type}'`);
}

function character(value: Value): string {
  const text = textOf(value);
  if (text !== undefined) return length(text) === 1 ? text : fail("%c requires an int or a character");
  const code = Number(indexOf(value, "the value of %c"));
  return code >= 0 && code <= 0x10_ffff ? String.fromCodePoint(code) : fail("%c arg not in range(0x110000)");
}

/** `ascii(value)` */
export function ascii(value: Value): string {
  const text = textOf(value);
  if (typeof value === "string") return quoted(value, true);
  if (text !== undefined) return refuse("ascii() of a text marked as safe");
  const shown = repr(value);
  return /^[\x20-\x7e]*$/.test(shown) ? shown : refuse("ascii() of a container with other characters");
}
