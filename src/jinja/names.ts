import type { Arguments, Expression, MacroBody, Statement, Target } from "./nodes.ts";

/** A use of a name in a template, in the order of the text. */
export interface NameUse {
  readonly name: string;
  readonly how: "load" | "store" | "parameter";
}

/** The expressions right under an expression. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "constant":
    case "name":
      return [];
    case "list":
    case "tuple":
      return expression.items;
    case "dict":
      return expression.entries.flat();
    case "attribute":
      return [expression.of];
    case "item":
      return [expression.of, expression.key];
    case "slice":
      return given(expression.of, expression.start, expression.stop, expression.step);
    case "call":
      return [expression.of, ...argumentsOf(expression.args)];
    case "filter":
      return [...given(expression.of), ...argumentsOf(expression.args)];
    case "test":
      return [expression.of, ...argumentsOf(expression.args)];
    case "unary":
      return [expression.of];
    case "binary":
    case "and":
    case "or":
      return [expression.left, expression.right];
    case "concat":
      return expression.parts;
    case "compare":
      return [expression.first, ...expression.rest.map(([, operand]) => operand)];
    default:
      return given(expression.test, expression.value, expression.otherwise);
  }
}

function given(...expressions: readonly (Expression | undefined)[]): Expression[] {
  return expressions.filter((expression) => expression !== undefined);
}

function argumentsOf({ positional, named, spread, spreadNamed }: Arguments): Expression[] {
  return [...positional, ...named.map(([, value]) => value), ...given(spread, spreadNamed)];
}

/** The names that an expression reads. */
export function* loadsOf(expression: Expression | undefined): Generator<string> {
  if (expression === undefined) return;
  if (expression.kind === "name") yield expression.name;
  for (const part of partsOf(expression)) yield* loadsOf(part);
}

/** The names that are assigned to; `namespace.attribute` reads its name and stores none. */
export function* storesOf(target: Target): Generator<string> {
  if (target.kind === "name") yield target.name;
  if (target.kind === "targets") for (const item of target.items) yield* storesOf(item);
}

/** Each use of a name in statements and all that is in them. */
export function* usesIn(statements: readonly Statement[]): Generator<NameUse> {
  for (const statement of statements) yield* usesOf(statement);
}

function* usesOf(statement: Statement): Generator<NameUse> {
  switch (statement.kind) {
    case "output":
      for (const part of statement.parts) if (typeof part !== "string") yield* read(part);
      break;
    case "if":
      for (const { test, body } of statement.branches) {
        yield* read(test);
        yield* usesIn(body);
      }
      yield* usesIn(statement.otherwise);
      break;
    case "for":
      yield* stored(statement.target);
      yield* read(statement.iterable);
      yield* usesIn(statement.body);
      yield* usesIn(statement.otherwise);
      yield* read(statement.test);
      break;
    case "set":
      yield* stored(statement.target);
      yield* read(statement.value);
      break;
    case "set-block":
      yield* stored(statement.target);
      yield* read(statement.filter);
      yield* usesIn(statement.body);
      break;
    case "macro":
      yield* macroUses(statement.macro);
      break;
    case "call-block":
      yield* read(statement.call);
      yield* macroUses(statement.caller);
      break;
    case "generation":
      yield* macroUses(statement.caller);
      break;
    case "filter-block":
      yield* usesIn(statement.body);
      yield* read(statement.filter);
      break;
    case "with":
      for (const target of statement.targets) for (const name of storesOf(target)) yield { name, how: "parameter" };
      for (const value of statement.values) yield* read(value);
      yield* usesIn(statement.body);
      break;
    default:
  }
}

function* macroUses({ parameters, body }: MacroBody): Generator<NameUse> {
  for (const { name } of parameters) yield { name, how: "parameter" };
  for (const { standard } of parameters) yield* read(standard);
  yield* usesIn(body);
}

function* read(expression: Expression | undefined): Generator<NameUse> {
  for (const name of loadsOf(expression)) yield { name, how: "load" };
}

function* stored(target: Target): Generator<NameUse> {
  for (const name of storesOf(target)) yield { name, how: "store" };
}

/** Of some names, those that are read before they are assigned to, in the order of the text. */
export function undeclared(statements: readonly Statement[], names: readonly string[]): Set<string> {
  const open = new Set(names);
  const found = new Set<string>();
  for (const { name, how } of usesIn(statements)) {
    if (how === "load" && open.has(name)) found.add(name);
    else if (how !== "load") open.delete(name);
  }
  return found;
}
