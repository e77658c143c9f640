import { isSpace, SPACE, stripEnd } from "./characters.ts";
import { TemplateFault } from "./fault.ts";

export type TokenType =
  | "data"
  | "variable_begin"
  | "variable_end"
  | "block_begin"
  | "block_end"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "operator"
  | "eof";

export interface Token {
  readonly type: TokenType;
  /** The text of a name, operator, string or data. */
  readonly text: string;
  /** The value of a number. */
  readonly number?: bigint | number;
  readonly line: number;
}

const SPACES = new RegExp(`[${SPACE}]+`, "uy");
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy;
const INTEGER = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy;
const NAME = /[\p{XID_Start}_\p{Nd}][\p{XID_Continue}]*/uy;
const STRING = /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[+\-/*%~[\](){}><=.:|,;]/y;
const TAG = /\{[%{#][-+]?/g;
const RAW = new RegExp(`\\{%[-+]?[${SPACE}]*raw[${SPACE}]*(-%\\}|%\\})`, "uy");
const END_RAW = new RegExp(`\\{%([-+]?)[${SPACE}]*endraw[${SPACE}]*([-+]?)%\\}`, "gu");
const OPENING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Cuts a template into tokens, with `trim_blocks` and `lstrip_blocks` as transformers sets them. */
export function tokenize(template: string): Token[] {
  let source = template.replace(/\r\n?/g, "\n");
  if (source.endsWith("\n")) source = source.slice(0, -1);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let lineStarts = true;

  const push = (type: TokenType, text: string, number?: bigint | number): void => {
    tokens.push({ type, text, line, ...(number === undefined ? {} : { number }) });
  };
  const wrong = (message: string): never => {
    throw new TemplateFault("error", message, line);
  };
  /** Goes on to a place, counting the lines. */
  const advance = (to: number): void => {
    for (let i = source.indexOf("\n", at); i !== -1 && i < to; i = source.indexOf("\n", i + 1)) line++;
    if (to > at) lineStarts = source[to - 1] === "\n";
    at = to;
  };
  const spaceEnd = (from: number): number => {
    let end = from;
    while (end < source.length && isSpace(source[end]!)) end++;
    return end;
  };
  /** Text before a tag, without the white space that the tag takes away. */
  const data = (end: number, sign: string, ofBlock: boolean): void => {
    let text = source.slice(at, end);
    if (sign === "-") text = stripEnd(text);
    else if (sign !== "+" && ofBlock) {
      const start = text.lastIndexOf("\n") + 1;
      if ((start > 0 || lineStarts) && isSpace(text.slice(start))) text = text.slice(0, start);
    }
    if (text !== "") push("data", text);
    advance(end);
  };
  /** The end of a block or a comment: `-` takes all white space after it, `+` none, else one line end goes. */
  const blockEnd = (sign: string, end: number): number => {
    if (sign === "-") return spaceEnd(end);
    return sign !== "+" && source[end] === "\n" ? end + 1 : end;
  };

  while (at < source.length) {
    TAG.lastIndex = at;
    const tag = TAG.exec(source);
    if (tag === null) {
      push("data", source.slice(at));
      break;
    }
    const [opening] = tag;
    const sign = opening.slice(2);
    const kind = opening[1]!;
    RAW.lastIndex = tag.index;
    const raw = kind === "%" ? RAW.exec(source) : null;
    data(tag.index, sign, kind !== "{");
    if (raw !== null) {
      const begin = tag.index + raw[0].length;
      advance(raw[1]!.startsWith("-") ? spaceEnd(begin) : begin);
      END_RAW.lastIndex = at;
      const end = END_RAW.exec(source);
      if (end === null) return wrong("Missing end of raw directive");
      data(end.index, end[1]!, true);
      advance(blockEnd(end[2]!, end.index + end[0].length));
    } else if (kind === "#") {
      const start = at + opening.length;
      const close = source.indexOf("#}", start);
      if (close === -1) return wrong("Missing end of comment tag");
      const before = close > start ? source[close - 1]! : "";
      advance(blockEnd(before === "-" || before === "+" ? before : "", close + 2));
    } else {
      push(kind === "{" ? "variable_begin" : "block_begin", opening);
      advance(at + opening.length);
      inside(kind === "{");
    }
  }
  push("eof", "");
  return tokens;

  /** Reads expressions up to the end of the tag. */
  function inside(variable: boolean): void {
    const open: string[] = [];
    const close = variable ? "}}" : "%}";
    for (;;) {
      if (at >= source.length) return wrong(`unexpected end of template, expected '${close}'`);
      if (open.length === 0) {
        const closeSign = !source.startsWith(close, at) && source.startsWith(close, at + 1) ? source[at]! : "";
        if (closeSign === "-" || (closeSign === "+" && !variable) || source.startsWith(close, at)) {
          push(variable ? "variable_end" : "block_end", close);
          const end = at + closeSign.length + 2;
          advance(variable ? (closeSign === "-" ? spaceEnd(end) : end) : blockEnd(closeSign, end));
          return;
        }
      }
      const match = (pattern: RegExp): string | undefined => {
        pattern.lastIndex = at;
        return pattern.exec(source)?.[0];
      };
      let found: string | undefined;
      if ((found = match(SPACES)) !== undefined) {
        // Nothing to keep.
      } else if ((found = source[at - 1] === "." ? undefined : match(FLOAT)) !== undefined) {
        push("float", found, Number(found.replaceAll("_", "")));
      } else if ((found = match(INTEGER)) !== undefined) {
        push("integer", found, BigInt(found.replaceAll("_", "")));
      } else if ((found = match(NAME)) !== undefined) {
        if (/^\p{Nd}/u.test(found)) wrong("Invalid character in identifier");
        push("name", found);
      } else if ((found = match(STRING)) !== undefined) {
        push("string", unescape(found.slice(1, -1), wrong));
      } else if ((found = match(OPERATOR)) !== undefined) {
        if (OPENING[found] !== undefined) open.push(OPENING[found]!);
        else if (")]}".includes(found)) {
          const expected = open.pop();
          if (expected !== found)
            wrong(`unexpected '${found}'${expected === undefined ? "" : `, expected '${expected}'`}`);
        }
        push("operator", found);
      } else return wrong(`unexpected char '${source[at]!}'`);
      advance(at + found.length);
    }
  }
}

const SIMPLE: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Python's `unicode-escape`. */
function unescape(text: string, wrong: (message: string) => never): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|[0-7]{1,3}|[\s\S])/gu, (all) => {
    const c = all[1]!;
    if (SIMPLE[c] !== undefined) return SIMPLE[c];
    if (/[0-7]/.test(c)) return String.fromCodePoint(Number.parseInt(all.slice(1), 8));
    if (all.length > 2 && "xuU".includes(c)) {
      const code = Number.parseInt(all.slice(2), 16);
      if (code >= 0xd800 && code < 0xe000)
        throw new TemplateFault("refused", "half a character (a surrogate) is not supported");
      return code <= 0x10_ffff ? String.fromCodePoint(code) : wrong("illegal Unicode character");
    }
    if ("xuU".includes(c)) return wrong("truncated escape in a string");
    return c === "N" ? wrong("a character by its name (\\N) is not supported") : all;
  });
}
