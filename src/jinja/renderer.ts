import { argumentsOf, evaluate } from "./evaluator.ts";
import { call } from "./attributes.ts";
import { fail, TemplateFault } from "./fault.ts";
import { Loop } from "./loop.ts";
import type { Expression, MacroBody, Statement, Target } from "./nodes.ts";
import { iterate, truth } from "./operators.ts";
import { Scope } from "./scope.ts";
import type { Frame, Scopes } from "./scopes.ts";
import { str } from "./text.ts";
import {
  orElse,
  type Args,
  Callable,
  Dict,
  type Env,
  Namespace,
  textOf,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

/** A part of the text that stands between `{% generation %}` and its end, in UTF-16 units. */
export interface Generation {
  readonly start: number;
  readonly end: number;
}

type Ending = "break" | "continue" | undefined;

/** Macros that call themselves end here; Python's stack ends at about the same depth. */
const DEEPEST = 150;

/** Runs the statements of a template once. */
export class Renderer {
  readonly #scopes: Scopes;
  readonly #context: ReadonlyMap<string, Value>;
  readonly #env: Env;
  /** The text that is being written: the template's, or above it those of macros and blocks. */
  #buffers: string[][] = [[]];
  #written = 0;
  #depth = 0;
  readonly generations: Generation[] = [];
  /** `{% generation %}` stands within a macro or block: its place in the whole is not known. */
  generationsLost = false;

  constructor(scopes: Scopes, context: ReadonlyMap<string, Value>, env: Env) {
    this.#scopes = scopes;
    this.#context = context;
    this.#env = env;
  }

  render(template: readonly Statement[]): string {
    this.#run(template, this.#enter(this.#scopes.root, undefined));
    return this.#buffers[0]!.join("");
  }

  #enter(frame: Frame, outer: Scope | undefined): Scope {
    return new Scope(frame, outer, this.#context);
  }

  #write(text: string): void {
    this.#env.budget.make(text.length);
    this.#buffers.at(-1)!.push(text);
    if (this.#buffers.length === 1) this.#written += text.length;
  }

  /** Runs statements and returns what they write. */
  #captured(run: () => Ending): { text: string; ending: Ending } {
    const depth = this.#buffers.length;
    this.#buffers.push([]);
    try {
      const ending = run();
      return { text: this.#buffers.at(-1)!.join(""), ending };
    } finally {
      this.#buffers.length = depth;
    }
  }

  #run(statements: readonly Statement[], scope: Scope): Ending {
    for (const statement of statements) {
      this.#env.budget.step();
      try {
        const ending = this.#statement(statement, scope);
        if (ending !== undefined) return ending;
      } catch (error) {
        if (error instanceof TemplateFault) error.line ??= statement.line;
        throw error;
      }
    }
    return undefined;
  }

  #statement(statement: Statement, scope: Scope): Ending {
    switch (statement.kind) {
      case "output":
        for (const part of statement.parts) {
          this.#write(typeof part === "string" ? part : str(evaluate(part, scope, this.#env)));
        }
        return undefined;
      case "if":
        for (const { test, body } of statement.branches) {
          if (truth(evaluate(test, scope, this.#env))) return this.#run(body, scope);
        }
        return this.#run(statement.otherwise, scope);
      case "for":
        return this.#for(statement, scope);
      case "set":
        this.#assign(statement.target, evaluate(statement.value, scope, this.#env), scope);
        return undefined;
      case "set-block":
        return this.#setBlock(statement, scope);
      case "macro":
        scope.write(statement.macro.name!, this.#macro(statement.macro, scope));
        return undefined;
      case "call-block": {
        const caller = this.#macro(statement.caller, scope);
        if (statement.call.kind !== "call") return fail("expected call");
        const callee = evaluate(statement.call.of, scope, this.#env);
        const { positional, named } = argumentsOf(statement.call.args, scope, this.#env);
        if (named.has("caller")) fail("two values for the argument 'caller'");
        this.#writeText(call(callee, { positional, named: new Map([...named, ["caller", caller]]) }, this.#env));
        return undefined;
      }
      case "filter-block": {
        const inner = this.#enter(this.#scopes.blocks.get(statement)!, scope);
        const { text, ending } = this.#captured(() => this.#run(statement.body, inner));
        if (ending === undefined) this.#writeText(this.#filtered(statement.filter, text, inner));
        return ending;
      }
      case "with": {
        const values = statement.values.map((value) => evaluate(value, scope, this.#env));
        const inner = this.#enter(this.#scopes.blocks.get(statement)!, scope);
        for (const [i, target] of statement.targets.entries()) this.#assign(target, values[i]!, inner);
        return this.#run(statement.body, inner);
      }
      case "generation": {
        const text = str(this.#macro(statement.caller, scope).call({ positional: [], named: new Map() }, this.#env));
        if (this.#buffers.length > 1) this.generationsLost = true;
        else this.generations.push({ start: this.#written, end: this.#written + text.length });
        this.#write(text);
        return undefined;
      }
      default:
        return statement.kind;
    }
  }

  /** Jinja joins the results of such calls without making text of them. */
  #writeText(value: Value): void {
    this.#write(textOf(value) ?? fail("the result of a call or filter block is no text"));
  }

  #setBlock(statement: Extract<Statement, { kind: "set-block" }>, scope: Scope): Ending {
    const inner = this.#enter(this.#scopes.blocks.get(statement)!, scope);
    const { text, ending } = this.#captured(() => this.#run(statement.body, inner));
    if (ending !== undefined) return ending;
    this.#assign(
      statement.target,
      statement.filter === undefined ? text : this.#filtered(statement.filter, text, inner),
      scope,
    );
    return undefined;
  }

  /** Sends a text through the filters of a block. */
  #filtered(filter: Expression, text: string, scope: Scope): Value {
    if (filter.kind !== "filter") return evaluate(filter, scope, this.#env);
    const value = filter.of === undefined ? text : this.#filtered(filter.of, text, scope);
    return this.#env.filter(filter.name, value, argumentsOf(filter.args, scope, this.#env));
  }

  #assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === "name") scope.write(target.name, value);
    else if (target.kind === "namespace") {
      const namespace = scope.read(target.name);
      if (!(namespace instanceof Namespace)) fail("cannot assign attribute on non-namespace object");
      namespace.attributes.set(target.attribute, value);
    } else {
      const items = [...iterate(value)];
      if (items.length !== target.items.length) {
        fail(`cannot unpack ${items.length} values to ${target.items.length} names`);
      }
      for (const [i, item] of target.items.entries()) this.#assign(item, items[i]!, scope);
    }
  }

  #for(statement: Extract<Statement, { kind: "for" }>, scope: Scope): Ending {
    const iterable = evaluate(statement.iterable, scope, this.#env);
    if (!statement.recursive) return this.#loop(statement, scope, iterable, 0, undefined);
    const recurse = (inner: Value, depth0: number): Value =>
      this.#deeper(() => this.#captured(() => this.#loop(statement, scope, inner, depth0, recurse)).text);
    this.#write(recurse(iterable, 0) as string);
    return undefined;
  }

  #loop(
    statement: Extract<Statement, { kind: "for" }>,
    outer: Scope,
    iterable: Value,
    depth0: number,
    recurse: ((inner: Value, depth0: number) => Value) | undefined,
  ): Ending {
    const frames = this.#scopes.loops.get(statement)!;
    const { target, test, body, otherwise } = statement;
    const loop = new Loop(
      test === undefined ? iterable : this.#filteredItems(iterable, target, test, frames.test!, outer),
      depth0,
      recurse,
    );
    let none = true;
    for (let next = loop.next(); next.done !== true; next = loop.next()) {
      this.#env.budget.step();
      const scope = this.#enter(frames.body, outer);
      if (frames.usesLoop) scope.write("loop", loop);
      this.#assign(target, next.value, scope);
      const ending = this.#run(body, scope);
      if (ending === "break") break;
      // Jinja notes an iteration at its end, which `continue` and `break` do not reach.
      if (ending === undefined) none = false;
    }
    return none ? this.#run(otherwise, this.#enter(frames.otherwise!, outer)) : undefined;
  }

  *#filteredItems(iterable: Value, target: Target, test: Expression, frame: Frame, outer: Scope): Generator<Value> {
    for (const item of iterate(iterable)) {
      const scope = this.#enter(frame, outer);
      this.#assign(target, item, scope);
      if (truth(evaluate(test, scope, this.#env))) yield item;
    }
  }

  #deeper<T>(run: () => T): T {
    if (++this.#depth > DEEPEST) fail(`macros or loops call themselves more than ${DEEPEST} deep`);
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }

  #macro(macro: MacroBody, scope: Scope): Callable {
    const name = macro.name ?? "caller";
    return new Callable(
      name,
      (given) => this.#deeper(() => this.#callMacro(macro, scope, given)),
      "Macro",
      `<Macro ${macro.name === undefined ? "anonymous" : `'${name}'`}>`,
    );
  }

  #callMacro(macro: MacroBody, outer: Scope, given: Args): Value {
    const frame = this.#scopes.macros.get(macro)!;
    const scope = this.#enter(frame, outer);
    const { parameters } = macro;
    const { positional } = given;
    const named = new Map(given.named);
    const called = `macro '${macro.name ?? "caller"}'`;
    const take = (name: string): Value | undefined => {
      const value = named.get(name);
      named.delete(name);
      return value;
    };
    const values = parameters.map(({ name }, i) => (i < positional.length ? positional[i] : take(name)));
    if (frame.takesCaller && !frame.namesCaller)
      scope.write(
        "caller",
        orElse<Value>(take("caller"), () => new Undefined("No caller defined")),
      );
    if (frame.takesNamed) scope.write("kwargs", new Dict(named));
    else if (named.size > 0) fail(`${called} takes no keyword argument '${[...named.keys()][0]!}'`);
    if (frame.takesRest) scope.write("varargs", new Tuple(positional.slice(parameters.length)));
    else if (positional.length > parameters.length) {
      fail(`${called} takes not more than ${parameters.length} argument(s)`);
    }
    for (const [i, { name }] of parameters.entries()) scope.write(name, values[i]);
    for (const [i, { name, standard }] of parameters.entries()) {
      if (values[i] !== undefined) continue;
      const value = standard === undefined ? undefined : evaluate(standard, scope, this.#env);
      scope.write(
        name,
        orElse<Value>(value, () => new Undefined(`parameter '${name}' was not provided`)),
      );
    }
    return this.#captured(() => this.#run(macro.body, scope)).text;
  }
}
