import { TemplateFault } from "./fault.ts";
import { ExpressionParser } from "./expression-parser.ts";
import { tokenize } from "./lexer.ts";
import type { Branch, Expression, Parameter, Statement } from "./nodes.ts";
import { shown, TokenStream } from "./token-stream.ts";

/** Tags of Jinja that need other templates, or another output than text. */
const REFUSED: ReadonlySet<string> = new Set(["include", "import", "from", "extends", "block", "autoescape"]);
const DEEPEST = 60;

/** Parses a template. @throws TemplateFault for what Jinja refuses, and for tags that are not supported. */
export function parse(template: string): readonly Statement[] {
  return new Parser(template).template();
}

class Parser {
  readonly #stream: TokenStream;
  readonly #expressions: ExpressionParser;
  /** The tags that are open. */
  readonly #open: string[] = [];
  #loops = 0;

  constructor(template: string) {
    this.#stream = new TokenStream(tokenize(template));
    this.#expressions = new ExpressionParser(this.#stream);
  }

  template(): readonly Statement[] {
    return this.#body([]);
  }

  /** Statements up to one of the end tags, whose name is left as the current token. */
  #body(ends: readonly string[]): Statement[] {
    const stream = this.#stream;
    const body: Statement[] = [];
    let parts: (string | Expression)[] = [];
    let { line } = stream.current;
    const flush = (): void => {
      if (parts.length > 0) body.push({ kind: "output", parts, line });
      parts = [];
    };
    for (;;) {
      if (parts.length === 0) ({ line } = stream.current);
      if (stream.is("eof")) break;
      if (stream.is("data")) parts.push(stream.next().text);
      else if (stream.is("variable_begin")) {
        stream.next();
        parts.push(this.#expressions.tuple());
        stream.expect("variable_end");
      } else {
        flush();
        stream.expect("block_begin");
        if (ends.length > 0 && stream.isName(...ends)) return body;
        body.push(this.#statement());
        stream.expect("block_end");
      }
    }
    flush();
    if (ends.length > 0) {
      const tag = this.#open.at(-1);
      stream.fail(
        `Unexpected end of template, expected '${ends.join("' or '")}'${tag === undefined ? "" : ` of '${tag}'`}`,
      );
    }
    return body;
  }

  /** The rest of a tag and what follows up to an end tag; returns the name of that. */
  #block(...ends: readonly string[]): Statement[] {
    this.#stream.skipOperator(":");
    this.#stream.expect("block_end");
    return this.#body(ends);
  }

  /** As `#block`, and goes past the end tag's name. */
  #blockTo(end: string): Statement[] {
    const body = this.#block(end);
    this.#stream.next();
    return body;
  }

  #statement(): Statement {
    const stream = this.#stream;
    const { text: tag, line } = stream.current;
    if (!stream.is("name")) stream.fail("tag name expected");
    if (REFUSED.has(tag)) throw new TemplateFault("refused", `the tag {% ${tag} %} is not supported`, line);
    if (this.#open.length >= DEEPEST) stream.fail(`tags are nested deeper than ${DEEPEST}`);
    this.#open.push(tag);
    const statement = this.#statementOf(tag, line);
    this.#open.pop();
    return statement;
  }

  #statementOf(tag: string, line: number): Statement {
    const stream = this.#stream;
    const expressions = this.#expressions;
    switch (tag) {
      case "if":
        return this.#if(line);
      case "for":
        return this.#for(line);
      case "set":
        return this.#set(line);
      case "macro": {
        stream.next();
        const name = expressions.targetName();
        const parameters = this.#parameters();
        return { kind: "macro", macro: { name, parameters, body: this.#apart("endmacro"), line }, line };
      }
      case "call": {
        stream.next();
        const parameters = stream.isOperator("(") ? this.#parameters() : [];
        const call = expressions.expression();
        if (call.kind !== "call") stream.fail("expected call", line);
        const body = this.#apart("endcall");
        return { kind: "call-block", call, caller: { name: undefined, parameters, body, line }, line };
      }
      case "filter": {
        stream.next();
        const filter = expressions.filterChain(undefined, true);
        return { kind: "filter-block", filter, body: this.#blockTo("endfilter"), line };
      }
      case "with":
        return this.#with(line);
      case "print": {
        stream.next();
        const parts: Expression[] = [];
        while (!stream.is("block_end")) {
          if (parts.length > 0) stream.expect("operator", ",");
          parts.push(expressions.expression());
        }
        return { kind: "output", parts, line };
      }
      case "generation": {
        stream.next();
        const body = this.#apart("endgeneration");
        return { kind: "generation", caller: { name: undefined, parameters: [], body, line }, line };
      }
      case "break":
      case "continue":
        stream.next();
        if (this.#loops === 0) stream.fail(`'${tag}' outside loop`, line);
        return { kind: tag, line };
      default:
        return stream.fail(`Encountered unknown tag ${shown(stream.current)}`, line);
    }
  }

  /** The body of a macro: loops around it are no loops of its own. */
  #apart(end: string): Statement[] {
    const loops = this.#loops;
    this.#loops = 0;
    const body = this.#blockTo(end);
    this.#loops = loops;
    return body;
  }

  #if(line: number): Statement {
    const stream = this.#stream;
    const branches: Branch[] = [];
    let otherwise: Statement[] = [];
    for (;;) {
      stream.next();
      const test = this.#expressions.tuple({ condition: false });
      branches.push({ test, body: this.#block("elif", "else", "endif") });
      if (stream.isName("elif")) continue;
      if (stream.next().text === "else") otherwise = this.#blockTo("endif");
      return { kind: "if", branches, otherwise, line };
    }
  }

  #for(line: number): Statement {
    const stream = this.#stream;
    stream.next();
    const target = this.#expressions.target("in");
    if (!stream.skipName("in")) stream.fail(`expected 'in', got ${shown(stream.current)}`);
    const iterable = this.#expressions.tuple({ condition: false, end: "recursive" });
    const test = stream.skipName("if") ? this.#expressions.expression() : undefined;
    const recursive = stream.skipName("recursive");
    this.#loops++;
    const body = this.#block("endfor", "else");
    this.#loops--;
    const otherwise = stream.next().text === "else" ? this.#blockTo("endfor") : [];
    return { kind: "for", target, iterable, test, recursive, body, otherwise, line };
  }

  #set(line: number): Statement {
    const stream = this.#stream;
    stream.next();
    const target = this.#expressions.target(undefined, true);
    if (stream.skipOperator("=")) return { kind: "set", target, value: this.#expressions.tuple(), line };
    const filter = stream.isOperator("|") ? this.#expressions.filterChain(undefined) : undefined;
    return { kind: "set-block", target, filter, body: this.#blockTo("endset"), line };
  }

  #with(line: number): Statement {
    const stream = this.#stream;
    stream.next();
    const targets = [];
    const values = [];
    while (!stream.is("block_end")) {
      if (targets.length > 0) stream.expect("operator", ",");
      targets.push(this.#expressions.target());
      stream.expect("operator", "=");
      values.push(this.#expressions.expression());
    }
    return { kind: "with", targets, values, body: this.#blockTo("endwith"), line };
  }

  #parameters(): Parameter[] {
    const stream = this.#stream;
    stream.expect("operator", "(");
    const parameters: Parameter[] = [];
    while (!stream.isOperator(")")) {
      if (parameters.length > 0) stream.expect("operator", ",");
      const name = this.#expressions.targetName();
      const standard = stream.skipOperator("=") ? this.#expressions.expression() : undefined;
      if (standard === undefined && parameters.at(-1)?.standard !== undefined) {
        stream.fail("non-default argument follows default argument");
      }
      if (parameters.some((other) => other.name === name)) stream.fail(`duplicate argument '${name}'`);
      parameters.push({ name, standard });
    }
    stream.expect("operator", ")");
    return parameters;
  }
}
