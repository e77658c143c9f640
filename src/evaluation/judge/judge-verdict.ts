/** What a judge says in the end, without what a reasoning model thinks aloud before. */
function spoken(judgement: string): string {
  return judgement.replace(/^\s*<think>[\s\S]*?<\/think>/, "");
}

const HIGHEST_RATING = 10;

/**
 * The rating in a judgement: the first `[[7]]`, else the first `[7]` (FastChat, llm_judge/common.py). Null where there is
 * none, or where it is beyond the scale of 10, which FastChat and OpenFedLLM (`original`) take as it is.
 */
export function readRating(judgement: string, fidelity: "paper" | "original"): number | null {
  const text = spoken(judgement);
  const match = /\[\[(\d+\.?\d*)\]\]/.exec(text) ?? /\[(\d+\.?\d*)\]/.exec(text);
  if (match === null) return null;
  const rating = Number(match[1]);
  return rating > HIGHEST_RATING && fidelity === "paper" ? null : rating;
}

/** The better of two in a judgement, by FastChat's order: `[[A]]`, else `[[B]]`, else `[[C]]`, a tie. */
export function readPreference(judgement: string): "A" | "B" | "tie" | null {
  const text = spoken(judgement);
  if (text.includes("[[A]]")) return "A";
  if (text.includes("[[B]]")) return "B";
  return text.includes("[[C]]") ? "tie" : null;
}

/** The word a judgement ends with in double brackets, where it is one of these; case does not count. */
export function readWord<Word extends string>(judgement: string, words: readonly Word[]): Word | null {
  const said = [...spoken(judgement).matchAll(/\[\[(\w+)\]\]/g)].map(([, word]) => word!.toLowerCase());
  return words.find((word) => word === said.at(-1)) ?? null;
}
