import { bind } from "./arguments.ts";
import { isCallable } from "./attributes.ts";
import { numberOf } from "./numbers.ts";
import { binary, contains, equal, isIterable, ordered, sizeOf } from "./operators.ts";
import { STRING_METHODS } from "./string-methods.ts";
import { str } from "./text.ts";
import { type Args, Dict, DictView, type Env, Live, Markup, textOf, Undefined, type Value } from "./values.ts";

/** A test: what stands after `is`. */
export type Test = (value: Value, given: Args, env: Env) => boolean;

function plain(name: string, holds: (value: Value, env: Env) => boolean): [string, Test] {
  return [
    name,
    (value, given, env) => {
      bind(name, "", given);
      return holds(value, env);
    },
  ];
}

function withOther(names: string, holds: (value: Value, other: Value, env: Env) => boolean): [string, Test][] {
  return names
    .split(" ")
    .map((name) => [name, (value, given, env) => holds(value, bind(name, "other", given)[0]!, env)]);
}

const remainder = (value: Value, by: Value, env: Env): Value => binary("%", value, by, env);
const isBool = (value: Value): boolean => typeof value === "boolean";
const method = (name: string, value: Value, env: Env): boolean =>
  STRING_METHODS.get(name)!(str(value), { positional: [], named: new Map() }, env) === true;

/** Python's `is`: small integers and texts of a template are one object, others we cannot know. */
function sameObject(a: Value, b: Value): boolean {
  return a === b;
}

/** The tests of Jinja by name. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  plain("odd", (value, env) => equal(remainder(value, 2n, env), 1n, env)),
  plain("even", (value, env) => equal(remainder(value, 2n, env), 0n, env)),
  ["divisibleby", (value, given, env) => equal(remainder(value, bind("divisibleby", "num", given)[0]!, env), 0n, env)],
  plain("defined", (value) => !(value instanceof Undefined)),
  plain("undefined", (value) => value instanceof Undefined),
  plain("filter", (value, env) => textOf(value) !== undefined && env.knows("filter", textOf(value)!)),
  plain("test", (value, env) => textOf(value) !== undefined && env.knows("test", textOf(value)!)),
  plain("none", (value) => value === null),
  plain("boolean", isBool),
  plain("true", (value) => value === true),
  plain("false", (value) => value === false),
  plain("integer", (value) => typeof value === "bigint"),
  plain("float", (value) => typeof value === "number"),
  plain("number", (value) => numberOf(value) !== undefined),
  plain("lower", (value, env) => method("islower", value, env)),
  plain("upper", (value, env) => method("isupper", value, env)),
  plain("string", (value) => textOf(value) !== undefined),
  plain("mapping", (value) => value instanceof Dict),
  plain("sequence", (value) => {
    if (value instanceof Live || value instanceof DictView) return false;
    return sizeOf(value) !== undefined;
  }),
  plain("iterable", isIterable),
  plain("callable", isCallable),
  plain("escaped", (value) => value instanceof Markup),
  ...withOther("sameas", sameObject),
  ["in", (value, given, env) => contains(bind("in", "seq", given)[0]!, value, env)],
  ...withOther("== eq equalto", equal),
  ...withOther("!= ne", (a, b, env) => !equal(a, b, env)),
  ...withOther("< lt lessthan", (a, b, env) => ordered(a, "<", b, env)),
  ...withOther("<= le", (a, b, env) => ordered(a, "<=", b, env)),
  ...withOther("> gt greaterthan", (a, b, env) => ordered(a, ">", b, env)),
  ...withOther(">= ge", (a, b, env) => ordered(a, ">=", b, env)),
]);
