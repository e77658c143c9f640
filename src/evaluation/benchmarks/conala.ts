import type { SourcedRow } from "../../data/row.ts";
import { textColumn } from "../benchmark-data.ts";
import { EXACT_MATCH, GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { tokenizeSnippet } from "../metrics/snippet-bleu.ts";
import { gradeSnippet, snippetBleu, snippetOf } from "../grading/snippet-grade.ts";
import { firstExamples, splitRows } from "../grading/split-rows.ts";

interface SnippetQuestion extends Question {
  readonly snippet: string;
}

const HUB = "hf:neulab/conala?config=curated&split=";
const ASK = "Answer each instruction in one line of Python code.";

/** Code/Natural Language Challenge. */
export const conala: Benchmark<SnippetQuestion> = {
  title: "CoNaLa",
  category: "code",
  about: "500 intents from Stack Overflow, one line of Python each; 2 worked examples; BLEU and exact match",
  sources: [
    "Yin et al. 2018, Learning to Mine Aligned Code and Natural Language Pairs from Stack Overflow, arXiv 1805.08949",
    "github.com/conala-corpus/conala-baseline, eval/conala_eval.py: tokens and BLEU",
    "github.com/bigcode-project/bigcode-evaluation-harness, tasks/conala.py: two shots, one line, the rewritten intent",
  ],
  data: { hub: "neulab/conala", local: "conala-test.json and, for worked examples, conala-train.json" },
  modes: ["generation"],
  shots: 2,
  generation: { maxNewTokens: 96, stop: ["\nInstruction:"], ...GREEDY },
  metrics: [snippetBleu({}), EXACT_MATCH],
  async load(data, { shots = 2 }) {
    const test = await splitRows(data, { split: "test", hub: `${HUB}test`, orOnlyFile: true });
    const train = shots === 0 ? [] : await splitRows(data, { split: "train", hub: `${HUB}train` });
    const examples = firstExamples(data, train, shots).map((row) => `${asked(row)} ${textColumn(row, "snippet")}`);
    return test.map((row, i) => ({
      id: `test/${i}`,
      context: { preamble: ASK, shots: examples },
      turns: [asked(row)],
      snippet: textColumn(row, "snippet"),
    }));
  },
  grade: ({ snippet }, { samples: [text = ""] }) => gradeSnippet(snippetOf(text), snippet, tokenizeSnippet),
};

/** Reads the rewritten intent, or the original one where there is none. */
function asked(row: SourcedRow): string {
  const rewritten = row.fields["rewritten_intent"];
  const intent = typeof rewritten === "string" && rewritten.trim() !== "" ? rewritten : textColumn(row, "intent");
  return `Instruction: ${intent.trim()}\nSolution:`;
}
