import { intArgument } from "../arguments.ts";
import { stripEnd, stripStart } from "../characters.ts";
import { fail, refuse } from "../fault.ts";
import { fixed, numberOf, parseFloat, parseInteger, roundTo, toFloat, truncate } from "../numbers.ts";
import { binary } from "../operators.ts";
import { textOf, typeName, Undefined, type Value } from "../values.ts";
import { type Filter, filter } from "./filter.ts";

const strip = (text: string): string => stripEnd(stripStart(text));

/** `float(value)`; undefined where Python raises a TypeError or ValueError. */
function asFloat(value: Value): number | undefined {
  if (value instanceof Undefined) return fail(value.message);
  const text = textOf(value);
  const number = numberOf(value);
  return text === undefined ? (number === undefined ? undefined : toFloat(number)) : parseFloat(strip(text));
}

function toInt(value: Value, [standard, baseGiven]: readonly (Value | undefined)[]): Value {
  const otherwise = standard === undefined ? 0n : standard;
  if (value instanceof Undefined) return fail(value.message);
  const text = textOf(value);
  if (text !== undefined) {
    const base = intArgument(baseGiven, 10, "int");
    const parsed = parseInteger(strip(text), base);
    if (parsed !== undefined) return parsed;
    const float = parseFloat(strip(text));
    return float === undefined || !Number.isFinite(float) ? otherwise : truncate(float);
  }
  const number = numberOf(value);
  if (number === undefined) return otherwise;
  if (typeof number === "bigint") return number;
  // int(nan) is a ValueError, which gives the default; int(inf) is an error that the filter lets pass.
  return Number.isNaN(number) ? otherwise : truncate(number);
}

function round(value: Value, [precisionGiven, methodGiven]: readonly (Value | undefined)[]): Value {
  const how = methodGiven === undefined ? "common" : textOf(methodGiven);
  if (how !== "common" && how !== "ceil" && how !== "floor") fail("method must be common, ceil or floor");
  const number = numberOf(value);
  if (number === undefined) return fail(value instanceof Undefined ? value.message : `round of a ${typeName(value)}`);
  if (precisionGiven === null && how === "common") {
    return typeof number === "bigint" ? number : truncate(roundTo(number, 0) as number);
  }
  const precision = intArgument(precisionGiven ?? undefined, 0, "round");
  if (how === "common") return roundTo(number, precision);
  if (Math.abs(precision) > 400) refuse(`rounding to ${precision} digits`);
  const env = undefined as never;
  const unit = binary("**", 10n, BigInt(precision), env);
  const scaled = numberOf(binary("*", number, unit, env))!;
  const whole = typeof scaled === "bigint" ? scaled : truncate(how === "ceil" ? Math.ceil(scaled) : Math.floor(scaled));
  return binary("/", whole, unit, env);
}

function fileSize(value: Value, [binaryGiven]: readonly (Value | undefined)[]): Value {
  const bytes = asFloat(value) ?? fail("could not convert to float");
  const isBinary = binaryGiven !== undefined && binaryGiven !== false && binaryGiven !== null;
  const base = isBinary ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${truncate(bytes)} Bytes`;
  const names = "kMGTPEZY".split("").map((prefix) => (isBinary ? `${prefix.toUpperCase()}iB` : `${prefix}B`));
  for (const [i, name] of names.entries()) {
    const unit = base ** (i + 2);
    if (bytes < unit || i === names.length - 1) return `${fixed((base * bytes) / unit, 1)} ${name}`;
  }
  return fail("no size");
}

/** Filters that make numbers, or texts of them. */
export const NUMBER_FILTERS: readonly (readonly [string, Filter])[] = [
  filter("abs", "", (value) => {
    const number = numberOf(value);
    if (number === undefined) return fail(value instanceof Undefined ? value.message : `abs of a ${typeName(value)}`);
    return typeof number === "bigint" ? (number < 0n ? -number : number) : Math.abs(number);
  }),
  filter("int", "default= base=", toInt),
  filter("float", "default=", (value, [standard]) => asFloat(value) ?? (standard === undefined ? 0 : standard)),
  filter("round", "precision= method=", round),
  filter("filesizeformat", "binary=", fileSize),
];
