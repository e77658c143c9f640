import type { GradingTools, Metric, Verdict } from "./benchmark.ts";
import { passAtK } from "./pass-at-k.ts";

const KS = [1, 10, 100] as const;

/** pass@k as far as there are so many samples; the first counts with one. */
export const PASS_AT_K: readonly Metric[] = KS.map((k) => ({ name: `pass@${k}`, title: `pass@${k}`, unit: "share" }));

/** Seconds a program may take: OpenAI allow 3, on a machine that does nothing else. */
const TIMEOUT_SECONDS = 10;
const NOTE_LENGTH = 500;

/** Runs every sample's program; each that reaches its end passes. */
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
 * The code in an answer: its fenced blocks with the one wanted among them, else the first, else undefined. A block that
 * the answer was cut off in goes to its end. (As evalplus and the bigcode harness read chat models.)
 */
export function fencedCode(text: string, wanted: (code: string) => boolean = () => true): string | undefined {
  const blocks = [...text.matchAll(/```[ \t]*[\w+#-]*[ \t]*\r?\n([^]*?)(?:```|$)/g)].map((match) => match[1]!);
  return blocks.find(wanted) ?? blocks[0];
}

/** Whether code defines a function of this name at its left edge. */
export function defines(code: string, name: string): boolean {
  return new RegExp(`^(?:async[ \\t]+)?def[ \\t]+${name}[ \\t]*\\(`, "m").test(code);
}

/** From the first line that is Python on, where an answer begins in prose. */
export function fromFirstStatement(text: string): string {
  const at = text.search(/^(?:from|import|def|async def|class|@)\b|^@/m);
  return at === -1 ? text : text.slice(at);
}
