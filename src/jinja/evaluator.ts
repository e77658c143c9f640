import { call, getAttribute, getItem } from "./attributes.ts";
import { fail, TemplateFault } from "./fault.ts";
import type { Arguments, Expression } from "./nodes.ts";
import { binary, contains, equal, iterate, ordered, slice, truth, unary } from "./operators.ts";
import type { Scope } from "./scope.ts";
import { str } from "./text.ts";
import { orElse, type Args, Dict, type Env, textOf, Tuple, Undefined, type Value } from "./values.ts";

/** Works out an expression. */
export function evaluate(expression: Expression, scope: Scope, env: Env): Value {
  env.budget.step();
  try {
    return valueOf(expression, scope, env);
  } catch (error) {
    if (error instanceof TemplateFault) error.line ??= expression.line;
    throw error;
  }
}

function valueOf(expression: Expression, scope: Scope, env: Env): Value {
  const value = (part: Expression): Value => evaluate(part, scope, env);
  const optional = (part: Expression | undefined): Value => (part === undefined ? null : value(part));
  switch (expression.kind) {
    case "constant":
      return expression.value;
    case "name":
      return orElse<Value>(scope.read(expression.name), () => new Undefined(`'${expression.name}' is undefined`));
    case "list":
      return expression.items.map(value);
    case "tuple":
      return new Tuple(expression.items.map(value));
    case "dict":
      return new Dict(expression.entries.map(([key, item]) => [value(key), value(item)] as const));
    case "attribute":
      return getAttribute(value(expression.of), expression.name, env);
    case "item":
      return getItem(value(expression.of), value(expression.key), env);
    case "slice":
      return slice(
        value(expression.of),
        optional(expression.start),
        optional(expression.stop),
        optional(expression.step),
        env,
      );
    case "call":
      return call(value(expression.of), argumentsOf(expression.args, scope, env), env);
    case "filter":
      return env.filter(expression.name, value(expression.of!), argumentsOf(expression.args, scope, env));
    case "test":
      return env.test(expression.name, value(expression.of), argumentsOf(expression.args, scope, env));
    case "unary":
      return expression.operator === "not"
        ? !truth(value(expression.of))
        : unary(expression.operator, value(expression.of));
    case "binary":
      return binary(expression.operator, value(expression.left), value(expression.right), env);
    case "and": {
      const left = value(expression.left);
      return truth(left) ? value(expression.right) : left;
    }
    case "or": {
      const left = value(expression.left);
      return truth(left) ? left : value(expression.right);
    }
    case "concat": {
      const text = expression.parts.map((part) => str(value(part))).join("");
      env.budget.make(text.length);
      return text;
    }
    case "compare":
      return compared(expression, value, env);
    default:
      if (truth(value(expression.test))) return value(expression.value);
      if (expression.otherwise !== undefined) return value(expression.otherwise);
      return new Undefined(
        `the inline if-expression on line ${expression.line} evaluated to false and no else section was defined.`,
      );
  }
}

function compared(
  { first, rest }: Extract<Expression, { kind: "compare" }>,
  value: (part: Expression) => Value,
  env: Env,
): boolean {
  let left = value(first);
  for (const [operator, operand] of rest) {
    const right = value(operand);
    if (!compare(left, operator, right, env)) return false;
    left = right;
  }
  return true;
}

function compare(left: Value, operator: string, right: Value, env: Env): boolean {
  switch (operator) {
    case "==":
      return equal(left, right, env);
    case "!=":
      return !equal(left, right, env);
    case "in":
      return contains(right, left, env);
    case "not in":
      return !contains(right, left, env);
    default:
      return ordered(left, operator as "<", right, env);
  }
}

export function argumentsOf({ positional, named, spread, spreadNamed }: Arguments, scope: Scope, env: Env): Args {
  const values = positional.map((part) => evaluate(part, scope, env));
  const names = new Map(named.map(([name, part]) => [name, evaluate(part, scope, env)]));
  if (spread !== undefined) values.push(...iterate(evaluate(spread, scope, env)));
  if (spreadNamed !== undefined) {
    const mapping = evaluate(spreadNamed, scope, env);
    if (!(mapping instanceof Dict)) return fail("argument after ** must be a mapping");
    for (const [key, item] of mapping.entries()) {
      const name = textOf(key) ?? fail("keywords must be strings");
      if (names.has(name)) fail(`got multiple values for keyword argument '${name}'`);
      names.set(name, item);
    }
  }
  return { positional: values, named: names };
}
