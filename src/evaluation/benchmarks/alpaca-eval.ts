import { stream } from "../../tensor/random.ts";
import { comparisonPrompt, type ComparisonPrompt } from "../alpaca-prompt.ts";
import { oneFile, textColumn } from "../benchmark-data.ts";
import type { Benchmark, Question } from "../benchmark.ts";
import { onlyLocal } from "../dialogue-questions.ts";
import { required } from "../judge-prompts.ts";

interface ComparedQuestion extends Question {
  /** The reference model's output. */
  readonly reference: string;
  readonly prompt: ComparisonPrompt;
}

/** AlpacaEval's own seed of positions; they follow from it and the texts, so they are the same in every run. */
const SEED = 123;

/** AlpacaEval: answers compared with a reference model's. */
export const alpacaEval: Benchmark<ComparedQuestion> = {
  title: "AlpacaEval",
  category: "open-ended",
  about: "805 instructions; a judge says whether the answer or the reference model's is better",
  sources: [
    "Li et al. 2023, AlpacaEval: An Automatic Evaluator of Instruction-following Models, github.com/tatsu-lab/alpaca_eval",
    "src/alpaca_eval: processors.py, positions drawn by the texts; completion_parsers.py, reading; metrics/helpers.py, " +
      "the mean of preference − 1 with a draw as ½; equal outputs are a draw without a question",
  ],
  data: {
    local:
      "the reference's outputs, such as text_davinci_003-model_outputs.json; AlpacaEval's prompt alpaca_eval.txt if wanted",
  },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 2048, stop: [], temperature: 0.7, topP: 1 },
  needs: "judge",
  // Length-controlled win rate: a metric `ofAll` over parts.lengthControlled = [preference, own length, reference's length].
  metrics: [{ name: "winRate", title: "win rate against the reference", unit: "share" }],
  async load(data) {
    if (data.local === undefined) {
      throw onlyLocal("AlpacaEval", "the reference's outputs, such as text_davinci_003-model_outputs.json");
    }
    const prompt = await comparisonPrompt(data);
    const file = await oneFile(data, /outputs[^/]*\.json$/, "file of reference outputs (…outputs.json)");
    return (await data.rows(file)).map((row, i) => ({
      id: String(i),
      ...(Object.hasOwn(row.fields, "dataset") && { group: textColumn(row, "dataset") }),
      turns: [textColumn(row, "instruction")],
      reference: textColumn(row, "output"),
      prompt,
    }));
  },
  async grade({ turns: [instruction = ""], reference, prompt }, { samples: [own = ""] }, { judge }) {
    if (own === reference) return { scores: { winRate: preferenceScore(0)! }, parsed: "draw", note: "equal outputs" };
    const ownFirst = stream(SEED, "alpaca-eval", instruction, own, reference).integer(2) === 0;
    const [output_1, output_2] = ownFirst ? [own, reference] : [reference, own];
    const judgement = await required(judge).ask(prompt.messages({ instruction, output_1, output_2 }), prompt.settings);
    const preferred = prompt.read(judgement);
    if (preferred === null) return { scores: {}, parsed: null, unreadable: 1, note: judgement };
    const won = (preferred === 1) === ownFirst;
    return {
      scores: { winRate: preferenceScore(won ? 2 : 1)! },
      parsed: won ? "won" : "lost",
      note: judgement,
    };
  },
};

/**
 * What a preference in AlpacaEval's annotations is worth to the second output, the model's: 1 the reference is better, 2 the
 * model, between them how sure a weighted judge is; 0, as old files write 1.5, is a draw; anything else does not count.
 */
export function preferenceScore(preference: unknown): number | undefined {
  if (preference === 0) return 0.5;
  if (typeof preference !== "number" || !(preference >= 1 && preference <= 2)) return undefined;
  return preference - 1;
}
