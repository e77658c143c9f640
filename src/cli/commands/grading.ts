import path from "node:path";
import { createInterface } from "node:readline/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import type { GradingTools } from "../../evaluation/benchmark.ts";
import { type JudgePrices, type JudgingEstimate, judgingCost } from "../../evaluation/judge/judge-estimate.ts";
import { openJudge, type OpenJudge } from "../../evaluation/judge/open-judge.ts";
import { BENCHMARKS } from "../../evaluation/registry.ts";
import { openCodeRunner } from "../../node/code/code-runner.ts";
import { openJudgements } from "../../node/store/judgement-file.ts";
import { isLoopback } from "../../serving/access.ts";
import type { CommandContext } from "./command-context.ts";
import { counted, formatCount } from "../views/quantities.ts";

export interface GradingFlags {
  readonly allowCodeExecution?: boolean;
  readonly judgeUrl?: string;
  readonly judgeModel?: string;
  readonly judgeKeyEnv: string;
  readonly judgeConcurrency: number;
  readonly judgeMaxTokens?: number;
  readonly judgePrice?: JudgePrices;
  readonly yes?: boolean;
}

/** What answers are graded with, besides the answers. */
export interface Grading extends Pick<GradingTools, "codeRunner"> {
  readonly judge?: OpenJudge | undefined;
  close(): Promise<void>;
}

/** @throws UserError("config") for benchmarks that cannot be graded with these flags. */
export function checkGradingFlags(benchmarks: readonly string[], flags: GradingFlags): void {
  const that = (wants: (name: string) => boolean): string => benchmarks.filter(wants).join(", ");
  const running = that((name) => BENCHMARKS[name]!.needs === "code-execution");
  if (running !== "" && flags.allowCodeExecution !== true) {
    throw new UserError("config", `${running}: grading means running programs that the model wrote`, {
      hint: "Add --allow-code-execution, best in a container: docs/decisions/0019-generated-code.md says what it is kept from.",
    });
  }
  const judged = that((name) => BENCHMARKS[name]!.needs === "judge");
  if (judged !== "" && flags.judgeUrl === undefined) {
    throw new UserError("config", `${judged}: grading needs a judge, a model behind an OpenAI-compatible address`, {
      hint: "Add --judge-url https://…/v1 --judge-model NAME; docs/judge.md says what it is asked and what that costs.",
    });
  }
  if (flags.judgeUrl !== undefined && flags.judgeModel === undefined) {
    throw new UserError("config", "--judge-url without --judge-model", {
      hint: "Say which model of that address judges: --judge-model NAME",
    });
  }
  if (flags.judgeUrl === undefined && flags.judgeModel !== undefined) {
    throw new UserError("config", "--judge-model without --judge-url", {
      hint: "Say where the judge is: --judge-url http://127.0.0.1:8080/v1",
    });
  }
}

/** Opens what the flags allow; judgements are kept in `folder`. */
export async function openGrading(
  benchmarks: readonly string[],
  { allowCodeExecution, judgeUrl, judgeModel, judgeKeyEnv, judgeConcurrency, judgeMaxTokens }: GradingFlags,
  folder: string,
  { signal, say }: { readonly signal: AbortSignal; readonly say: (text: string) => void },
): Promise<Grading> {
  const runsCode = benchmarks.some((name) => BENCHMARKS[name]!.needs === "code-execution");
  if (runsCode) say("trying out the limits for generated code");
  const codeRunner = runsCode && allowCodeExecution === true ? await openCodeRunner() : undefined;
  if (judgeUrl === undefined) return { codeRunner, close: async () => {} };
  const store = await openJudgements(path.join(folder, "judgements.jsonl"));
  const judge = openJudge({
    baseUrl: judgeUrl,
    model: judgeModel!,
    apiKey: process.env[judgeKeyEnv],
    keyVariable: judgeKeyEnv,
    store,
    concurrency: judgeConcurrency,
    maxTokens: judgeMaxTokens,
    onRetry: ({ reason, attempt, waitSeconds }) =>
      say(`the judge: ${reason}; attempt ${attempt + 1} in ${waitSeconds.toFixed(0)}s`),
    signal,
  });
  return { codeRunner, judge, close: () => store.close() };
}

/** What judging will cost, in a sentence. */
export function estimateText(judge: string, estimate: JudgingEstimate, prices: JudgePrices | undefined): string {
  const { calls, fromRecord, promptTokens, completionTokens } = estimate;
  const tokens = `about ${formatCount(promptTokens)} tokens of questions and ${formatCount(completionTokens)} of verdicts`;
  const money = prices === undefined ? "" : `, about ${judgingCost(estimate, prices).toFixed(2)} at the given prices`;
  const known = fromRecord === 0 ? "" : `; ${formatCount(fromRecord)} more are on record`;
  return `${judge} will be asked ${counted(calls, "question")}: ${tokens}${money}${known}`;
}

/**
 * Asks whether to go on, where that may cost: not on this machine, and not with --yes.
 *
 * @throws UserError("config") where the answer is no, or nobody is there to give it.
 */
export async function confirmJudging(
  sentence: string,
  { judgeUrl, yes = false }: Pick<GradingFlags, "judgeUrl" | "yes">,
  { stderr }: CommandContext,
): Promise<void> {
  stderr.write(`${sentence}\n`);
  if (yes || (URL.canParse(judgeUrl!) && isLoopback(new URL(judgeUrl!).hostname))) return;
  const refused = (why: string): UserError =>
    new UserError("config", `${why}; the answers are kept`, { hint: "The same command with --yes judges them." });
  if (!process.stdin.isTTY || !stderr.live) throw refused("judging may cost, and nobody is there to say yes");
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question("Go on? [y/N] ");
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw refused("not judged");
  } finally {
    prompt.close();
  }
}
