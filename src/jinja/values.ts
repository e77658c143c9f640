import type { Budget } from "./budget.ts";
import { fail, refuse } from "./fault.ts";

/**
 * A value of a template, as Python has it: `bigint` is int, `number` is float, an array is a list. Nothing changes a
 * value in place but a namespace, a loop, a cycler and an iterator.
 */
export type Value = null | boolean | bigint | number | string | readonly Value[] | PyObject;

/** Values that JavaScript has no kind of its own for. */
abstract class PyObject {
  abstract readonly typeName: string;
}

/** The result of looking up what is not there. It prints as nothing; most uses of it end the rendering. */
export class Undefined extends PyObject {
  readonly typeName = "Undefined";
  readonly message: string;

  constructor(message: string) {
    super();
    this.message = message;
  }
}

/** A text that is marked as safe HTML. It behaves as text, but escapes what is added to it. */
export class Markup extends PyObject {
  readonly typeName = "Markup";
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}

/** `names`: of a named tuple, as `groupby` makes them. */
export class Tuple extends PyObject {
  readonly typeName = "tuple";
  readonly items: readonly Value[];
  readonly names: readonly string[] | undefined;

  constructor(items: readonly Value[], names?: readonly string[]) {
    super();
    this.items = items;
    this.names = names;
  }
}

/** A mapping in the order of insertion. Keys that are equal in Python (1, 1.0, True) are one key. */
export class Dict extends PyObject {
  readonly typeName = "dict";
  readonly #entries = new Map<unknown, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    for (const [key, value] of entries) {
      const hash = hashOf(key);
      const [first] = this.#entries.get(hash) ?? [key];
      this.#entries.set(hash, [first, value]);
    }
  }

  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(hashOf(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(hashOf(key));
  }
  keys(): Value[] {
    return this.entries().map(([key]) => key);
  }
  values(): Value[] {
    return this.entries().map(([, value]) => value);
  }
  entries(): (readonly [Value, Value])[] {
    return [...this.#entries.values()];
  }
}

/** `dict.keys()`, `dict.values()` or `dict.items()`. */
export class DictView extends PyObject {
  readonly typeName: "dict_keys" | "dict_values" | "dict_items";
  readonly dict: Dict;

  constructor(typeName: DictView["typeName"], dict: Dict) {
    super();
    this.typeName = typeName;
    this.dict = dict;
  }
  items(): Value[] {
    if (this.typeName === "dict_keys") return this.dict.keys();
    if (this.typeName === "dict_values") return this.dict.values();
    return this.dict.entries().map((entry) => new Tuple(entry));
  }
}

export class Range extends PyObject {
  readonly typeName = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;

  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
  get length(): number {
    const span = this.step > 0n ? this.stop - this.start : this.start - this.stop;
    const step = this.step > 0n ? this.step : -this.step;
    return span <= 0n ? 0 : Number((span + step - 1n) / step);
  }
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
  items(): bigint[] {
    return Array.from({ length: this.length }, (_, i) => this.at(i));
  }
}

/** An iterator or a generator: it can be gone through once. */
export class OneShot extends PyObject {
  readonly typeName: string;
  readonly iterator: Iterator<Value>;

  constructor(items: Iterable<Value>, typeName = "generator") {
    super();
    this.typeName = typeName;
    this.iterator = items[Symbol.iterator]();
  }
  *rest(): Generator<Value> {
    for (let next = this.iterator.next(); next.done !== true; next = this.iterator.next()) yield next.value;
  }
}

/** The arguments of a call. */
export interface Args {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** What functions, filters and tests need of the rendering they are called in. */
export interface Env {
  readonly budget: Budget;
  readonly clock: (() => Date) | undefined;
  filter(name: string, value: Value, args: Args): Value;
  test(name: string, value: Value, args: Args): boolean;
  knows(kind: "filter" | "test", name: string): boolean;
}

export class Callable extends PyObject {
  readonly typeName: string;
  readonly name: string;
  readonly call: (args: Args, env: Env) => Value;
  /** What it prints as; undefined where Python writes an address. */
  readonly shown: string | undefined;

  constructor(name: string, call: (args: Args, env: Env) => Value, typeName = "function", shown?: string) {
    super();
    this.name = name;
    this.call = call;
    this.typeName = typeName;
    this.shown = shown;
  }
}

/** `namespace(…)`: the one thing whose attributes a template can set. */
export class Namespace extends PyObject {
  readonly typeName = "Namespace";
  readonly attributes: Map<string, Value>;

  constructor(attributes: Iterable<readonly [string, Value]>) {
    super();
    this.attributes = new Map(attributes);
  }
}

/** An object with attributes of its own: `loop`, a cycler, a joiner. `length`: where `len()` of it is known. */
export abstract class Live extends PyObject {
  abstract attribute(name: string): Value | undefined;
  /** What it prints as; undefined where Python writes an address. */
  abstract shown(): string | undefined;
  call?(args: Args, env: Env): Value;
}

/** `value`, or what stands in where there is none. None is a value, so `??` would be wrong. */
export function orElse<T>(value: T | undefined, otherwise: () => T): T {
  return value === undefined ? otherwise() : value;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** The text of a str or a Markup; undefined for others. */
export function textOf(value: Value): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Markup ? value.text : undefined;
}

export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "str";
  return value instanceof PyObject ? value.typeName : "list";
}

/** A key of a JavaScript Map that is the same for values that are equal and hash alike in Python. */
function hashOf(value: Value): unknown {
  if (typeof value === "string") return `s${value}`;
  if (typeof value === "boolean") return value ? "n1" : "n0";
  if (typeof value === "bigint") return `n${value}`;
  if (typeof value === "number") return Number.isInteger(value) ? `n${BigInt(value)}` : `f${value}`;
  if (value === null) return "None";
  if (value instanceof Markup) return `s${value.text}`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Range) {
    const { length, start, step } = value;
    return `r${[length, length > 0 ? start : 0n, length > 1 ? step : 0n].join(",")}`;
  }
  if (value instanceof Tuple) {
    const parts = value.items.map((item) => hashOf(item));
    if (parts.every((part) => typeof part === "string"))
      return `t${parts.map((part) => `${part.length}:${part}`).join("")}`;
    return fail("a tuple of objects as a key");
  }
  if (isList(value) || value instanceof Dict || value instanceof DictView) {
    fail(`unhashable type: '${typeName(value)}'`);
  }
  return value;
}

/** Ends if the value cannot be a key. */
export function hashKey(value: Value): unknown {
  return hashOf(value);
}

/** Converts parsed JSON. Keys that are `undefined` are left out. */
export function fromJson(json: unknown): Value {
  if (json === null || json === undefined) return null;
  if (typeof json === "boolean" || typeof json === "string" || typeof json === "bigint") return json;
  if (typeof json === "number") {
    if (!Number.isInteger(json) || Object.is(json, -0)) return json;
    return Number.isSafeInteger(json) ? BigInt(json) : refuse(`the number ${json}, whose digits or point are lost,`);
  }
  if (Array.isArray(json)) return json.map((item) => fromJson(item));
  if (json instanceof PyObject) return json;
  if (typeof json === "object") {
    return new Dict(
      Object.entries(json)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, fromJson(value)] as const),
    );
  }
  return fail(`a value of type ${typeof json}`);
}
