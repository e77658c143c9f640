import type { Arguments, Expression, Target } from "./nodes.ts";
import { shown, type TokenStream } from "./token-stream.ts";

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);
/** Deeper nesting is an error in Python, too, where each level takes a dozen of its 1000 calls. */
const DEEPEST = 120;
const NO_ARGUMENTS: Arguments = { positional: [], named: [], spread: undefined, spreadNamed: undefined };

interface TupleOptions {
  readonly condition?: boolean;
  /** A name that ends the tuple. */
  readonly end?: string;
  readonly parenthesised?: boolean;
}

/** Parses expressions as Jinja does, with its precedence: `~` binds closer than `+`, filters closer than operators. */
export class ExpressionParser {
  readonly stream: TokenStream;
  #depth = 0;

  constructor(stream: TokenStream) {
    this.stream = stream;
  }

  expression(condition = true): Expression {
    if (++this.#depth > DEEPEST) this.stream.fail(`expressions are nested deeper than ${DEEPEST}`);
    const parsed = condition ? this.#condition() : this.#or();
    this.#depth--;
    return parsed;
  }

  /** An expression, or several with commas between them as a tuple. */
  tuple({ condition = true, end, parenthesised = false }: TupleOptions = {}): Expression {
    const { stream } = this;
    const { line } = stream.current;
    const items: Expression[] = [];
    let several = false;
    for (;;) {
      if (items.length > 0) stream.expect("operator", ",");
      if (this.#tupleEnds(end)) break;
      items.push(this.expression(condition));
      if (!stream.isOperator(",")) break;
      several = true;
    }
    if (!several) {
      if (items.length > 0) return items[0]!;
      if (!parenthesised) stream.fail(`Expected an expression, got ${shown(stream.current)}`);
    }
    return { kind: "tuple", items, line };
  }

  #tupleEnds(end: string | undefined): boolean {
    const { stream } = this;
    if (stream.is("variable_end") || stream.is("block_end") || stream.isOperator(")")) return true;
    return end !== undefined && stream.isName(end);
  }

  /** What is assigned to. `namespaces`: `name.attribute` too. */
  target(end?: string, namespaces = false): Target {
    const { stream } = this;
    const { line } = stream.current;
    const items: Target[] = [];
    let several = false;
    for (;;) {
      if (items.length > 0) stream.expect("operator", ",");
      if (this.#tupleEnds(end)) break;
      items.push(this.#oneTarget(namespaces));
      if (!stream.isOperator(",")) break;
      several = true;
    }
    if (!several && items.length > 0) return items[0]!;
    if (!several) stream.fail(`Expected a name, got ${shown(stream.current)}`);
    return { kind: "targets", items, line };
  }

  #oneTarget(namespaces: boolean): Target {
    const { stream } = this;
    if (stream.skipOperator("(")) {
      const inner = this.target(undefined, false);
      stream.expect("operator", ")");
      return inner;
    }
    if (!stream.is("name")) stream.fail(`can't assign to ${shown(stream.current)}`);
    const { text, line } = stream.next();
    if (CONSTANTS.has(text)) stream.fail(`can't assign to '${text}'`, line);
    if (namespaces && stream.skipOperator(".")) {
      return { kind: "namespace", name: text, attribute: stream.expect("name").text, line };
    }
    return { kind: "name", name: text, line };
  }

  /** A name alone. */
  targetName(): string {
    const { text, line } = this.stream.expect("name");
    if (CONSTANTS.has(text)) this.stream.fail(`can't assign to '${text}'`, line);
    return text;
  }

  #condition(): Expression {
    const { stream } = this;
    let { line } = stream.current;
    let parsed = this.#or();
    while (stream.skipName("if")) {
      const test = this.#or();
      const otherwise = stream.skipName("else") ? this.expression() : undefined;
      parsed = { kind: "condition", test, value: parsed, otherwise, line };
      ({ line } = stream.current);
    }
    return parsed;
  }

  #or(): Expression {
    const { line } = this.stream.current;
    let left = this.#and();
    while (this.stream.skipName("or")) left = { kind: "or", left, right: this.#and(), line };
    return left;
  }

  #and(): Expression {
    const { line } = this.stream.current;
    let left = this.#not();
    while (this.stream.skipName("and")) left = { kind: "and", left, right: this.#not(), line };
    return left;
  }

  #not(): Expression {
    const { line } = this.stream.current;
    if (!this.stream.skipName("not")) return this.#compare();
    if (++this.#depth > DEEPEST) this.stream.fail(`expressions are nested deeper than ${DEEPEST}`);
    const of = this.#not();
    this.#depth--;
    return { kind: "unary", operator: "not", of, line };
  }

  #compare(): Expression {
    const { stream } = this;
    const { line } = stream.current;
    const first = this.#sum();
    const rest: [string, Expression][] = [];
    for (;;) {
      if (stream.current.type === "operator" && COMPARISONS.has(stream.current.text)) {
        const operator = stream.next().text;
        rest.push([operator, this.#sum()]);
      } else if (stream.skipName("in")) rest.push(["in", this.#sum()]);
      else if (stream.isName("not") && stream.following.type === "name" && stream.following.text === "in") {
        stream.next();
        stream.next();
        rest.push(["not in", this.#sum()]);
      } else break;
    }
    return rest.length === 0 ? first : { kind: "compare", first, rest, line };
  }

  #sum(): Expression {
    return this.#binary(["+", "-"], () => this.#concat());
  }

  #concat(): Expression {
    const { line } = this.stream.current;
    const parts = [this.#product()];
    while (this.stream.skipOperator("~")) parts.push(this.#product());
    return parts.length === 1 ? parts[0]! : { kind: "concat", parts, line };
  }

  #product(): Expression {
    return this.#binary(["*", "/", "//", "%"], () => this.#power());
  }

  /** Left to right: Jinja's `2**3**2` is 64. */
  #power(): Expression {
    return this.#binary(["**"], () => this.#unary());
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    const { line } = this.stream.current;
    let left = operand();
    while (this.stream.isOperator(...operators)) {
      const operator = this.stream.next().text;
      left = { kind: "binary", operator, left, right: operand(), line };
    }
    return left;
  }

  #unary(filters = true): Expression {
    const { stream } = this;
    const { line, text } = stream.current;
    let parsed: Expression;
    if (stream.isOperator("-", "+")) {
      stream.next();
      if (++this.#depth > DEEPEST) stream.fail(`expressions are nested deeper than ${DEEPEST}`);
      parsed = { kind: "unary", operator: text as "-" | "+", of: this.#unary(false), line };
      this.#depth--;
    } else parsed = this.#primary();
    parsed = this.#postfix(parsed);
    return filters ? this.#filters(parsed) : parsed;
  }

  #primary(): Expression {
    const { stream } = this;
    const { type, text, line, number } = stream.current;
    if (type === "name") {
      stream.next();
      const constant = CONSTANTS.get(text);
      return constant === undefined ? { kind: "name", name: text, line } : { kind: "constant", value: constant, line };
    }
    if (type === "string") {
      let value = "";
      while (stream.is("string")) value += stream.next().text;
      return { kind: "constant", value, line };
    }
    if (type === "integer" || type === "float") {
      stream.next();
      return { kind: "constant", value: number!, line };
    }
    if (stream.skipOperator("(")) {
      const inner = this.tuple({ parenthesised: true });
      stream.expect("operator", ")");
      return inner;
    }
    if (stream.skipOperator("[")) return { kind: "list", items: this.#items("]", () => this.expression()), line };
    if (stream.skipOperator("{")) {
      const entries = this.#items("}", () => {
        const key = this.expression();
        stream.expect("operator", ":");
        return [key, this.expression()] as const;
      });
      return { kind: "dict", entries, line };
    }
    return stream.fail(`unexpected ${shown(stream.current)}`);
  }

  #items<T>(close: string, item: () => T): T[] {
    const items: T[] = [];
    while (!this.stream.isOperator(close)) {
      if (items.length > 0) this.stream.expect("operator", ",");
      if (this.stream.isOperator(close)) break;
      items.push(item());
    }
    this.stream.expect("operator", close);
    return items;
  }

  #postfix(start: Expression): Expression {
    let parsed = start;
    for (;;) {
      if (this.stream.isOperator(".", "[")) parsed = this.#subscript(parsed);
      else if (this.stream.isOperator("(")) parsed = this.#call(parsed);
      else return parsed;
    }
  }

  #filters(start: Expression): Expression {
    let parsed: Expression = start;
    for (;;) {
      if (this.stream.isOperator("|")) parsed = this.filterChain(parsed);
      else if (this.stream.isName("is")) parsed = this.#test(parsed);
      else if (this.stream.isOperator("(")) parsed = this.#call(parsed);
      else return parsed;
    }
  }

  #call(of: Expression): Expression {
    const { line } = this.stream.current;
    return { kind: "call", of, args: this.#arguments(), line };
  }

  #subscript(of: Expression): Expression {
    const { stream } = this;
    const { text, line } = stream.next();
    if (text === ".") {
      const { type, text: name, number } = stream.next();
      if (type === "name") return { kind: "attribute", of, name, line };
      if (type !== "integer") stream.fail("expected name or number", line);
      return { kind: "item", of, key: { kind: "constant", value: number!, line }, line };
    }
    const keys: (Expression | Slice)[] = [];
    while (!stream.isOperator("]")) {
      if (keys.length > 0) stream.expect("operator", ",");
      keys.push(this.#key());
    }
    stream.expect("operator", "]");
    const [only] = keys;
    if (keys.length === 1 && only?.kind === "bounds") return { ...only, kind: "slice", of, line };
    if (keys.some((key) => key.kind === "bounds")) stream.fail("several slices in one subscript", line);
    const items = keys as Expression[];
    return { kind: "item", of, key: items.length === 1 ? items[0]! : { kind: "tuple", items, line }, line };
  }

  #key(): Expression | Slice {
    const { stream } = this;
    let start: Expression | undefined;
    if (!stream.isOperator(":")) {
      start = this.expression();
      if (!stream.isOperator(":")) return start;
    }
    stream.next();
    const bound = (): Expression | undefined => (stream.isOperator(":", "]", ",") ? undefined : this.expression());
    const stop = bound();
    return { kind: "bounds", start, stop, step: stream.skipOperator(":") ? bound() : undefined };
  }

  #arguments(): Arguments {
    const { stream } = this;
    const { line } = stream.expect("operator", "(");
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let spread: Expression | undefined;
    let spreadNamed: Expression | undefined;
    const ensure = (holds: boolean): void => {
      if (!holds) stream.fail("invalid syntax for function call expression", line);
    };
    for (let first = true; !stream.isOperator(")"); first = false) {
      if (!first) {
        stream.expect("operator", ",");
        if (stream.isOperator(")")) break;
      }
      if (stream.skipOperator("*")) {
        ensure(spread === undefined && spreadNamed === undefined);
        spread = this.expression();
      } else if (stream.skipOperator("**")) {
        ensure(spreadNamed === undefined);
        spreadNamed = this.expression();
      } else if (stream.is("name") && stream.following.type === "operator" && stream.following.text === "=") {
        ensure(spreadNamed === undefined);
        const name = stream.next().text;
        stream.next();
        if (named.some(([other]) => other === name)) stream.fail(`keyword argument repeated: ${name}`, line);
        named.push([name, this.expression()]);
      } else {
        ensure(spread === undefined && spreadNamed === undefined && named.length === 0);
        positional.push(this.expression());
      }
    }
    stream.expect("operator", ")");
    return { positional, named, spread, spreadNamed };
  }

  #dottedName(): string {
    let name = this.stream.expect("name").text;
    while (this.stream.skipOperator(".")) name += `.${this.stream.expect("name").text}`;
    return name;
  }

  /** Filters one after the other. `inline`: the first has no `|` before it. */
  filterChain(start: Expression | undefined, inline = false): Expression {
    const { stream } = this;
    let parsed = start;
    for (let first = inline; first || stream.isOperator("|"); first = false) {
      if (!first) stream.next();
      const { line } = stream.current;
      const name = this.#dottedName();
      const args = stream.isOperator("(") ? this.#arguments() : NO_ARGUMENTS;
      parsed = { kind: "filter", of: parsed, name, args, line };
    }
    return parsed!;
  }

  #test(of: Expression): Expression {
    const { stream } = this;
    const { line } = stream.next();
    const negated = stream.skipName("not");
    const name = this.#dottedName();
    let args = NO_ARGUMENTS;
    if (stream.isOperator("(")) args = this.#arguments();
    else if (
      (["name", "string", "integer", "float"].includes(stream.current.type) || stream.isOperator("[", "{")) &&
      !stream.isName("else", "or", "and")
    ) {
      if (stream.isName("is")) stream.fail("You cannot chain multiple tests with is");
      args = { ...NO_ARGUMENTS, positional: [this.#postfix(this.#primary())] };
    }
    const test: Expression = { kind: "test", of, name, args, line };
    return negated ? { kind: "unary", operator: "not", of: test, line } : test;
  }
}

interface Slice {
  readonly kind: "bounds";
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}
