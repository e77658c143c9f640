import path from "node:path";
import { InvalidArgumentError } from "commander";
import { UserError } from "../../diagnostics/user-error.ts";
import type { GradingTools } from "../../evaluation/benchmark.ts";
import { type JudgePrices, type JudgingEstimate, judgingCost } from "../../evaluation/judge/judge-estimate.ts";
import { JUDGE_CONCURRENCY, openJudge, type OpenJudge } from "../../evaluation/judge/open-judge.ts";
import { BENCHMARKS } from "../../evaluation/benchmark-registry.ts";
import { openCodeRunner } from "../../node/code/python-runner.ts";
import { openJudgements } from "../../node/store/judgement-file.ts";
import { isLoopback } from "../../serving/access.ts";
import type { CommandContext, FlagValues } from "../command.ts";
import { parsed, text, toggle, wholeNumber } from "../flag.ts";
import { counted, formatCount } from "../views/quantities.ts";
import { confirm } from "./confirm.ts";

const KEY_VARIABLE = "OPENAI_API_KEY";

/** Flags for the grading of answers to benchmarks. */
export const gradingFlags = {
  allowCodeExecution: toggle("run the programs that the model writes, confined; benchmarks of code need it"),
  judgeUrl: text("<address>", "OpenAI-compatible endpoint of the judge; open-ended benchmarks need it"),
  judgeModel: text("<name>", "name of the judge's model at that endpoint"),
  judgeKeyEnv: text("<variable>", "environment variable with the key of that endpoint").default(KEY_VARIABLE),
  judgePrice: parsed("<in,out>", "prices of a million tokens, to estimate the cost before judging", judgePrices),
  yes: toggle("do not ask for consent to the cost of judging"),
  judgeConcurrency: wholeNumber("<n>", "number of questions that the judge gets at once", { min: 1, max: 64 })
    .default(JUDGE_CONCURRENCY)
    .advanced(),
  judgeMaxTokens: wholeNumber("<n>", "longest verdict in tokens, for a judge with a small window", {
    min: 1,
  }).advanced(),
};

export type GradingFlags = Partial<FlagValues<typeof gradingFlags>>;

function judgePrices(given: string): JudgePrices {
  const [prompt = Number.NaN, completion = Number.NaN, ...more] = given.split(",").map(Number);
  if (more.length > 0 || !(prompt >= 0) || !(completion >= 0)) {
    throw new InvalidArgumentError("Expected two prices, such as 2.5,10.");
  }
  return { prompt, completion };
}

/** The tools that grade answers. */
export interface Grading extends Pick<GradingTools, "codeRunner"> {
  readonly judge?: OpenJudge | undefined;
  close(): Promise<void>;
}

/** @throws UserError("config") for benchmarks that cannot be graded with these flags. */
export function checkGradingFlags(benchmarks: readonly string[], flags: GradingFlags): void {
  const needing = (tool: "code-execution" | "judge"): string =>
    benchmarks.filter((name) => BENCHMARKS[name]!.needs === tool).join(", ");
  const running = needing("code-execution");
  if (running !== "" && flags.allowCodeExecution !== true) {
    throw new UserError("config", `${running}: grading runs programs that the model wrote`, {
      hint: "Add --allow-code-execution, best in a container. docs/decisions/0019-generated-code.md lists what the programs cannot reach.",
    });
  }
  const judged = needing("judge");
  if (judged !== "" && flags.judgeUrl === undefined) {
    throw new UserError("config", `${judged}: grading needs a judge, a model behind an OpenAI-compatible address`, {
      hint: "Add --judge-url https://…/v1 --judge-model NAME; docs/judge.md describes its questions and their cost.",
    });
  }
  if (flags.judgeUrl !== undefined && flags.judgeModel === undefined) {
    throw new UserError("config", "--judge-url needs --judge-model", {
      hint: "Add the name of the model at that address: --judge-model NAME",
    });
  }
  if (flags.judgeUrl === undefined && flags.judgeModel !== undefined) {
    throw new UserError("config", "--judge-model needs --judge-url", {
      hint: "Add the address of the judge, such as --judge-url http://127.0.0.1:8080/v1",
    });
  }
}

/** Opens the graders that the flags allow. Judgements are kept in `folder`. */
export async function openGrading(
  benchmarks: readonly string[],
  {
    allowCodeExecution,
    judgeUrl,
    judgeModel,
    judgeKeyEnv = KEY_VARIABLE,
    judgeConcurrency,
    judgeMaxTokens,
  }: GradingFlags,
  folder: string,
  { signal, say }: { readonly signal: AbortSignal; readonly say: (text: string) => void },
): Promise<Grading> {
  const runsCode = benchmarks.some((name) => BENCHMARKS[name]!.needs === "code-execution");
  if (runsCode) say("testing the limits for generated code");
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

/** A sentence about the questions that a judge will be asked, and their cost. */
export function judgingText(judge: string, estimate: JudgingEstimate, prices: JudgePrices | undefined): string {
  const { calls, fromRecord, promptTokens, completionTokens } = estimate;
  const tokens = `about ${formatCount(promptTokens)} tokens of questions and ${formatCount(completionTokens)} of verdicts`;
  const money = prices === undefined ? "" : `, about ${judgingCost(estimate, prices).toFixed(2)} at the given prices`;
  const known = fromRecord === 0 ? "" : `; the verdicts on ${formatCount(fromRecord)} more are in the record`;
  return `${judge} will be asked ${counted(calls, "question")}: ${tokens}${money}${known}`;
}

/**
 * Asks for consent to a judge that may cost: one on another machine, without --yes.
 *
 * @throws UserError("config") if the answer is no, or if nobody can be asked.
 */
export async function confirmJudging(
  sentence: string,
  { judgeUrl, yes = false }: Pick<GradingFlags, "judgeUrl" | "yes">,
  { stderr }: CommandContext,
): Promise<void> {
  stderr.write(`${sentence}\n`);
  if (yes || (URL.canParse(judgeUrl!) && isLoopback(new URL(judgeUrl!).hostname))) return;
  await confirm(
    {
      text: "Continue?",
      unasked: "judging can cost money, and there is no terminal to ask for consent",
      denied: "not judged",
      refusal: (why) =>
        new UserError("config", `${why}; the answers are kept`, {
          hint: "Run the same command with --yes to judge them.",
        }),
    },
    { stderr },
  );
}
