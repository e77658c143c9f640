import { length, points, slice } from "./characters.ts";
import { fail, refuse } from "./fault.ts";
import { formatFloat } from "./float-format.ts";
import { floatText, intText, numberOf, toFloat } from "./numbers.ts";
import { str } from "./text.ts";
import { textOf, typeName, type Value } from "./values.ts";

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;
const WIDEST = 1_000_000;

/** `format(value, spec)` */
export function formatValue(value: Value, spec: string): string {
  if (spec === "") return str(value);
  const match = SPEC.exec(spec);
  if (match === null) return fail(`Invalid format specifier '${spec}'`);
  const [, fillGiven, alignGiven, sign, negativeZero, alternate, zero, widthText, grouping, precisionText, type] =
    match;
  const width = Number(widthText ?? 0);
  const precision = precisionText === undefined ? undefined : Number(precisionText);
  if (width > WIDEST || (precision ?? 0) > WIDEST) fail("Too many decimal digits in format string");
  if (negativeZero !== undefined) refuse("the format option z");
  const fill = fillGiven ?? (zero === undefined || (alignGiven !== undefined && fillGiven !== undefined) ? " " : "0");
  const pad = (head: string, body: string, standard: string): string => {
    const align = alignGiven ?? (zero === undefined || standard === "<" ? standard : "=");
    const missing = Math.max(width - length(head) - length(body), 0);
    if (align === "<") return head + body + fill.repeat(missing);
    if (align === "=") return head + fill.repeat(missing) + body;
    const before = align === "^" ? missing >> 1 : missing;
    return fill.repeat(before) + head + body + fill.repeat(missing - before);
  };
  const text = textOf(value);
  if (text !== undefined) {
    if (type !== undefined && type !== "s") fail(`Unknown format code '${type}' for object of type 'str'`);
    if (sign !== undefined || alternate !== undefined || alignGiven === "=" || grouping !== undefined) {
      fail("a sign, #, = or grouping in the format of a str");
    }
    return pad("", precision === undefined ? text : slice(text, 0, precision), "<");
  }
  const number = numberOf(value);
  if (number === undefined) return fail(`unsupported format string passed to ${typeName(value)}.__format__`);
  const negative = number < 0 || Object.is(number, -0);
  const head = negative ? "-" : sign === "+" || sign === " " ? sign : "";
  const zeros = fill === "0" && (alignGiven === "=" || (alignGiven === undefined && zero !== undefined));
  const group = (digits: string): string => {
    if (grouping === undefined) return digits;
    if (zeros && width > 0) refuse("grouping with zeros in front in a format");
    const [, whole, rest] = /^(\d*)([\s\S]*)$/.exec(digits)!;
    const size = type !== undefined && "boxX".includes(type) ? 4 : 3;
    return (
      points(whole!)
        .map((c, i) => (i > 0 && (whole!.length - i) % size === 0 ? grouping + c : c))
        .join("") + rest!
    );
  };
  if (type === "n") return refuse("the format type n");
  const asInteger = type === undefined ? typeof number === "bigint" : "bcdoxX".includes(type);
  if (asInteger) {
    if (typeof number !== "bigint") return fail(`Unknown format code '${type}' for object of type 'float'`);
    if (precision !== undefined) return fail("Precision not allowed in integer format specifier");
    if (type === "c") {
      if (sign !== undefined || negative || number > 0x10_ffffn) return fail("the value of the format type c");
      return pad("", String.fromCodePoint(Number(number)), "<");
    }
    if (grouping === "," && type !== undefined && type !== "d") return fail(`Cannot specify ',' with '${type}'.`);
    const radix = { b: 2, o: 8, x: 16, X: 16 }[type ?? "d"] ?? 10;
    const size = number < 0n ? -number : number;
    const digits = group(radix === 10 ? intText(size) : hexadecimal(size.toString(radix), grouping));
    const prefix = alternate !== undefined && radix !== 10 ? `0${type}` : "";
    return pad(head + prefix, type === "X" ? digits.toUpperCase() : digits, ">");
  }
  const float = toFloat(number);
  if (type === undefined) {
    if (precision !== undefined || alternate !== undefined) return refuse("a precision without a type in a format");
    return pad(head, group(floatText(Math.abs(float))), ">");
  }
  if (type === "%")
    return pad(head, `${group(formatFloat(float * 100, "f", precision ?? 6, alternate !== undefined))}%`, ">");
  if (!"eEfFgG".includes(type)) return fail(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  return pad(head, group(formatFloat(float, type, precision ?? 6, alternate !== undefined)), ">");
}

/** Digits above nine would not be grouped. */
function hexadecimal(digits: string, grouping: string | undefined): string {
  return grouping !== undefined && /[a-f]/.test(digits) ? refuse("grouping of hexadecimal digits") : digits;
}
