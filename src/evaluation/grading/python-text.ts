/**
 * Text as Python's `str` and `float` read it. The reference programs of metrics use them, and JavaScript differs in details: other
 * white space, other spellings of a number.
 */

/** The white space of `str.isspace`. JavaScript's `\s` lacks U+001C–1F and U+0085, and has U+FEFF. */
const WHITE_SPACE = "[\\t-\\r\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000]";

/** `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
const SPACES = new RegExp(`${WHITE_SPACE}+`, "u");
const AT_END = new RegExp(`${WHITE_SPACE}+$`, "u");
const NUMBER = /^[+-]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?$/i;
const NOT_FINITE = /^([+-]?)(?:inf(?:inity)?|(nan))$/i;
/** `\b` in Python is a boundary of Unicode words; JavaScript's knows ASCII only. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;

/** Does `text.split()`. */
export function splitWords(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== "");
}

/** Does `text.rstrip()`. */
export function trimEnd(text: string): string {
  return text.replace(AT_END, "");
}

/** Removes the characters of `string.punctuation`, which are ASCII only. */
export function withoutPunctuation(text: string): string {
  return text.replace(PUNCTUATION, "");
}

/** Replaces the words a, an and the by a space; lower case only, because the reference programs lower the text before. */
export function withoutArticles(text: string): string {
  return text.replace(ARTICLES, " ");
}

/** `float(text)`, or undefined where Python raises: takes digits of any script, 1_000, .5, 1e3, inf, nan. */
export function parseNumber(text: string): number | undefined {
  const plain = splitWords(text).length === 1 ? splitWords(text)[0]!.replace(/\p{Nd}/gu, asciiDigit) : "";
  const special = NOT_FINITE.exec(plain);
  if (special !== null) return special[2] !== undefined ? NaN : special[1] === "-" ? -Infinity : Infinity;
  return NUMBER.test(plain) ? Number(plain.replaceAll("_", "")) : undefined;
}

/** `str(number)` of a float: "5.0", "1e+16", "inf". */
export function numberText(number: number): string {
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
  const [mantissa, power] = number.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (number !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  // JavaScript writes 1e-6 and 1e20 in full too, and -0 as 0.
  const text = Object.is(number, -0) ? "-0" : String(number);
  return text.includes(".") ? text : `${text}.0`;
}

/** Converts a digit of any script. The digits of a script are ten code points in a row, and rows that touch begin after a whole row. */
function asciiDigit(digit: string): string {
  const code = digit.codePointAt(0)!;
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first--;
  return String((code - first) % 10);
}
