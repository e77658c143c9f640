import { compareText, length, slice as sliceText, points } from "./characters.ts";
import { fail, refuse } from "./fault.ts";
import { arithmetic, indexOf, numberOf } from "./numbers.ts";
import { percentFormat } from "./percent-format.ts";
import { escapeHtml, str } from "./text.ts";
import {
  Dict,
  DictView,
  type Env,
  isList,
  Live,
  Markup,
  OneShot,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

export function truth(value: Value): boolean {
  if (value === null || value === false || value === "" || value === 0 || value === 0n) return false;
  if (typeof value === "number" || typeof value !== "object") return true;
  if (value instanceof Undefined) return false;
  return sizeOf(value) !== 0;
}

/** `len(value)`; undefined for what has none. */
export function sizeOf(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return length(text);
  if (isList(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  if (value instanceof Live) {
    const size = value.attribute("length");
    return typeof size === "bigint" ? Number(size) : undefined;
  }
  return undefined;
}

/** Goes through a value as a `for` loop does. @throws TemplateFault for what cannot be iterated. */
export function iterate(value: Value): Iterable<Value> {
  if (isList(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView || value instanceof Range) return value.items();
  if (value instanceof OneShot) return value.rest();
  if (value instanceof Undefined) return [];
  const text = textOf(value);
  if (text !== undefined) return points(text);
  return fail(`'${typeName(value)}' object is not iterable`);
}

export function isIterable(value: Value): boolean {
  return (
    textOf(value) !== undefined ||
    isList(value) ||
    [Tuple, Dict, DictView, Range, OneShot, Undefined].some((kind) => value instanceof kind)
  );
}

/** The elements as an array, counted. */
export function listOf(value: Value, env: Env): readonly Value[] {
  const items = isList(value) ? value : [...iterate(value)];
  env.budget.step(items.length);
  return items;
}

/** `a == b` */
export function equal(a: Value, b: Value, env: Env): boolean {
  env.budget.step();
  const [left, right] = [textOf(a), textOf(b)];
  if (left !== undefined || right !== undefined) return left === right;
  const [x, y] = [numberOf(a), numberOf(b)];
  // eslint-disable-next-line eqeqeq -- an int and a float are compared by value
  if (x !== undefined && y !== undefined) return x == y;
  if (a === b) return true;
  if (a instanceof Undefined) return b instanceof Undefined;
  if ((isList(a) && isList(b)) || (a instanceof Tuple && b instanceof Tuple)) {
    const [m, n] = [isList(a) ? a : a.items, isList(b) ? b : b.items];
    return m.length === n.length && m.every((item, i) => same(item, n[i]!, env));
  }
  if (a instanceof Dict && b instanceof Dict) {
    return a.size === b.size && a.entries().every(([key, value]) => b.has(key) && same(value, b.get(key)!, env));
  }
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  if (a instanceof DictView && b instanceof DictView && a.typeName !== "dict_values") return refuse("== of dict views");
  return false;
}

/** Equality of elements: Python asks first if they are one object, which matters for nan. */
function same(a: Value, b: Value, env: Env): boolean {
  return (typeof a === "number" && Number.isNaN(a) && Object.is(a, b)) || equal(a, b, env);
}

/** `a < b`, `a > b`, `a <= b` or `a >= b`. @throws TemplateFault where Python has no order. */
export function ordered(a: Value, operator: "<" | ">" | "<=" | ">=", b: Value, env: Env): boolean {
  env.budget.step();
  const [left, right] = [textOf(a), textOf(b)];
  if (left !== undefined && right !== undefined) return holds(compareText(left, right), operator);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) {
    if (operator === "<") return x < y;
    if (operator === ">") return x > y;
    return operator === "<=" ? x <= y : x >= y;
  }
  if ((isList(a) && isList(b)) || (a instanceof Tuple && b instanceof Tuple)) {
    const [m, n] = [isList(a) ? a : a.items, isList(b) ? b : b.items];
    for (let i = 0; i < m.length && i < n.length; i++) {
      if (!same(m[i]!, n[i]!, env)) return ordered(m[i]!, operator, n[i]!, env);
    }
    return holds(m.length - n.length, operator);
  }
  if (a instanceof Undefined || b instanceof Undefined) return fail(undefinedOf(a, b).message);
  if (a instanceof DictView && b instanceof DictView) return refuse(`${operator} of dict views`);
  return fail(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function holds(difference: number, operator: "<" | ">" | "<=" | ">="): boolean {
  if (operator === "<") return difference < 0;
  if (operator === ">") return difference > 0;
  return operator === "<=" ? difference <= 0 : difference >= 0;
}

/** `item in container` */
export function contains(container: Value, item: Value, env: Env): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part === undefined) fail(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    env.budget.step(text.length >> 6);
    return text.includes(part);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.typeName === "dict_keys") return container.dict.has(item);
  for (const each of iterate(container)) if (same(each, item, env)) return true;
  return false;
}

export function binary(operator: string, a: Value, b: Value, env: Env): Value {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return arithmetic(operator, x, y);
  if (operator === "%" && textOf(a) !== undefined) {
    if (a instanceof Markup) refuse("% of a text marked as safe");
    return percentFormat(a as string, b, env);
  }
  if (a instanceof Undefined || b instanceof Undefined) return fail(undefinedOf(a, b).message);
  if (operator === "+") {
    if (a instanceof Markup || b instanceof Markup) {
      if (textOf(a) !== undefined && textOf(b) !== undefined)
        return made(new Markup(escapeHtml(a) + escapeHtml(b)), env);
    }
    if (typeof a === "string" && typeof b === "string") {
      env.budget.make(a.length + b.length);
      return a + b;
    }
    if (isList(a) && isList(b)) {
      env.budget.make(a.length + b.length);
      return [...a, ...b];
    }
    if (a instanceof Tuple && b instanceof Tuple) {
      env.budget.make(a.items.length + b.items.length);
      return new Tuple([...a.items, ...b.items]);
    }
  }
  if (operator === "*") {
    const repeated = repeat(a, b, env) ?? repeat(b, a, env);
    if (repeated !== undefined) return repeated;
  }
  if (operator === "-" && a instanceof DictView) return refuse("a set of a dict's keys");
  return fail(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function made(value: Markup, env: Env): Markup {
  env.budget.make(value.text.length);
  return value;
}

function undefinedOf(a: Value, b: Value): Undefined {
  return a instanceof Undefined ? a : (b as Undefined);
}

function repeat(value: Value, times: Value, env: Env): Value | undefined {
  if (typeof times !== "bigint" && typeof times !== "boolean") return undefined;
  const count = Math.max(Number(times), 0);
  const text = textOf(value);
  if (text !== undefined) {
    env.budget.make(text.length * count);
    const repeated = text === "" ? "" : text.repeat(count);
    return value instanceof Markup ? new Markup(repeated) : repeated;
  }
  const items = isList(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items === undefined) return undefined;
  env.budget.make(items.length * count);
  const repeated = items.length === 0 ? [] : Array.from({ length: count }, () => items).flat(1);
  return value instanceof Tuple ? new Tuple(repeated) : repeated;
}

export function unary(operator: "-" | "+", value: Value): Value {
  const number = numberOf(value);
  if (number === undefined) {
    return fail(
      value instanceof Undefined ? value.message : `bad operand type for unary ${operator}: '${typeName(value)}'`,
    );
  }
  return operator === "-" ? -number : number;
}

/** `value[start:stop:step]` */
export function slice(value: Value, start: Value, stop: Value, step: Value, env: Env): Value {
  if (value instanceof Undefined) return fail(value.message);
  const text = textOf(value);
  const size =
    text !== undefined || isList(value) || value instanceof Tuple || value instanceof Range
      ? sizeOf(value)!
      : undefined;
  // Jinja works constants out beforehand, where this is no error, and the rest at the time, where it is one.
  if (size === undefined) return refuse(`a slice of a ${typeName(value)}`);
  const by = step === null ? 1n : indexOf(step, "the step of a slice");
  if (by === 0n) fail("slice step cannot be zero");
  const lowest = by < 0n ? -1 : 0;
  const highest = by < 0n ? size - 1 : size;
  const bound = (given: Value, missing: number): number => {
    if (given === null) return missing;
    const index = indexOf(given, "the bound of a slice");
    const at = Number(index < 0n ? index + BigInt(size) : index);
    return Math.min(Math.max(at, lowest), highest);
  };
  const from = bound(start, by < 0n ? highest : lowest);
  const to = bound(stop, by < 0n ? lowest : highest);
  env.budget.step();
  if (text !== undefined && by === 1n) {
    const part = sliceText(text, from, Math.max(from, to));
    return value instanceof Markup ? new Markup(part) : part;
  }
  if (value instanceof Range) {
    return new Range(value.start + BigInt(from) * value.step, value.start + BigInt(to) * value.step, value.step * by);
  }
  const items: readonly Value[] = text !== undefined ? points(text) : isList(value) ? value : (value as Tuple).items;
  const picked: Value[] = [];
  const stride = Number(by);
  for (let i = from; stride > 0 ? i < to : i > to; i += stride) picked.push(items[i]!);
  env.budget.step(picked.length);
  if (text !== undefined) {
    const joined = picked.map((c) => str(c)).join("");
    return value instanceof Markup ? new Markup(joined) : joined;
  }
  return value instanceof Tuple ? new Tuple(picked) : picked;
}
