/**
 * What Python calls a space, a digit, a printable character: JavaScript draws other lines. Texts are counted in code points,
 * as Python counts them.
 */

/** The inside of a character class: Python's `str.isspace`. */
export const SPACE: string = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const LEADING = new RegExp(`^[${SPACE}]+`, "u");
const ALL_SPACE = new RegExp(`^[${SPACE}]+$`, "u");
const WORDS = new RegExp(`[^${SPACE}]+`, "gu");
const NOT_PRINTABLE = /[\p{C}\p{Z}]/u;
const LINE_ENDS = String.raw`\n\r\v\f\x1c-\x1e\x85\u2028\u2029`;
const LINE_END = new RegExp(`\\r\\n|[${LINE_ENDS}]`, "g");

/** Digits that are no decimal digits: superscripts, circled ones. */
const OTHER_DIGITS =
  /[\xb2\xb3\xb9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}]/u;
/** Letters with a numeric value: Chinese numerals. */
const NUMERALS =
  /[\u3405\u3483\u382a\u3b4d\u4e00\u4e03\u4e07\u4e09\u4e5d\u4e8c\u4e94\u4e96\u4ebf\u4ec0\u4edf\u4ee8\u4f0d\u4f70\u5104\u5146\u5169\u516b\u516d\u5341\u5343-\u5345\u534c\u53c1-\u53c4\u56db\u58f1\u58f9\u5e7a\u5efe\u5eff\u5f0c-\u5f0e\u5f10\u62fe\u634c\u67d2\u6f06\u7396\u767e\u8086\u842c\u8cae\u8cb3\u8d30\u9621\u9646\u964c\u9678\u96f6\uf96b\uf973\uf978\uf9b2\uf9d1\uf9d3\uf9fd\u{20001}\u{20064}\u{200e2}\u{20121}\u{2092a}\u{20983}\u{2098c}\u{2099c}\u{20aea}\u{20afd}\u{20b19}\u{22390}\u{22998}\u{23b1b}\u{2626d}\u{2f890}]/u;
/** Characters whose title case is not their upper case, each followed by it. */
const TITLE_CASE: ReadonlyMap<string, string> = new Map([
  ...pairs("ǄǅǅǅǆǅǇǈǈǈǉǈǊǋǋǋǌǋǱǲǲǲǳǲ", 1),
  ...pairs("ßSsևԵւﬀFfﬁFiﬂFlﬅStﬆStﬓՄնﬔՄեﬕՄիﬖՎնﬗՄխ", 2),
  ...pairs("ﬃFfiﬄFfl", 3),
]);

function* pairs(list: string, width: number): Generator<readonly [string, string]> {
  for (let i = 0; i < list.length; i += width + 1) yield [list[i]!, list.slice(i + 1, i + 1 + width)];
}

const HAS_PAIRS = /[\ud800-\udfff]/;

/** The characters of a text, one code point each. */
export function points(text: string): string[] {
  return HAS_PAIRS.test(text) ? Array.from(text) : text.split("");
}

/** Number of code points. */
export function length(text: string): number {
  return HAS_PAIRS.test(text) ? points(text).length : text.length;
}

/** Number of code points before a place in UTF-16 units. */
export function pointIndex(text: string, unit: number): number {
  return unit < 0 ? unit : length(text.slice(0, unit));
}

export function slice(text: string, start: number, end?: number): string {
  return HAS_PAIRS.test(text) ? points(text).slice(start, end).join("") : text.slice(start, end);
}

/** Compares by code points: UTF-16 units have another order. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (!HAS_PAIRS.test(a) && !HAS_PAIRS.test(b)) return a < b ? -1 : 1;
  const [left, right] = [points(a), points(b)];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

export const isSpace = (text: string): boolean => ALL_SPACE.test(text);
export const isPrintable = (text: string): boolean => points(text).every((c) => c === " " || !NOT_PRINTABLE.test(c));
export const isDecimal = (c: string): boolean => /\p{Nd}/u.test(c);
export const isDigit = (c: string): boolean => isDecimal(c) || OTHER_DIGITS.test(c);
export const isNumeric = (c: string): boolean => /\p{N}/u.test(c) || NUMERALS.test(c);
export const isAlpha = (c: string): boolean => /\p{L}/u.test(c);
export const isAlphanumeric = (c: string): boolean => isAlpha(c) || isNumeric(c);
export const isLower = (c: string): boolean => /\p{Lowercase}/u.test(c);
export const isUpper = (c: string): boolean => /\p{Uppercase}/u.test(c);
export const isTitle = (c: string): boolean => /\p{Lt}/u.test(c);
export const isCased = (c: string): boolean => isLower(c) || isUpper(c) || isTitle(c);

/** Title case of one character. */
export function titleCase(c: string): string {
  const special = TITLE_CASE.get(c);
  if (special !== undefined) return special;
  const code = c.codePointAt(0)!;
  // Georgian letters have no title case; Greek letters with iota have one character.
  if (code >= 0x10d0 && code <= 0x10ff) return c;
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8);
  if ([0x1fb3, 0x1fc3, 0x1ff3].includes(code)) return String.fromCodePoint(code + 9);
  if ([0x1fbc, 0x1fcc, 0x1ffc].includes(code)) return c;
  if ([0x1fb2, 0x1fb4, 0x1fc2, 0x1fc4, 0x1ff2, 0x1ff4].includes(code)) return `${c.toUpperCase()[0]!}\u0345`;
  if ([0x1fb7, 0x1fc7, 0x1ff7].includes(code)) return `${titleCase(String.fromCodePoint(code - 4))}\u0342`;
  return c.toUpperCase();
}

export function stripStart(text: string, characters?: string): string {
  if (characters === undefined) return text.replace(LEADING, "");
  const set = new Set(points(characters));
  const list = points(text);
  const from = list.findIndex((c) => !set.has(c));
  return from === -1 ? "" : list.slice(from).join("");
}

export function stripEnd(text: string, characters?: string): string {
  if (characters === undefined) {
    let end = text.length;
    // A regular expression with $ would take quadratic time.
    while (end > 0 && isSpace(text[end - 1]!)) end--;
    return text.slice(0, end);
  }
  const set = new Set(points(characters));
  const list = points(text);
  return list.slice(0, list.findLastIndex((c) => !set.has(c)) + 1).join("");
}

/** The parts between runs of white space. */
export function words(text: string): { text: string; start: number }[] {
  return [...text.matchAll(WORDS)].map((match) => ({ text: match[0], start: match.index }));
}

/** Splits at line ends, of which Python knows eleven. */
export function lines(text: string, keepEnds = false): string[] {
  const out: string[] = [];
  let from = 0;
  for (const match of text.matchAll(LINE_END)) {
    const end = match.index + match[0].length;
    out.push(text.slice(from, keepEnds ? end : match.index));
    from = end;
  }
  if (from < text.length) out.push(text.slice(from));
  return out;
}
