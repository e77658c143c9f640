import { fail, refuse } from "./fault.ts";
import type { Undefined, Value } from "./values.ts";

/** Python refuses to write or read integers of more digits. */
const MOST_DIGITS = 4300;
/** Longer ones take a time that grows faster than they do. */
const MOST_BITS = 100_000n;

export function intText(value: bigint): string {
  const text = value.toString();
  if (text.length - (value < 0n ? 1 : 0) > MOST_DIGITS) fail(`an integer of more than ${MOST_DIGITS} digits as text`);
  return text;
}

/** `repr` of a float: the shortest digits, an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [digits, exponent] = value.toExponential().split("e") as [string, string];
  const power = Number(exponent);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const plain = digits.replace(/[-.]/g, "");
  if (power < -4 || power >= 16) {
    const tail = plain.length > 1 ? `.${plain.slice(1)}` : "";
    return `${sign}${plain[0]!}${tail}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${plain}`;
  const whole = plain.padEnd(power + 1, "0");
  return `${sign}${whole.slice(0, power + 1)}.${whole.slice(power + 1) || "0"}`;
}

/** A number as an exact fraction over a power of two. */
function fraction(value: number): { numerator: bigint; bits: number } {
  let bits = 0;
  let scaled = value;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    bits++;
  }
  return { numerator: BigInt(scaled), bits };
}

function divideToEven(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  if (twice > denominator || (twice === denominator && quotient % 2n === 1n)) return quotient + 1n;
  return quotient;
}

/** |value| × 10^digits as an integer, rounded half to even on the exact value. */
function scaled(value: number, digits: number): bigint {
  const { numerator, bits } = fraction(Math.abs(value));
  const top = digits > 0 ? numerator * 10n ** BigInt(digits) : numerator;
  return divideToEven(top, (1n << BigInt(bits)) * (digits < 0 ? 10n ** BigInt(-digits) : 1n));
}

/** A float with so many digits after the point, without its sign. */
export function fixed(value: number, digits: number): string {
  const text = scaled(value, digits)
    .toString()
    .padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** The significant digits of a float (not 0), and the power of ten of the first. */
export function significant(value: number, count: number): { digits: string; power: number } {
  if (value === 0) return { digits: "0".repeat(count), power: 0 };
  let power = Number(value.toExponential().split("e")[1]);
  let digits = scaled(value, count - 1 - power).toString();
  if (digits.length > count) digits = scaled(value, count - 1 - ++power).toString();
  return { digits, power };
}

/** `round(value, digits)`. */
export function roundTo(value: number | bigint, digits: number): number | bigint {
  if (Math.abs(digits) > 400) refuse(`rounding to ${digits} digits`);
  if (typeof value === "bigint") {
    if (digits >= 0) return value;
    const unit = 10n ** BigInt(-digits);
    return (value < 0n ? -divideToEven(-value, unit) : divideToEven(value, unit)) * unit;
  }
  if (!Number.isFinite(value)) return value;
  const size = Number(`${scaled(value, digits)}e${-digits}`);
  if (!Number.isFinite(size)) fail("rounded value too large to represent");
  return value < 0 || Object.is(value, -0) ? -size : size;
}

/** bool, int and float as a number; undefined for others. */
export function numberOf(value: Value): bigint | number | undefined {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
}

export function toFloat(value: bigint | number): number {
  const float = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(float)) fail("int too large to convert to float");
  return float;
}

/** `int(float)`, towards zero. */
export function truncate(value: number): bigint {
  if (!Number.isFinite(value)) fail("cannot convert a float that is not finite to an integer");
  return BigInt(Math.trunc(value));
}

const INTEGER = /^([+-]?)(\d+(?:_\d+)*)$/u;
const FLOAT = /^[+-]?(?:(?:\d+(?:_\d+)*)(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const SPECIAL = /^([+-]?)(inf|infinity|nan)$/i;
const PREFIXES: Readonly<Record<string, number>> = { "0b": 2, "0o": 8, "0x": 16 };

/** Parses as `int(text, base)`; undefined where Python raises a ValueError. `text` is stripped. */
export function parseInteger(text: string, base: number): bigint | undefined {
  if (base !== 0 && (base < 2 || base > 36)) return undefined;
  if (base === 10) {
    const match = INTEGER.exec(text);
    if (match === null || match[2]!.replaceAll("_", "").length > MOST_DIGITS) return undefined;
    const value = BigInt(match[2]!.replaceAll("_", ""));
    return match[1] === "-" ? -value : value;
  }
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  let rest = text.slice(sign.length).toLowerCase();
  const prefixBase = PREFIXES[rest.slice(0, 2)];
  let radix = base;
  if (prefixBase !== undefined && (base === 0 || base === prefixBase)) {
    radix = prefixBase;
    rest = rest.slice(2).replace(/^_/, "");
  } else if (base === 0) {
    if (!/^(0+(_0+)*|[1-9]\d*(_\d+)*)$/.test(rest)) return undefined;
    radix = 10;
  }
  if (!/^[a-z\d]+(_[a-z\d]+)*$/.test(rest) || rest.length > MOST_DIGITS) return undefined;
  let value = 0n;
  for (const c of rest.replaceAll("_", "")) {
    const digit = Number.parseInt(c, 36);
    if (digit >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(digit);
  }
  return sign === "-" ? -value : value;
}

/** Parses as `float(text)`; undefined where Python raises a ValueError. `text` is stripped. */
export function parseFloat(text: string): number | undefined {
  const special = SPECIAL.exec(text);
  if (special !== null) {
    const value = special[2]!.toLowerCase() === "nan" ? Number.NaN : Infinity;
    return special[1] === "-" ? -value : value;
  }
  return FLOAT.test(text) ? Number(text.replaceAll("_", "")) : undefined;
}

function floatFloorDivide(a: number, b: number): { quotient: number; remainder: number } {
  let remainder = a % b;
  let quotient = (a - remainder) / b;
  if (remainder !== 0) {
    if (b < 0 !== remainder < 0) {
      remainder += b;
      quotient -= 1;
    }
  } else remainder = b < 0 ? -0 : 0;
  if (quotient === 0) return { quotient: Object.is(a / b, -0) || a / b < 0 ? -0 : 0, remainder };
  const floor = Math.floor(quotient);
  return { quotient: quotient - floor > 0.5 ? floor + 1 : floor, remainder };
}

function intFloorDivide(a: bigint, b: bigint): { quotient: bigint; remainder: bigint } {
  const quotient = a / b;
  const remainder = a % b;
  return remainder !== 0n && remainder < 0n !== b < 0n
    ? { quotient: quotient - 1n, remainder: remainder + b }
    : { quotient, remainder };
}

function bits(value: bigint): bigint {
  return BigInt((value < 0n ? -value : value).toString(16).length * 4);
}

function power(a: bigint | number, b: bigint | number): bigint | number {
  if (typeof a === "bigint" && typeof b === "bigint" && b >= 0n) {
    if (a !== 0n && a !== 1n && a !== -1n && bits(a) * b > MOST_BITS) refuse("an integer of more than 100000 bits");
    return a ** b;
  }
  const [base, exponent] = [toFloat(a), toFloat(b)];
  if (base === 0 && exponent < 0) fail("0.0 cannot be raised to a negative power");
  if (base < 0 && Number.isFinite(base) && Number.isFinite(exponent) && !Number.isInteger(exponent)) {
    refuse("a complex number");
  }
  // JavaScript has NaN for (±1) ** (±inf) and 1 ** nan, C has 1.
  if (base === 1 || (base === -1 && !Number.isFinite(exponent) && !Number.isNaN(exponent))) return 1;
  const result = base ** exponent;
  if (!Number.isFinite(result) && Number.isFinite(base) && Number.isFinite(exponent)) fail("result too large");
  return result;
}

/** An arithmetic operator between numbers. */
export function arithmetic(operator: string, a: bigint | number, b: bigint | number): bigint | number {
  if (operator === "**") return power(a, b);
  const whole = typeof a === "bigint" && typeof b === "bigint";
  if (["/", "//", "%"].includes(operator) && Number(b) === 0) fail("division by zero");
  if (whole && operator !== "/") {
    if (operator === "+") return a + b;
    if (operator === "-") return a - b;
    if (operator === "*") {
      if (bits(a) + bits(b) > MOST_BITS) refuse("an integer of more than 100000 bits");
      return a * b;
    }
    const { quotient, remainder } = intFloorDivide(a, b);
    return operator === "//" ? quotient : remainder;
  }
  if (whole && [a, b].some((value) => !Number.isSafeInteger(Number(value)))) {
    if (a % b === 0n) return toFloat(a / b);
    refuse("the division of integers beyond 2**53");
  }
  const [x, y] = [toFloat(a), toFloat(b)];
  if (operator === "+") return x + y;
  if (operator === "-") return x - y;
  if (operator === "*") return x * y;
  if (operator === "/") return x / y;
  const { quotient, remainder } = floatFloorDivide(x, y);
  return operator === "//" ? quotient : remainder;
}

/** An argument that Python takes as an index: int or bool. */
export function indexOf(value: Value | Undefined, what: string): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return BigInt(value);
  return fail(`${what} is no integer`);
}
