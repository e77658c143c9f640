import { bind, intArgument } from "./arguments.ts";
import { braceFormat, type Lookup } from "./brace-format.ts";
import { points } from "./characters.ts";
import { fail, refuse } from "./fault.ts";
import { equal, sizeOf } from "./operators.ts";
import { repr } from "./text.ts";
import { markupMethod, namedOf, STRING_METHODS } from "./string-methods.ts";
import {
  orElse,
  type Args,
  Callable,
  Dict,
  DictView,
  type Env,
  isList,
  Live,
  Markup,
  Namespace,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Names that Python's types have and that are not done here: they are refused, since a template that asks gets another answer. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  str: ["casefold", "encode", "maketrans", "translate"],
  Markup: ["casefold", "encode", "maketrans", "translate", "escape", "striptags", "unescape"],
  dict: ["fromkeys"],
  int: ["as_integer_ratio", "bit_count", "from_bytes", "to_bytes"],
  bool: ["as_integer_ratio", "bit_count", "from_bytes", "to_bytes"],
  float: ["as_integer_ratio", "fromhex", "hex"],
  dict_keys: ["isdisjoint", "mapping"],
  dict_values: ["mapping"],
  dict_items: ["isdisjoint", "mapping"],
  generator: ["close", "send", "throw", "gi_frame", "gi_code", "gi_running", "gi_yieldfrom", "gi_suspended"],
};
/** The sandbox hides what would change a list or a mapping. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
};
/** Attributes of every object; the sandbox hides them. Others with two underscores in front may be keys of a mapping. */
const INTERNAL =
  /^__(class|doc|init|new|dict|eq|ne|lt|le|gt|ge|hash|repr|str|len|iter|getitem|setitem|delitem|contains|getattribute|setattr|delattr|dir|sizeof|reduce|reduce_ex|subclasshook|init_subclass|format|reversed|or|ror|ior|class_getitem)__$/;

const method = (name: string, call: (given: Args, env: Env) => Value): Callable =>
  new Callable(name, call, "builtin_function_or_method");

function hidden(value: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
}

function missing(value: Value, name: Value): Undefined {
  const owner = value === null ? "None" : `${typeName(value)} object`;
  return new Undefined(
    typeof name === "string" ? `'${owner}' has no attribute '${name}'` : `${owner} has no element ${repr(name)}`,
  );
}

/** Python's `getattr`; undefined where there is no such attribute. */
function ownAttribute(value: Value, name: string): Value | undefined {
  if (value instanceof Undefined) return fail(value.message);
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof Live) return value.attribute(name);
  if (INTERNAL.test(name)) return hidden(value, name);
  const type = typeName(value);
  if (HIDDEN[type]?.includes(name)) return hidden(value, name);
  if (KNOWN[type]?.includes(name)) return refuse(`the method ${name} of ${type}`);
  if (typeof value === "string") {
    const found = STRING_METHODS.get(name);
    if (found !== undefined) return method(name, (given, env) => found(value, given, env));
    if (name === "format") return method(name, (given, env) => braceFormat(value, given, lookupOf(env), env));
    if (name === "format_map") {
      return method(name, (given, env) =>
        braceFormat(value, namedOf(bind(name, "mapping /", given)[0]!), lookupOf(env), env),
      );
    }
    return undefined;
  }
  if (value instanceof Markup) {
    if (!STRING_METHODS.has(name) && !["format", "format_map"].includes(name)) return undefined;
    return method(
      name,
      (given, env) =>
        markupMethod(name, value.text, given, env) ?? refuse(`the method ${name} of a text marked as safe`),
    );
  }
  if (value instanceof Dict) return dictAttribute(value, name);
  if (isList(value)) {
    if (name === "copy") return method(name, () => value);
    return searching(name, value);
  }
  if (value instanceof Tuple) {
    const named = value.names?.indexOf(name) ?? -1;
    return named === -1 ? searching(name, value.items) : value.items[named]!;
  }
  if (value instanceof Range) {
    if (name === "start" || name === "stop" || name === "step") return value[name];
    return searching(name, value.items());
  }
  if (typeof value === "bigint" || typeof value === "boolean") return intAttribute(BigInt(value), name);
  if (typeof value === "number") {
    if (name === "real") return value;
    if (name === "imag") return 0;
    if (name === "conjugate") return method(name, () => value);
    return name === "is_integer" ? method(name, () => Number.isInteger(value)) : undefined;
  }
  if (value instanceof Callable)
    return value.typeName === "Macro" ? refuse(`the attribute ${name} of a macro`) : undefined;
  return undefined;
}

function intAttribute(value: bigint, name: string): Value | undefined {
  if (name === "real" || name === "numerator") return value;
  if (name === "imag") return 0n;
  if (name === "denominator") return 1n;
  if (name === "conjugate") return method(name, () => value);
  if (name === "bit_length")
    return method(name, () => BigInt(value === 0n ? 0 : (value < 0n ? -value : value).toString(2).length));
  return undefined;
}

function searching(name: string, items: readonly Value[]): Value | undefined {
  if (name === "count") {
    return method(name, (given, env) => {
      const [item] = bind(name, "value /", given);
      return BigInt(items.filter((each) => equal(each, item!, env)).length);
    });
  }
  if (name !== "index") return undefined;
  return method(name, (given, env) => {
    const [item, start, stop] = bind(name, "value start= stop= /", given);
    const bound = (index: number): number => Math.max(index < 0 ? index + items.length : index, 0);
    const to = bound(intArgument(stop, items.length, name));
    for (let i = bound(intArgument(start, 0, name)); i < Math.min(to, items.length); i++) {
      if (equal(items[i]!, item!, env)) return BigInt(i);
    }
    return fail("the value is not in the list");
  });
}

function dictAttribute(value: Dict, name: string): Value | undefined {
  if (name === "keys" || name === "values" || name === "items") {
    return method(name, (given) => {
      bind(name, "", given);
      return new DictView(`dict_${name}`, value);
    });
  }
  if (name === "get") {
    return method(name, (given) => {
      const [key, standard] = bind(name, "key default= /", given);
      return orElse(value.get(key!), () => (standard === undefined ? null : standard));
    });
  }
  return name === "copy" ? method(name, () => value) : undefined;
}

/** Python's `value[key]`; undefined where there is no such element. */
function ownItem(value: Value, key: Value, env: Env): Value | undefined {
  if (value instanceof Undefined) return fail(value.message);
  if (value instanceof Dict) return hashable(key) ? value.get(key) : undefined;
  const size =
    textOf(value) !== undefined || isList(value) || value instanceof Tuple || value instanceof Range
      ? sizeOf(value)!
      : 0;
  if (size === 0 || (typeof key !== "bigint" && typeof key !== "boolean")) return undefined;
  const given = Number(key);
  const index = given < 0 ? given + size : given;
  if (index < 0 || index >= size) return undefined;
  if (isList(value)) return value[index];
  if (value instanceof Tuple) return value.items[index];
  if (value instanceof Range) return value.at(index);
  const text = textOf(value)!;
  env.budget.step(text.length >> 8);
  const character = text.length === size ? text[index]! : points(text)[index]!;
  return value instanceof Markup ? new Markup(character) : character;
}

function hashable(key: Value): boolean {
  if (key instanceof Tuple) return key.items.every(hashable);
  return !isList(key) && !(key instanceof Dict) && !(key instanceof DictView);
}

/** `value.name` of a template: the attribute, or else the element of that name. */
export function getAttribute(value: Value, name: string, env: Env): Value {
  return orElse(ownAttribute(value, name), () => orElse(ownItem(value, name, env), () => missing(value, name)));
}

/** `value[key]` of a template: the element, or else the attribute of that name. */
export function getItem(value: Value, key: Value, env: Env): Value {
  const item = ownItem(value, key, env);
  if (item !== undefined) return item;
  const name = textOf(key);
  const attribute = name === undefined ? undefined : ownAttribute(value, name);
  return orElse<Value>(attribute, () => missing(value, key));
}

/** The filter `attr`: the attribute alone. */
export function attributeAlone(value: Value, name: string): Value {
  return orElse<Value>(ownAttribute(value, name), () => missing(value, name));
}

export function call(value: Value, given: Args, env: Env): Value {
  env.budget.step();
  if (value instanceof Callable) return value.call(given, env);
  if (value instanceof Undefined) return fail(value.message);
  if (value instanceof Live && value.call !== undefined) return value.call(given, env);
  return fail(`'${typeName(value)}' object is not callable`);
}

export function isCallable(value: Value): boolean {
  return value instanceof Callable || value instanceof Undefined || (value instanceof Live && value.call !== undefined);
}

/** The parts of an attribute's path as filters take it: `a.b.0`. */
export function pathOf(attribute: Value): Value[] {
  const text = textOf(attribute);
  if (text !== undefined) return text.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part));
  return attribute === null ? [] : [attribute];
}

/** Follows a path of attributes. `standard` stands in for what is not there, unless it is None. */
export function follow(value: Value, path: readonly Value[], env: Env, standard: Value = null): Value {
  let at = value;
  for (const part of path) {
    at = getItem(at, part, env);
    if (standard !== null && at instanceof Undefined) at = standard;
  }
  return at;
}

function lookupOf(env: Env): Lookup {
  return {
    attribute: (value, name) => getAttribute(value, name, env),
    item: (value, key) => getItem(value, key, env),
  };
}
