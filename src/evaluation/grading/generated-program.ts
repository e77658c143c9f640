import type { GradingTools, Metric, Verdict } from "../benchmark.ts";
import { passAtK } from "../metrics/pass-at-k.ts";

const KS = [1, 10, 100] as const;

/** pass@k for each k up to the number of samples; the first counts with one sample. */
export const PASS_AT_K: readonly Metric[] = KS.map((k) => ({ name: `pass@${k}`, title: `pass@${k}`, unit: "share" }));

/** Seconds that a program may take. OpenAI allow 3, on a machine that does nothing else. */
const TIMEOUT_SECONDS = 10;
const NOTE_LENGTH = 500;

/** Runs every sample's program. A program that reaches its end passes. */
export async function gradePrograms(
  programs: readonly string[],
  { codeRunner, signal }: GradingTools,
): Promise<Verdict> {
  if (codeRunner === undefined) throw new Error("a benchmark of code was graded without a code runner");
  let correct = 0;
  let note = "";
  for (const program of programs) {
    const { outcome, detail } = await codeRunner.run(program, { timeoutSeconds: TIMEOUT_SECONDS, signal });
    if (outcome === "passed") correct++;
    else if (note === "") note = `${outcome}: ${detail.slice(-NOTE_LENGTH)}`;
  }
  const samples = programs.length;
  const scores = KS.filter((k) => k <= samples).map((k) => [`pass@${k}`, passAtK({ samples, correct }, k)]);
  return { scores: Object.fromEntries(scores) as Record<string, number>, ...(note === "" ? {} : { note }) };
}

/**
 * Finds the code in an answer: the fenced block that is `wanted`, else the first one, else undefined. A block without an end,
 * of an answer that was cut off, goes to the answer's end. evalplus and the bigcode harness read chat models in this way.
 */
export function fencedCode(text: string, wanted: (code: string) => boolean = () => true): string | undefined {
  const blocks = [...text.matchAll(/```[ \t]*[\w+#-]*[ \t]*\r?\n([^]*?)(?:```|$)/g)].map((match) => match[1]!);
  return blocks.find(wanted) ?? blocks[0];
}

/** Tells if code defines a function at its left edge; with `name`, a function of this name. */
export function defines(code: string, name = "\\w+"): boolean {
  return new RegExp(`^(?:async[ \\t]+)?def[ \\t]+${name}[ \\t]*\\(`, "m").test(code);
}

/** The first line of code: an import, a definition, a decorator, a constant. Prose may begin with the same words. */
const STATEMENT =
  /^(?:from[ \t]+[\w.]+[ \t]+import\b|import[ \t]+[\w.]+[ \t]*(?:,|;|#|as\b|$)|(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[ \t]*[(:]|@\w|\w+(?:[ \t]*,[ \t]*\w+)*[ \t]*=(?!=))/m;

const STATEMENT_WORDS =
  "assert|async|await|case|class|def|del|elif|else|except|finally|for|from|global|if|import|lambda|match|nonlocal|not|pass|print|raise|return|try|type|while|with|yield";
const OPERATOR_WORDS = "and|else|for|if|in|is|not|or";
const TO_LINE_END = String.raw`[^=\n]*(?:\n|$)`;
/** Beginnings of a line of prose at the left edge; hardly any useful Python begins so. */
const PROSE_BEGINNINGS = [
  // "It is", "Well, this", "Note: it"
  String.raw`\p{Lu}\p{Ll}* +\p{L}`,
  String.raw`\p{Lu}\p{Ll}*[,:] ${TO_LINE_END}`,
  // Two words without an operator, or one and a colon.
  String.raw`(?!(?:${STATEMENT_WORDS})\b)\p{L}[\p{L}'’]* +(?!(?:${OPERATOR_WORDS})\b)\p{L}`,
  String.raw`(?!(?:${STATEMENT_WORDS})\b)\p{L}+: *(?:\n|$)`,
  // Chinese and the like; an item of a list; Markdown's bold, code and fence.
  String.raw`\p{Lo}`,
  String.raw`(?:[-*]|\d+[.)]) +\p{L}`,
  String.raw`\*\*`,
  "`",
];
const PROSE = new RegExp(`\\n(?=${PROSE_BEGINNINGS.join("|")})`, "gu");

/** Finds Python in an answer without fences: from its first statement (or from its beginning, where there is none) to the first prose after it. */
export function unfencedCode(text: string): string {
  const at = text.search(STATEMENT);
  return beforeProse(at === -1 ? text : text.slice(at));
}

/** Cuts code before the first line of prose outside strings in three quotes. */
export function beforeProse(code: string): string {
  for (const { index } of code.matchAll(PROSE)) {
    const quotes = code.slice(0, index).match(/"""|'''/g)?.length ?? 0;
    if (quotes % 2 === 0) return code.slice(0, index + 1);
  }
  return code;
}
