import type { CodeRunner } from "./code-runner.ts";
import type { BenchmarkData } from "./benchmark-data.ts";
import type { Judge } from "./judge/judge.ts";

/** The way to answer a question with options: in words, or by the likeliest option. */
export type AnswerMode = "generation" | "likelihood";

/** One question of a benchmark, ready to be asked. A benchmark's own fields beside these hold what it grades by. */
export interface Question {
  /** Unique in the benchmark and the same in every run, such as `anatomy/17`. */
  readonly id: string;
  /** Subject, task or category; results are also shown by it. */
  readonly group?: string;
  /** The user's messages; each is answered before the next is asked. Nearly always one. */
  readonly turns: readonly string[];
  /** The text before the first turn, part by part, with an empty line between them. */
  readonly context?: {
    /** The general instruction. */
    readonly preamble?: string;
    /** Worked examples. Where the window is too short for all of them, the first ones are left out. */
    readonly shots: readonly string[];
  };
  /** Possible answers for likelihood, each without space around it. */
  readonly options?: readonly string[];
  /** Settings that differ from the benchmark's. */
  readonly generation?: Partial<GenerationSettings>;
}

export interface GenerationSettings {
  readonly maxNewTokens: number;
  /** The answer ends before the first of these. */
  readonly stop: readonly string[];
  /** 0: greedy. */
  readonly temperature: number;
  readonly topP: number;
}

/** A model's answer to a question. */
export interface Answer {
  /** The texts of the first sample, one for each turn; empty by likelihood. */
  readonly turns: readonly string[];
  /** The last turn of every sample; one unless more were asked for. */
  readonly samples: readonly string[];
  /** The end of each sample's last turn: `stop`, or `length` at `maxNewTokens`. */
  readonly finish: readonly ("stop" | "length")[];
  /** Each option's log-probability given the question, nats; by likelihood only. */
  readonly likelihoods?: readonly { readonly logProbability: number; readonly tokens: number }[];
}

/** The grades of one answer. */
export interface Verdict {
  /**
   * Metric → the answer's own score. A metric that is absent does not count this question, for example because the
   * judge's verdict cannot be read. Results report the number of such questions.
   */
  readonly scores: Readonly<Record<string, number>>;
  /** The result that was read out of the answer; null where there was none. */
  readonly parsed?: string | null;
  readonly expected?: string;
  /** The reason for people who read the verdicts, such as an error. */
  readonly note?: string;
  /** Sufficient statistics of a metric over the whole set (`Metric.ofAll`). */
  readonly parts?: Readonly<Record<string, readonly number[]>>;
  /** Number of a judge's verdicts on it that could not be read; default 0. */
  readonly unreadable?: number;
}

export interface Metric {
  /** Key in results, such as `accuracy`. */
  readonly name: string;
  /** The name for people. */
  readonly title: string;
  /** `share`: 0 to 1, shown in per cent. `percent`: 0 to 100 already. `score`: any number. */
  readonly unit: "share" | "percent" | "score";
  /** The value over verdicts (at least one), for metrics that are not the mean of the questions' scores. */
  readonly ofAll?: (verdicts: readonly Verdict[]) => number;
  /** Tells if a verdict has a part in `ofAll`; default: each has. */
  readonly counts?: (verdict: Verdict) => boolean;
}

/** The tools that a grader may need. */
export interface GradingTools {
  /** Present only where the user allowed code to run. */
  readonly codeRunner?: CodeRunner | undefined;
  readonly judge?: Judge | undefined;
  /** Finds another model's answer to the same question, for comparison. */
  readonly baseline?: ((questionId: string) => Answer | undefined) | undefined;
  /** `original` grades as OpenFedLLM does, where that differs. */
  readonly fidelity: "paper" | "original";
  readonly signal?: AbortSignal | undefined;
}

export interface LoadOptions {
  readonly mode: AnswerMode;
  /** Worked examples before a question; undefined: the number that the benchmark's authors use. */
  readonly shots: number | undefined;
  readonly fidelity: "paper" | "original";
}

export type Category =
  | "knowledge"
  | "reasoning"
  | "mathematics"
  | "code"
  | "finance"
  | "medicine"
  | "open-ended"
  | "safety";

/** A benchmark as its authors run it: its questions, the prompts and the grading. */
export interface Benchmark<Q extends Question = Question> {
  readonly title: string;
  readonly category: Category;
  /** One line about questions, prompts and measure. */
  readonly about: string;
  /** The paper and the reference implementation of worked examples, prompt, parsing and metric. */
  readonly sources: readonly string[];
  /** The data's name on the Hub, and the contents of a local folder. */
  readonly data: { readonly hub?: string; readonly local: string };
  /** The first one is the default. */
  readonly modes: readonly AnswerMode[];
  /** Number of worked examples that the authors use. */
  readonly shots: number;
  readonly generation: GenerationSettings;
  /** Answers to each question; default 1. */
  readonly samples?: number;
  /** The tool that grading cannot do without. */
  readonly needs?: "code-execution" | "judge";
  /** True where answers are compared with another model's (`GradingTools.baseline`). */
  readonly needsBaseline?: boolean;
  /** The first one is the headline. */
  readonly metrics: readonly Metric[];
  /** Loads every question, in the data's order. @throws UserError("data") for data that is not this benchmark's. */
  load(data: BenchmarkData, options: LoadOptions): Promise<readonly Q[]>;
  grade(question: Q, answer: Answer, tools: GradingTools): Verdict | Promise<Verdict>;
}

export const GREEDY: Pick<GenerationSettings, "temperature" | "topP"> = { temperature: 0, topP: 1 };

export const ACCURACY: Metric = { name: "accuracy", title: "accuracy", unit: "share" };

export const EXACT_MATCH: Metric = { name: "exactMatch", title: "exact match", unit: "share" };
