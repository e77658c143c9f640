import { TemplateFault } from "./fault.ts";
import { loadsOf, partsOf, storesOf, undeclared, usesIn } from "./names.ts";
import type { Expression, MacroBody, Statement, Target } from "./nodes.ts";

/**
 * What a name is when a frame is entered. Jinja fixes this before it renders: a name that a frame assigns to is not looked
 * up outside of it, even where it is read earlier by what the frame holds (a loop, a macro).
 */
export type Origin = "parameter" | "unset" | "context" | "outer";

export interface Frame {
  readonly names: readonly (readonly [name: string, origin: Origin])[];
}

/** A loop's frames. `usesLoop`: its body reads `loop`. */
export interface LoopFrames {
  readonly body: Frame;
  readonly test: Frame | undefined;
  readonly otherwise: Frame | undefined;
  readonly usesLoop: boolean;
}

export interface MacroFrame extends Frame {
  readonly takesCaller: boolean;
  /** `caller` is one of the parameters. */
  readonly namesCaller: boolean;
  readonly takesNamed: boolean;
  readonly takesRest: boolean;
}

/** The frames of a template, by the statement that has them. */
export interface Scopes {
  readonly root: Frame;
  readonly loops: ReadonlyMap<Statement, LoopFrames>;
  readonly macros: ReadonlyMap<MacroBody, MacroFrame>;
  /** Of `with`, set blocks and filter blocks. */
  readonly blocks: ReadonlyMap<Statement, Frame>;
}

/** Works out the frames. `known` tells if there is a filter or a test of a name. */
export function analyse(
  template: readonly Statement[],
  known: (kind: "filter" | "test", name: string) => boolean,
): Scopes {
  return new Analysis(known).template(template);
}

class Symbols {
  readonly parent: Symbols | undefined;
  origins = new Map<string, Origin>();
  stores = new Set<string>();

  constructor(parent: Symbols | undefined) {
    this.parent = parent;
  }
  has(name: string): boolean {
    return this.origins.has(name) || (this.parent?.has(name) ?? false);
  }
  copy(): Symbols {
    const copy = new Symbols(this.parent);
    copy.origins = new Map(this.origins);
    copy.stores = new Set(this.stores);
    return copy;
  }
  load(name: string): void {
    if (!this.has(name)) this.origins.set(name, "context");
  }
  store(name: string): void {
    this.stores.add(name);
    if (!this.origins.has(name)) this.origins.set(name, this.parent?.has(name) === true ? "outer" : "unset");
  }
  parameter(name: string): void {
    this.stores.add(name);
    this.origins.set(name, "parameter");
  }
  /** Takes over what the branches of a condition do. What not all of them assign to comes from outside. */
  join(branches: readonly Symbols[]): void {
    const counts = new Map<string, number>();
    for (const { stores } of branches) {
      for (const name of stores) if (!this.stores.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const branch of branches) {
      for (const [name, origin] of branch.origins) this.origins.set(name, origin);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const [name, count] of counts) {
      if (count < branches.length) this.origins.set(name, this.parent?.has(name) === true ? "outer" : "context");
    }
  }
  frame(): Frame {
    return { names: [...this.origins] };
  }
}

class Analysis {
  readonly #known: (kind: "filter" | "test", name: string) => boolean;
  readonly #loops = new Map<Statement, LoopFrames>();
  readonly #macros = new Map<MacroBody, MacroFrame>();
  readonly #blocks = new Map<Statement, Frame>();

  constructor(known: (kind: "filter" | "test", name: string) => boolean) {
    this.#known = known;
  }

  template(statements: readonly Statement[]): Scopes {
    const symbols = new Symbols(undefined);
    collect(statements, symbols);
    this.#inside(statements, symbols, false);
    return { root: symbols.frame(), loops: this.#loops, macros: this.#macros, blocks: this.#blocks };
  }

  /** Goes into the frames within statements. `soft`: within a condition, where an unknown filter is no error yet. */
  #inside(statements: readonly Statement[], symbols: Symbols, soft: boolean): void {
    for (const statement of statements) this.#statement(statement, symbols, soft);
  }

  #statement(statement: Statement, symbols: Symbols, soft: boolean): void {
    switch (statement.kind) {
      case "output":
        for (const part of statement.parts) if (typeof part !== "string") this.#check(part, soft);
        break;
      case "if":
        for (const { test, body } of statement.branches) {
          this.#check(test, true);
          this.#inside(body, symbols, true);
        }
        this.#inside(statement.otherwise, symbols, true);
        break;
      case "for":
        this.#loop(statement, symbols, soft);
        break;
      case "set":
        this.#check(statement.value, soft);
        break;
      case "set-block":
        this.#block(statement, symbols, statement.filter, []);
        break;
      case "filter-block":
        this.#block(statement, symbols, statement.filter, [], [statement.filter]);
        break;
      case "with":
        for (const value of statement.values) this.#check(value, soft);
        this.#block(statement, symbols, undefined, statement.targets);
        break;
      case "macro":
        this.#macro(statement.macro, symbols);
        break;
      case "call-block":
        this.#macro(statement.caller, symbols);
        this.#check(statement.call, soft);
        break;
      case "generation":
        this.#macro(statement.caller, symbols);
        break;
      default:
    }
  }

  #block(
    statement: Statement & { readonly body: readonly Statement[] },
    outer: Symbols,
    filter: Expression | undefined,
    targets: readonly Target[],
    loads: readonly Expression[] = [],
  ): void {
    const symbols = new Symbols(outer);
    for (const target of targets) for (const name of storesOf(target)) symbols.parameter(name);
    collect(statement.body, symbols);
    for (const expression of loads) for (const name of loadsOf(expression)) symbols.load(name);
    this.#blocks.set(statement, symbols.frame());
    this.#inside(statement.body, symbols, false);
    if (filter !== undefined) this.#check(filter, false);
  }

  #loop(statement: Extract<Statement, { kind: "for" }>, outer: Symbols, soft: boolean): void {
    const { target, iterable, test, recursive, body, otherwise, line } = statement;
    for (const { name, how } of usesIn([statement])) {
      if (name === "loop" && how === "store") throw fault("Can't assign to special loop variable in for-loop", line);
    }
    this.#check(iterable, soft);
    const usesLoop = recursive || undeclared(body, ["loop"]).size > 0;
    const inner = new Symbols(outer);
    if (usesLoop) inner.parameter("loop");
    for (const name of storesOf(target)) inner.parameter(name);
    collect(body, inner);
    let testFrame: Frame | undefined;
    if (test !== undefined) {
      const symbols = new Symbols(outer);
      for (const name of storesOf(target)) symbols.parameter(name);
      for (const name of loadsOf(test)) symbols.load(name);
      testFrame = symbols.frame();
      this.#check(test, false);
    }
    const rest = new Symbols(outer);
    collect(otherwise, rest);
    this.#loops.set(statement, { body: inner.frame(), test: testFrame, otherwise: rest.frame(), usesLoop });
    this.#inside(body, inner, false);
    this.#inside(otherwise, rest, false);
  }

  #macro(macro: MacroBody, outer: Symbols): void {
    const symbols = new Symbols(outer);
    const { parameters, body, line } = macro;
    for (const { name } of parameters) symbols.parameter(name);
    for (const { standard } of parameters) for (const name of loadsOf(standard)) symbols.load(name);
    collect(body, symbols);
    const special = undeclared(body, ["caller", "kwargs", "varargs"]);
    const named = (name: string): boolean => parameters.some((parameter) => parameter.name === name);
    const takes = (name: string): boolean => special.has(name) && !named(name);
    if (special.has("caller") && parameters.some(({ name, standard }) => name === "caller" && standard === undefined)) {
      throw fault('the special "caller" argument of a macro must be omitted or be given a default', line);
    }
    for (const name of ["caller", "kwargs", "varargs"]) if (takes(name)) symbols.parameter(name);
    this.#macros.set(macro, {
      ...symbols.frame(),
      takesCaller: special.has("caller"),
      namesCaller: named("caller"),
      takesNamed: takes("kwargs"),
      takesRest: takes("varargs"),
    });
    for (const { standard } of parameters) if (standard !== undefined) this.#check(standard, false);
    this.#inside(body, symbols, false);
  }

  /** An unknown filter or test is an error before rendering, but for those in a condition. */
  #check(expression: Expression, soft: boolean): void {
    const { kind, line } = expression;
    if (!soft && (kind === "filter" || kind === "test") && !this.#known(kind, expression.name)) {
      throw fault(`No ${kind} named '${expression.name}'.`, line);
    }
    for (const part of partsOf(expression)) this.#check(part, soft || kind === "condition");
  }
}

function fault(message: string, line: number): TemplateFault {
  return new TemplateFault("error", message, line);
}

/** Notes what the statements of one frame read and assign to; not what the frames within it do. */
function collect(statements: readonly Statement[], symbols: Symbols): void {
  const load = (expression: Expression | undefined): void => {
    for (const name of loadsOf(expression)) symbols.load(name);
  };
  const store = (target: Target): void => {
    for (const name of storesOf(target)) symbols.store(name);
    for (const name of namespacesOf(target)) symbols.load(name);
  };
  for (const statement of statements) {
    switch (statement.kind) {
      case "output":
        for (const part of statement.parts) if (typeof part !== "string") load(part);
        break;
      case "if":
        collectBranches(statement.branches, statement.otherwise, symbols);
        break;
      case "for":
        load(statement.iterable);
        break;
      case "set":
        load(statement.value);
        store(statement.target);
        break;
      case "set-block":
        store(statement.target);
        break;
      case "macro":
        symbols.store(statement.macro.name!);
        break;
      case "call-block":
        load(statement.call);
        break;
      case "filter-block":
        load(statement.filter);
        break;
      case "with":
        for (const value of statement.values) load(value);
        break;
      default:
    }
  }
}

type If = Extract<Statement, { kind: "if" }>;

/** A later branch is a condition within the first one's own second branch, as Jinja has it. */
function collectBranches([first, ...later]: If["branches"], otherwise: If["otherwise"], symbols: Symbols): void {
  for (const name of loadsOf(first!.test)) symbols.load(name);
  const inBranch = (note: (branch: Symbols) => void): Symbols => {
    const branch = symbols.copy();
    note(branch);
    return branch;
  };
  symbols.join([
    inBranch((branch) => collect(first!.body, branch)),
    inBranch((branch) => {
      for (const each of later) collectBranches([each], [], branch);
    }),
    inBranch((branch) => collect(otherwise, branch)),
  ]);
}

function* namespacesOf(target: Target): Generator<string> {
  if (target.kind === "namespace") yield target.name;
  if (target.kind === "targets") for (const item of target.items) yield* namespacesOf(item);
}
