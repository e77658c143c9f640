import type { Answer, Verdict } from "./benchmark.ts";

/** `A`, `B`, … */
export function letter(index: number): string {
  return String.fromCodePoint(65 + index);
}

/** A question with its options a line each, and where the answer goes. */
export function choiceText(question: string, options: readonly string[]): string {
  const lines = options.map((option, i) => `${letter(i)}. ${option}`);
  return `${question.trim()}\n${lines.join("\n")}\nAnswer:`;
}

/**
 * The option an answer in words names, as an index: a letter after "answer is" or "answer:", else a letter it begins
 * with, else the only letter that stands alone in brackets or before a stop, else the only option it quotes. Null
 * where it names none or several.
 */
export function chosenOption(text: string, options: readonly string[]): number | null {
  const letters = options.map((_, i) => letter(i)).join("");
  const one = `[${letters}]`;
  const said = [
    ...text.matchAll(new RegExp(`\\banswer(?:\\s+is|\\s*:)\\s*:?\\s*\\**\\(?(${one})\\)?(?![\\w'’])`, "gi")),
  ];
  if (said.length > 0) return letters.indexOf(said.at(-1)![1]!.toUpperCase());
  const first = new RegExp(`^\\s*\\**\\(?(${one})(?:[).:,*]|\\s*$|\\s*\\n)`).exec(text);
  if (first !== null) return letters.indexOf(first[1]!);
  const alone = new Set(
    [...text.matchAll(new RegExp(`\\((${one})\\)|(?<![\\w'’])(${one})[.):]`, "g"))].map((m) => m[1] ?? m[2]!),
  );
  if (alone.size === 1) return letters.indexOf([...alone][0]!);
  const lower = text.toLowerCase();
  const quoted = options.flatMap((option, i) => (lower.includes(option.trim().toLowerCase()) ? [i] : []));
  return alone.size === 0 && quoted.length === 1 ? quoted[0]! : null;
}

/** The likeliest option by the sum of its log-probabilities; the first of equal ones. */
export function likeliestOption(likelihoods: NonNullable<Answer["likelihoods"]>): number {
  const sums = likelihoods.map(({ logProbability }) => logProbability);
  return sums.indexOf(Math.max(...sums));
}

/** Whether the right option was chosen, by whichever mode the answer came. */
export function gradeChoice(answer: Answer, options: readonly string[], truth: number): Verdict {
  const chosen =
    answer.likelihoods === undefined ? chosenOption(answer.samples[0]!, options) : likeliestOption(answer.likelihoods);
  return {
    scores: { accuracy: chosen === truth ? 1 : 0 },
    parsed: chosen === null ? null : letter(chosen),
    expected: letter(truth),
  };
}
