import { TemplateFault } from "./fault.ts";
import type { Token, TokenType } from "./lexer.ts";

/** The tokens of a template, one at a time. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at]!;
  }
  get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)]!;
  }
  next(): Token {
    const token = this.current;
    if (token.type !== "eof") this.#at++;
    return token;
  }
  is(type: TokenType, text?: string): boolean {
    const { current } = this;
    return current.type === type && (text === undefined || current.text === text);
  }
  isOperator(...texts: readonly string[]): boolean {
    return this.current.type === "operator" && texts.includes(this.current.text);
  }
  isName(...texts: readonly string[]): boolean {
    return this.current.type === "name" && texts.includes(this.current.text);
  }
  skipOperator(text: string): boolean {
    const found = this.isOperator(text);
    if (found) this.next();
    return found;
  }
  skipName(text: string): boolean {
    const found = this.isName(text);
    if (found) this.next();
    return found;
  }
  expect(type: TokenType, text?: string): Token {
    if (!this.is(type, text))
      this.fail(`expected ${text === undefined ? shownType(type) : `'${text}'`}, got ${shown(this.current)}`);
    return this.next();
  }
  fail(message: string, line: number = this.current.line): never {
    throw new TemplateFault("error", message, line);
  }
}

export function shown(token: Token): string {
  if (token.type === "eof") return "the end of the template";
  return token.type === "data" ? "text" : `'${token.text}'`;
}

function shownType(type: TokenType): string {
  if (type === "block_end") return "'%}'";
  return type === "variable_end" ? "'}}'" : `a ${type}`;
}
