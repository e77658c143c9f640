import { intArgument, textArgument } from "../arguments.ts";
import { attributeAlone, follow, pathOf } from "../attributes.ts";
import { points } from "../characters.ts";
import { fail, refuse } from "../fault.ts";
import { binary, equal, isIterable, iterate, listOf, ordered, sizeOf, truth } from "../operators.ts";
import { str } from "../text.ts";
import {
  orElse,
  type Args,
  Dict,
  DictView,
  type Env,
  hashKey,
  isList,
  Markup,
  OneShot,
  Range,
  textOf,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "../values.ts";
import { type Filter, filter } from "./filter.ts";

/** Texts are compared in lower case, unless told otherwise. */
function folded(value: Value, caseSensitive: Value | undefined): Value {
  if (caseSensitive !== undefined && truth(caseSensitive)) return value;
  const text = textOf(value);
  return text === undefined ? value : text.toLowerCase();
}

function attributeOf(attribute: Value | undefined, env: Env, standard?: Value): (item: Value) => Value {
  const path = pathOf(attribute ?? null);
  return (item) => follow(item, path, env, standard);
}

/** Sorts by keys, stably. */
function sortedBy(items: readonly Value[], keyOf: (item: Value) => Value, reverse: boolean, env: Env): Value[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  return keyed
    .toSorted((a, b) => {
      const [left, right] = reverse ? [b.key, a.key] : [a.key, b.key];
      return ordered(left, "<", right, env) ? -1 : ordered(right, "<", left, env) ? 1 : 0;
    })
    .map(({ item }) => item);
}

function sort(value: Value, [reverse, caseSensitive, attribute]: readonly (Value | undefined)[], env: Env): Value {
  const text = attribute === undefined || attribute === null ? undefined : textOf(attribute);
  const paths = (text === undefined ? [attribute ?? null] : text.split(",")).map((part) => pathOf(part));
  const keyOf = (item: Value): Value => paths.map((path) => folded(follow(item, path, env), caseSensitive));
  return sortedBy(listOf(value, env), keyOf, reverse !== undefined && truth(reverse), env);
}

function dictsort(value: Value, [caseSensitive, by, reverse]: readonly (Value | undefined)[], env: Env): Value {
  const place = by === undefined ? 0 : ["key", "value"].indexOf(str(by));
  if (place === -1) fail('You can only sort by either "key" or "value"');
  if (!(value instanceof Dict)) return fail(value instanceof Undefined ? value.message : "dictsort takes a mapping");
  const pairs = value.entries().map((entry) => new Tuple(entry));
  const keyOf = (pair: Value): Value => folded((pair as Tuple).items[place]!, caseSensitive);
  return sortedBy(pairs, keyOf, reverse !== undefined && truth(reverse), env);
}

function extreme(name: "min" | "max"): readonly [string, Filter] {
  return filter(name, "case_sensitive= attribute=", (value, [caseSensitive, attribute], env) => {
    const of = attributeOf(attribute, env);
    let best: { item: Value; key: Value } | undefined;
    for (const item of listOf(value, env)) {
      const key = folded(of(item), caseSensitive);
      if (best === undefined || ordered(key, name === "min" ? "<" : ">", best.key, env)) best = { item, key };
    }
    return best === undefined ? new Undefined("No aggregated item, sequence was empty.") : best.item;
  });
}

function groupby(value: Value, [attribute, standard, caseSensitive]: readonly (Value | undefined)[], env: Env): Value {
  const of = attributeOf(attribute, env, standard);
  const keyOf = (item: Value): Value => folded(of(item), caseSensitive);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sortedBy(listOf(value, env), keyOf, false, env)) {
    const key = keyOf(item);
    const last = groups.at(-1);
    if (last !== undefined && equal(last.key, key, env)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  const exact = caseSensitive !== undefined && truth(caseSensitive);
  return groups.map(({ key, items }) => new Tuple([exact ? key : of(items[0]!), items], ["grouper", "list"]));
}

function* unique(value: Value, caseSensitive: Value | undefined, of: (item: Value) => Value): Generator<Value> {
  const seen = new Set<unknown>();
  for (const item of iterate(value)) {
    const key = hashKey(folded(of(item), caseSensitive));
    if (!seen.has(key)) yield item;
    seen.add(key);
  }
}

function* batches(value: Value, size: number, fill: Value | undefined, env: Env): Generator<Value> {
  let batch: Value[] = [];
  for (const item of iterate(value)) {
    env.budget.step();
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
    batch.push(item);
  }
  if (batch.length === 0) return;
  if (fill !== undefined && fill !== null && batch.length < size) {
    env.budget.make(size);
    batch.push(...Array.from({ length: size - batch.length }, () => fill));
  }
  yield batch;
}

function* slices(items: readonly Value[], count: number, fill: Value | undefined, env: Env): Generator<Value> {
  if (count === 0) fail("division by zero");
  const size = Math.floor(items.length / count);
  const extra = items.length - size * count;
  for (let i = 0, from = 0; i < count; i++) {
    env.budget.step();
    const to = from + size + (i < extra ? 1 : 0);
    const part = items.slice(from, to);
    yield fill !== undefined && fill !== null && i >= extra ? [...part, fill] : part;
    from = to;
  }
}

function* mapped(value: Value, { positional, named }: Args, env: Env): Generator<Value> {
  if (!truth(value)) return;
  let apply: (item: Value) => Value;
  if (positional.length === 0 && named.has("attribute")) {
    const standard = named.get("default") ?? null;
    const other = [...named.keys()].find((name) => name !== "attribute" && name !== "default");
    if (other !== undefined) fail(`Unexpected keyword argument '${other}'`);
    apply = attributeOf(named.get("attribute"), env, standard);
  } else {
    if (positional.length === 0) fail("map requires a filter argument");
    const name = textArgument(positional[0], "map");
    const rest = { positional: positional.slice(1), named };
    apply = (item) => env.filter(name, item, rest);
  }
  for (const item of iterate(value)) {
    env.budget.step();
    yield apply(item);
  }
}

function selecting(name: string, wanted: boolean, byAttribute: boolean): readonly [string, Filter] {
  function* select(value: Value, { positional, named }: Args, env: Env): Generator<Value> {
    if (!truth(value)) return;
    if (byAttribute && positional.length === 0) fail("Missing parameter for attribute name");
    const of = byAttribute ? attributeOf(positional[0], env) : (item: Value): Value => item;
    const [test, ...rest] = positional.slice(byAttribute ? 1 : 0);
    const holds =
      test === undefined
        ? truth
        : (item: Value): boolean => env.test(textArgument(test, name), item, { positional: rest, named });
    for (const item of iterate(value)) {
      env.budget.step();
      if (holds(of(item)) === wanted) yield item;
    }
  }
  return [name, (value, given, env) => new OneShot(select(value, given, env))];
}

function reverse(value: Value, env: Env): Value {
  const text = textOf(value);
  if (text !== undefined) {
    const turned = points(text).toReversed().join("");
    return value instanceof Markup ? new Markup(turned) : turned;
  }
  if (!isIterable(value)) return fail("argument must be iterable");
  if (value instanceof Undefined) return [];
  const items = listOf(value, env).toReversed();
  if (value instanceof OneShot) return items;
  return new OneShot(items, isList(value) ? "list_reverseiterator" : "reversed");
}

const LAST_OF = [Tuple, Dict, DictView, Range, Undefined] as const;

/** Filters of lists and other sequences. */
export const SEQUENCE_FILTERS: readonly (readonly [string, Filter])[] = [
  filter("default", "default_value= boolean=", orDefault),
  filter("d", "default_value= boolean=", orDefault),
  filter("length", "", lengthOf),
  filter("count", "", lengthOf),
  filter("list", "", (value, _, env) => [...listOf(value, env)]),
  filter("first", "", (value) => {
    for (const item of iterate(value)) return item;
    return new Undefined("No first item, sequence was empty.");
  }),
  filter("last", "", (value, _, env) => {
    const reversible = textOf(value) !== undefined || isList(value) || LAST_OF.some((kind) => value instanceof kind);
    if (!reversible) fail(`'${typeName(value)}' object is not reversible`);
    return orElse(listOf(value, env).at(-1), () => new Undefined("No last item, sequence was empty."));
  }),
  filter("join", "d= attribute=", (value, [between, attribute], env) => {
    const of = attributeOf(attribute, env);
    const separator = between === undefined ? "" : str(between);
    const parts = [...iterate(value)].map((item) => str(of(item)));
    env.budget.step(parts.length);
    env.budget.make(parts.reduce((size, part) => size + part.length + separator.length, 0));
    return parts.join(separator);
  }),
  filter("reverse", "", (value, _, env) => reverse(value, env)),
  filter("sort", "reverse= case_sensitive= attribute=", sort),
  filter("dictsort", "case_sensitive= by= reverse=", dictsort),
  extreme("min"),
  extreme("max"),
  filter("sum", "attribute= start=", (value, [attribute, start], env) => {
    const of = attributeOf(attribute, env);
    if (start !== undefined && textOf(start) !== undefined) fail("sum() can't sum strings");
    return listOf(value, env).reduce<Value>(
      (sum, item) => binary("+", sum, of(item), env),
      start === undefined ? 0n : start,
    );
  }),
  filter(
    "unique",
    "case_sensitive= attribute=",
    (value, [caseSensitive, attribute], env) => new OneShot(unique(value, caseSensitive, attributeOf(attribute, env))),
  ),
  filter("groupby", "attribute default= case_sensitive=", groupby),
  filter(
    "batch",
    "linecount fill_with=",
    (value, [size, fill], env) => new OneShot(batches(value, intArgument(size, 0, "batch"), fill, env)),
  ),
  filter(
    "slice",
    "slices fill_with=",
    (value, [count, fill], env) => new OneShot(slices(listOf(value, env), intArgument(count, 0, "slice"), fill, env)),
  ),
  filter("items", "", (value) => {
    if (value instanceof Undefined) return new OneShot([]);
    if (!(value instanceof Dict)) return new OneShot(failing("Can only get item pairs from a mapping."));
    return new OneShot(value.entries().map((entry) => new Tuple(entry)));
  }),
  filter("attr", "name", (value, [name]) => attributeAlone(value, textArgument(name, "attr"))),
  ["map", (value, given, env) => new OneShot(mapped(value, given, env))],
  selecting("select", true, false),
  selecting("reject", false, false),
  selecting("selectattr", true, true),
  selecting("rejectattr", false, true),
  ["random", () => refuse("the filter random")],
];

function* failing(message: string): Generator<Value> {
  yield fail(message);
}

function orDefault(value: Value, [standard, boolean]: readonly (Value | undefined)[]): Value {
  const missing = value instanceof Undefined || (boolean !== undefined && truth(boolean) && !truth(value));
  if (!missing) return value;
  return standard === undefined ? "" : standard;
}

function lengthOf(value: Value): Value {
  const size = sizeOf(value);
  return size === undefined ? fail(`object of type '${typeName(value)}' has no len()`) : BigInt(size);
}
