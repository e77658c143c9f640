import type { CodeRunner } from "./code-runner.ts";
import type { BenchmarkData } from "./benchmark-data.ts";
import type { Judge } from "./judge.ts";

/** How a question with options is answered: in words, or by the option the model finds likeliest. */
export type AnswerMode = "generation" | "likelihood";

/** One question of a benchmark, ready to be asked. A benchmark's own fields beside these hold what it grades by. */
export interface Question {
  /** Unique in the benchmark and the same in every run, such as `anatomy/17`. */
  readonly id: string;
  /** Subject, task or category; results are also shown by it. */
  readonly group?: string;
  /** What the user says; each turn is answered before the next is asked. Nearly always one. */
  readonly turns: readonly string[];
  /** What comes before the first turn, part by part, an empty line between them. */
  readonly context?: {
    /** What is asked in general. */
    readonly preamble?: string;
    /** Worked examples; where the window is too short for all, the first ones are left out. */
    readonly shots: readonly string[];
  };
  /** For likelihood: what the model could answer, each without space around it. */
  readonly options?: readonly string[];
  /** Where a question wants something else than its benchmark. */
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

/** What a model said to a question. */
export interface Answer {
  /** One text a turn, of the first sample; empty by likelihood. */
  readonly turns: readonly string[];
  /** The last turn of every sample; one unless more were asked for. */
  readonly samples: readonly string[];
  /** Whether the last turn of each sample came to an end, or to `maxNewTokens`. */
  readonly finish: readonly ("stop" | "length")[];
  /** By likelihood: each option's log-probability given the question, nats. */
  readonly likelihoods?: readonly { readonly logProbability: number; readonly tokens: number }[];
}

/** A grader's word on one answer. */
export interface Verdict {
  /**
   * Metric → the answer's own score. A metric that is absent does not count this question (a judge's verdict that cannot
   * be read, say); how many lack it is reported.
   */
  readonly scores: Readonly<Record<string, number>>;
  /** What was read out of the answer; null where nothing could be. */
  readonly parsed?: string | null;
  readonly expected?: string;
  /** For those who read the verdicts: why, what failed. */
  readonly note?: string;
  /** Sufficient statistics of a metric over the whole set (`Metric.ofAll`). */
  readonly parts?: Readonly<Record<string, readonly number[]>>;
  /** How many of a judge's verdicts on it could not be read; default 0. */
  readonly unreadable?: number;
}

export interface Metric {
  /** Key in results, such as `accuracy`. */
  readonly name: string;
  /** As people write it. */
  readonly title: string;
  /** `share`: 0 to 1, shown in per cent. `percent`: 0 to 100 already. `score`: any number. */
  readonly unit: "share" | "percent" | "score";
  /** For metrics that are no mean of the questions' scores: the value over verdicts (at least one). */
  readonly ofAll?: (verdicts: readonly Verdict[]) => number;
  /** With `ofAll`: whether a verdict has a part in it; default every one. */
  readonly counts?: (verdict: Verdict) => boolean;
}

/** What a grader may need beyond the answer. */
export interface GradingTools {
  /** Only where the user allowed code to run. */
  readonly codeRunner?: CodeRunner | undefined;
  readonly judge?: Judge | undefined;
  /** Another model's answers to the same questions, by their ids. */
  readonly rival?: ((questionId: string) => Answer | undefined) | undefined;
  /** `original`: grade as OpenFedLLM does, where that differs. */
  readonly fidelity: "paper" | "original";
  readonly signal?: AbortSignal | undefined;
}

export interface LoadOptions {
  readonly mode: AnswerMode;
  /** Worked examples before a question; undefined: as many as the benchmark's authors use. */
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

/** One benchmark: its questions, how they are asked and how answers are graded, as its authors do it. */
export interface Benchmark<Q extends Question = Question> {
  readonly title: string;
  readonly category: Category;
  /** One line: what is asked, how, and what is measured. */
  readonly about: string;
  /** Paper and reference implementation that shots, prompt, parsing and metric come from. */
  readonly sources: readonly string[];
  /** Where the data is on the Hub, and what a local folder must hold. */
  readonly data: { readonly hub?: string; readonly local: string };
  /** The first is the default. */
  readonly modes: readonly AnswerMode[];
  /** Worked examples the authors use; 0: none. */
  readonly shots: number;
  readonly generation: GenerationSettings;
  /** Answers to each question; default 1. */
  readonly samples?: number;
  /** What it cannot be graded without. */
  readonly needs?: "code-execution" | "judge";
  /** Whether answers are compared with another model's (`GradingTools.rival`). */
  readonly needsRival?: boolean;
  /** The first is the headline. */
  readonly metrics: readonly Metric[];
  /** Every question, in the data's order. @throws UserError("data") for data that is not this benchmark's. */
  load(data: BenchmarkData, options: LoadOptions): Promise<readonly Q[]>;
  grade(question: Q, answer: Answer, tools: GradingTools): Verdict | Promise<Verdict>;
}

export const GREEDY: Pick<GenerationSettings, "temperature" | "topP"> = { temperature: 0, topP: 1 };

export const ACCURACY: Metric = { name: "accuracy", title: "accuracy", unit: "share" };

export const EXACT_MATCH: Metric = { name: "exactMatch", title: "exact match", unit: "share" };
