import type { Answer, Benchmark, GradingTools } from "../benchmark.ts";
import type { Message } from "../../data/messages.ts";
import type { JudgeSettings } from "./judge.ts";
import type { OpenJudge } from "./open-judge.ts";
import type { Numbered } from "../run-benchmark.ts";

/** The work of a judge in a grading. Tokens are estimates by `estimatedTokens`. */
export interface JudgingEstimate {
  /** Questions for the judge. */
  readonly calls: number;
  /** Questions with a stored answer. */
  readonly fromRecord: number;
  readonly promptTokens: number;
  /** Expected tokens; a verdict in a few sentences has some 200. */
  readonly completionTokens: number;
  /** Tokens if every verdict is as long as it may be. */
  readonly mostCompletionTokens: number;
}

export interface EstimateOptions extends Partial<Pick<GradingTools, "fidelity" | "baseline">> {
  /** The judge. Questions with a stored answer do not count as calls. */
  readonly judge?: Pick<OpenJudge, "knows"> | undefined;
}

const USUAL_VERDICT_TOKENS = 200;

/** Counts the questions of a benchmark's grader: it grades with a judge that only collects them. */
export async function estimateJudging(
  benchmark: Benchmark,
  questions: readonly Numbered[],
  answers: readonly Answer[],
  { fidelity = "paper", baseline, judge }: EstimateOptions = {},
): Promise<JudgingEstimate> {
  const asked = new Map<string, { messages: readonly Message[]; settings: JudgeSettings }>();
  const collector = {
    name: "estimate",
    ask: async (messages: readonly Message[], settings: JudgeSettings) => {
      asked.set(JSON.stringify([messages, settings]), { messages, settings });
      return "";
    },
  };
  for (const [i, { question }] of questions.entries()) {
    await benchmark.grade(question, answers[i]!, { judge: collector, fidelity, baseline });
  }
  const estimate = { calls: 0, fromRecord: 0, promptTokens: 0, completionTokens: 0, mostCompletionTokens: 0 };
  for (const { messages, settings } of asked.values()) {
    if (await judge?.knows(messages, settings)) {
      estimate.fromRecord++;
      continue;
    }
    estimate.calls++;
    estimate.promptTokens += messages.reduce(
      (sum, { content }) => sum + estimatedTokens(content) + TOKENS_A_MESSAGE,
      0,
    );
    estimate.completionTokens += Math.min(settings.maxTokens, USUAL_VERDICT_TOKENS);
    estimate.mostCompletionTokens += settings.maxTokens;
  }
  return estimate;
}

/** Role and separators of a message in a chat template. */
const TOKENS_A_MESSAGE = 4;

/** Estimates tokens for an unknown tokenizer: one for 4 ASCII characters, and one for any other character. */
export function estimatedTokens(text: string): number {
  let ascii = 0;
  let others = 0;
  for (const character of text) {
    if (character.codePointAt(0)! < 128) ascii++;
    else others++;
  }
  return Math.ceil(ascii / 4) + others;
}

/** Prices in any currency, for a million tokens. */
export interface JudgePrices {
  readonly prompt: number;
  readonly completion: number;
}

export function judgingCost(
  { promptTokens, completionTokens }: Pick<JudgingEstimate, "promptTokens" | "completionTokens">,
  { prompt, completion }: JudgePrices,
): number {
  return (promptTokens * prompt + completionTokens * completion) / 1e6;
}
