/** Removes a reasoning model's thoughts from the beginning of a judgement. */
function spoken(judgement: string): string {
  return judgement.replace(/^\s*<think>[\s\S]*?<\/think>/, "");
}

const HIGHEST_RATING = 10;

/**
 * Reads the rating in a judgement: the first `[[7]]`, else the first `[7]` (FastChat, llm_judge/common.py). Null where there is
 * none. Null also for a rating above 10, which FastChat and OpenFedLLM (`original`) accept.
 */
export function readRating(judgement: string, fidelity: "paper" | "original"): number | null {
  const text = spoken(judgement);
  const match = /\[\[(\d+\.?\d*)\]\]/.exec(text) ?? /\[(\d+\.?\d*)\]/.exec(text);
  if (match === null) return null;
  const rating = Number(match[1]);
  return rating > HIGHEST_RATING && fidelity === "paper" ? null : rating;
}

/** Reads the better of two answers in a judgement, in FastChat's order: `[[A]]`, else `[[B]]`, else `[[C]]`, a tie. */
export function readPreference(judgement: string): "A" | "B" | "tie" | null {
  const text = spoken(judgement);
  if (text.includes("[[A]]")) return "A";
  if (text.includes("[[B]]")) return "B";
  return text.includes("[[C]]") ? "tie" : null;
}

/** Reads the last word in double brackets, where it is one of `words`; case does not count. */
export function readWord<Word extends string>(judgement: string, words: readonly Word[]): Word | null {
  const said = [...spoken(judgement).matchAll(/\[\[(\w+)\]\]/g)].map(([, word]) => word!.toLowerCase());
  return words.find((word) => word === said.at(-1)) ?? null;
}
