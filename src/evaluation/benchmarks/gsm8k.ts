import { oneFile, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { EXACT_MATCH, GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { place, type SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";

interface SumQuestion extends Question {
  readonly result: string;
}

const HUB = "hf:openai/gsm8k?config=main&split=";

/** Grade School Math 8K. */
export const gsm8k: Benchmark<SumQuestion> = {
  title: "GSM8K",
  category: "mathematics",
  about: "1,319 sums in words; 5 worked examples; the last number after #### equals the answer",
  sources: [
    "Cobbe et al. 2021, Training Verifiers to Solve Math Word Problems, arXiv 2110.14168",
    "github.com/openai/grade-school-math, dataset.py: the answer is what follows ####, commas taken out",
    "github.com/EleutherAI/lm-evaluation-harness, tasks/gsm8k: five shots of the train split; where #### is missing, the last number",
  ],
  data: { hub: "openai/gsm8k", local: "test.jsonl and, for the worked examples, train.jsonl" },
  modes: ["generation"],
  shots: 5,
  generation: { maxNewTokens: 256, stop: ["Question:"], ...GREEDY },
  metrics: [EXACT_MATCH, { name: "flexible", title: "last number", unit: "share" }],
  async load(data, { shots = 5 }) {
    const test = await splitOf(data, "test");
    const examples = shots === 0 ? [] : (await splitOf(data, "train")).slice(0, shots);
    return test.map((row, i) => ({
      id: `test/${i}`,
      context: { shots: examples.map((shot) => `${asked(shot)} ${textColumn(shot, "answer").trim()}`) },
      turns: [asked(row)],
      result: resultOf(row),
    }));
  },
  grade({ result }, { samples: [text = ""] }) {
    const strict = afterMarks(text);
    const flexible = strict ?? lastNumber(text);
    return {
      scores: { exactMatch: strict === result ? 1 : 0, flexible: flexible === result ? 1 : 0 },
      parsed: flexible,
      expected: result,
    };
  },
};

async function splitOf(data: BenchmarkData, split: "test" | "train"): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) return data.hub(HUB + split);
  return data.rows(await oneFile(data, new RegExp(`(^|/)${split}\\.(jsonl|parquet)$`), `${split}.jsonl`));
}

function asked(row: SourcedRow): string {
  return `Question: ${textColumn(row, "question").trim()}\nAnswer:`;
}

function resultOf(row: SourcedRow): string {
  const result = afterMarks(textColumn(row, "answer"));
  if (result !== undefined) return result;
  throw new UserError("data", `${place(row.source)}: the answer has no number after ####`, {
    hint: "GSM8K's answers end in a line such as: #### 72",
  });
}

/** Reads the number after the first `####`, without thousands separators. */
function afterMarks(text: string): string | undefined {
  return /#### (-?[0-9.,]+)/.exec(text)?.[1]!.replaceAll(",", "").replace(/\.$/, "");
}

function lastNumber(text: string): string | null {
  return [...text.matchAll(/-?\$?[0-9][0-9,]*(?:\.[0-9]+)?/g)].at(-1)?.[0].replaceAll(/[,$]/g, "") ?? null;
}
