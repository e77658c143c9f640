import { stream } from "../../tensor/random.ts";
import { comparisonPrompt, type ComparisonPrompt } from "../judge/alpaca-prompt.ts";
import { preferredFile, textColumn } from "../benchmark-data.ts";
import type { Benchmark, Question, Verdict } from "../benchmark.ts";
import { onlyLocal } from "../judge/dialogue-questions.ts";
import { required } from "../judge/judge-prompts.ts";
import { lengthControlledWinRate, winRate } from "../metrics/win-rate.ts";

interface ComparedQuestion extends Question {
  /** The reference model's output. */
  readonly reference: string;
  readonly prompt: ComparisonPrompt;
}

/** AlpacaEval's own seed of positions. They depend on it and the texts only, so they are the same in every run. */
const SEED = 123;

/** AlpacaEval: answers compared with a reference model's. */
export const alpacaEval: Benchmark<ComparedQuestion> = {
  title: "AlpacaEval",
  category: "open-ended",
  about: "805 instructions; a judge compares the answer with the reference model's",
  sources: [
    "Li et al. 2023, AlpacaEval: An Automatic Evaluator of Instruction-following Models, github.com/tatsu-lab/alpaca_eval",
    "src/alpaca_eval: processors.py, positions drawn by the texts; completion_parsers.py, reading; metrics/helpers.py, " +
      "the mean of preference − 1 with a draw as ½; equal outputs are a draw without a question",
    "Dubois et al. 2024, Length-Controlled AlpacaEval, arXiv 2404.04475: the regression; see lengthControlledWinRate for what is not as there",
  ],
  data: {
    local:
      "the reference's outputs, such as text_davinci_003-model_outputs.json, or of the Hub's tatsu-lab/alpaca_eval alpaca_eval.json or alpaca_eval_gpt4_baseline.json; AlpacaEval's prompt alpaca_eval.txt if wanted",
  },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 2048, stop: [], temperature: 0.7, topP: 1 },
  needs: "judge",
  metrics: [
    { name: "winRate", title: "win rate against the reference", unit: "share" },
    {
      name: "lengthControlled",
      title: "length-controlled win rate",
      unit: "share",
      ofAll: lengthControlled,
      counts: ({ parts }) => parts?.["lengthControlled"] !== undefined,
    },
  ],
  async load(data) {
    if (data.local === undefined) {
      throw onlyLocal("AlpacaEval", "the reference's outputs, such as text_davinci_003-model_outputs.json");
    }
    const prompt = await comparisonPrompt(data);
    // The Hub's folder has the references under names of their own, and beside them the outputs of all models.
    const file = await preferredFile(
      data,
      [/(^|\/)(?!alpaca_eval_all_)[^/]*outputs[^/]*\.json$/, /(^|\/)alpaca_eval(_gpt4_baseline)?\.json$/],
      "file of reference outputs (…outputs.json, alpaca_eval.json or alpaca_eval_gpt4_baseline.json)",
    );
    return (await data.rows(file)).map((row, i) => ({
      id: String(i),
      ...(Object.hasOwn(row.fields, "dataset") && { group: textColumn(row, "dataset") }),
      turns: [textColumn(row, "instruction")],
      reference: textColumn(row, "output"),
      prompt,
    }));
  },
  async grade({ turns: [instruction = ""], reference, prompt }, { samples: [own = ""] }, { judge }) {
    if (own === reference) return { ...compared(0, own, reference), parsed: "draw", note: "equal outputs" };
    const ownFirst = stream(SEED, "alpaca-eval", instruction, own, reference).integer(2) === 0;
    const [output_1, output_2] = ownFirst ? [own, reference] : [reference, own];
    const judgement = await required(judge).ask(prompt.messages({ instruction, output_1, output_2 }), prompt.settings);
    const preferred = prompt.read(judgement);
    if (preferred === null) return { scores: {}, parsed: null, unreadable: 1, note: judgement };
    const won = (preferred === 1) === ownFirst;
    return { ...compared(won ? 2 : 1, own, reference), parsed: won ? "won" : "lost", note: judgement };
  },
};

/** Makes the verdict of one comparison: `preference` as in AlpacaEval's annotations, with the model's output as the second. */
export function compared(preference: unknown, own: string, reference: string): Pick<Verdict, "scores" | "parts"> {
  const score = preferenceScore(preference);
  if (score === undefined) return { scores: {} };
  return {
    scores: { winRate: score },
    parts: { lengthControlled: [score, pythonLength(own), pythonLength(reference)] },
  };
}

/** Counts code points, as Python does. */
function pythonLength(text: string): number {
  return Array.from(text).length;
}

function lengthControlled(verdicts: readonly Verdict[]): number {
  const comparisons = verdicts.map(({ parts }) => {
    const [preference = 0, length = 0, baselineLength = 0] = parts?.["lengthControlled"] ?? [];
    return { preference, length, baselineLength };
  });
  const differences = new Set(comparisons.map(({ length, baselineLength }) => length - baselineLength));
  // A few answers may all differ in length by the same amount: then there is no effect of length to remove.
  return differences.size > 1
    ? lengthControlledWinRate(comparisons)
    : winRate(comparisons.map(({ preference }) => preference)).winRate;
}

/**
 * Converts a preference in AlpacaEval's annotations to a score of the second output, the model's. 1: the reference is better; 2:
 * the model is; between: the probability of a weighted judge. 0 is a draw, as 1.5, in old files. Anything else does not count.
 */
function preferenceScore(preference: unknown): number | undefined {
  if (preference === 0) return 0.5;
  if (typeof preference !== "number" || !(preference >= 1 && preference <= 2)) return undefined;
  return preference - 1;
}
