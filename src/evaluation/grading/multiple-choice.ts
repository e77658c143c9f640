import type { Answer, GenerationSettings, Question, Verdict } from "../benchmark.ts";
import { GREEDY } from "../benchmark.ts";

/** A question that is answered with the letter of an option. */
export interface ChoiceQuestion extends Question {
  readonly choices: readonly string[];
  /** Index of the right option. */
  readonly right: number;
}

/** Long enough for a letter and some words around it. */
export const LETTER_ANSWER: GenerationSettings = { maxNewTokens: 32, stop: [], ...GREEDY };

/** `A`, `B`, … */
export function letter(index: number): string {
  return String.fromCodePoint(65 + index);
}

export function letters(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => letter(i));
}

/** Writes a question with one line for each option, and `Answer:` at the end. */
export function choiceText(question: string, options: readonly string[], before = ""): string {
  const lines = options.map((option, i) => `${letter(i)}. ${option}`);
  return `${question.trim()}\n${before}${lines.join("\n")}\nAnswer:`;
}

/**
 * Finds the option that an answer in words names, as an index. In this order: the option that the answer repeats word for word, or
 * the letter that it begins with; the option in a statement such as "the answer is B"; the only option that it quotes; the only
 * letter that it marks (in brackets, bold, "option C"). The first paragraph counts; the rest counts only where the first names
 * none. Null for several options or none: a letter within prose ("vitamin C", "A man") names nothing.
 */
export function chosenOption(text: string, options: readonly string[]): number | null {
  // Full-width letters and brackets become plain ones.
  const whole = text.normalize("NFKC").trim();
  const [first = "", ...rest] = whole.split(/\n\s*\n/);
  const found = namedIn(first, options);
  if (typeof found === "number" || rest.length === 0) return typeof found === "number" ? found : null;
  const later = found === "several" ? found : namedIn(whole, options);
  return typeof later === "number" ? later : null;
}

type Named = number | "several" | undefined;

function namedIn(text: string, options: readonly string[]): Named {
  const one = `[A-${letter(options.length - 1)}]`;
  return (
    exactly(text, options) ??
    beginning(text, one) ??
    declared(text, one, options) ??
    quoted(text, options) ??
    single([...text.matchAll(marked(one))].map((match) => match.slice(1).find((group) => group !== undefined)!))
  );
}

/** Emphasis and brackets before a letter, the words that join another letter to it, and the marks after it. */
const OPEN = String.raw`[\s*_"'(\[{$]*(?:\\(?:boxed|text)\{)*`;
const ALSO = String.raw`[\s*_"')\].]*(?:,|;|/|&|、|and\b|or\b|和|或)\s*\(?`;
const AFTER = String.raw`(?=[\s*_"')\]}$]*(?:[).:,;\n]|$|[\])}*]))`;

/** Reads `B`, `b)`, `**B**`, `(B) because`; but neither `A man` nor `A, B`. */
function beginning(text: string, one: string): Named {
  const bare = new RegExp(String.raw`^${OPEN}(${one})${AFTER}`, "i").exec(text);
  if (bare === null) return undefined;
  const others = [
    // "A, B" and a list of options name several.
    alsoNamed(text, one),
    ...[...text.matchAll(new RegExp(String.raw`\n\s*\(?(${one})[).:]`, "g"))].map((match) => match[1]),
  ];
  return single([bare[1]!, ...others.filter((other) => other !== undefined)]);
}

/** Finds the letter that a first one is joined to: "B or C". A small letter would be an article: "C, a vitamin". */
function alsoNamed(text: string, one: string): string | undefined {
  return new RegExp(String.raw`^${OPEN}(?:${one}|${one.toLowerCase()})${ALSO}(${one})(?![\w'’])`).exec(text)?.[1];
}

const STATEMENT =
  /(?:\banswer(?:\s+(?:is|would be|should be|must be)|\s*:)|答案(?:应该是|应为|是|为|选|:)*)\s*:?\s*(?:(?:option|choice|letter)\s+)?/gi;

/** Reads "The answer is B", "Answer: (c)", "答案是 D". The last such statement counts. */
function declared(text: string, one: string, options: readonly string[]): Named {
  const last = [...text.matchAll(STATEMENT)].at(-1);
  if (last === undefined) return undefined;
  const said = text.slice(last.index + last[0].length);
  const option = exactly(said.split("\n")[0]!, options);
  if (option !== undefined) return option;
  // A small letter before a word is an article, and so is "A".
  const named =
    new RegExp(String.raw`^${OPEN}(${one})(?![\w'’>-])(?!(?<=A)\s+(?!because|since|as|and|or)[a-z])`).exec(said) ??
    new RegExp(String.raw`^${OPEN}(${one})${AFTER}`, "i").exec(said);
  return named === null ? undefined : single([named[1]!, alsoNamed(said, one) ?? named[1]!]);
}

/** Finds the only option that is the same as a text, word for word; a single letter is not read as an option's text. */
function exactly(text: string, options: readonly string[]): number | undefined {
  const said = plain(text);
  const same = options.flatMap((option, index) => (said.length > 1 && plain(option) === said ? [index] : []));
  return same.length === 1 ? same[0] : undefined;
}

function quoted(text: string, options: readonly string[]): Named {
  const said = plain(text);
  const named = options
    .map((option, index) => ({ index, words: plain(option) }))
    .filter(({ words }) => words !== "" && ` ${said} `.includes(` ${words} `));
  // An option that is part of another quoted option does not count.
  const meant = named.filter(({ words, index }) =>
    named.every((other) => other.index === index || !` ${other.words} `.includes(` ${words} `)),
  );
  if (meant.length > 1) return "several";
  return meant[0]?.index;
}

/** Reduces a text to words and numbers in small letters, with one space between them. */
function plain(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}.%/+-]+/gu, " ")
    .replaceAll(/[.]+(?=\s|$)/g, "")
    .trim();
}

function marked(one: string): RegExp {
  return new RegExp(
    String.raw`\((${one})\)|\*\*\(?(${one})\)?[.:]?\*\*|\\boxed\{(?:\\text\{)?(${one})\}|\b(?:[Oo]ption|[Cc]hoice)\s+\(?(${one})(?![\w'’])|(?:选项?|选择)\s*:?\s*(${one})(?![\w'’])|(?:^|\n)\s*(${one})[).:]`,
    "g",
  );
}

function single(found: readonly string[]): Named {
  const distinct = [...new Set(found.map((each) => each.toUpperCase()))];
  if (distinct.length > 1) return "several";
  return distinct.length === 0 ? undefined : distinct[0]!.charCodeAt(0) - 65;
}

/** Finds the likeliest option by the sum of its log-probabilities; the first of equal ones. */
export function likeliestOption(likelihoods: NonNullable<Answer["likelihoods"]>): number {
  const sums = likelihoods.map(({ logProbability }) => logProbability);
  return sums.indexOf(Math.max(...sums));
}

/** Grades the chosen option, for an answer by either mode. */
export function gradeChoice({ choices, right }: ChoiceQuestion, answer: Answer): Verdict {
  const chosen =
    answer.likelihoods === undefined
      ? chosenOption(answer.samples[0] ?? "", choices)
      : likeliestOption(answer.likelihoods);
  return {
    scores: { accuracy: chosen === right ? 1 : 0 },
    parsed: chosen === null ? null : letter(chosen),
    expected: letter(right),
  };
}
