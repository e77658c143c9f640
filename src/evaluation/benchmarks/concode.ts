import type { SourcedRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { contentsText, textColumn, type BenchmarkData } from "../benchmark-data.ts";
import { EXACT_MATCH, GREEDY, type Benchmark, type Question } from "../benchmark.ts";
import { splitWords } from "../grading/python-text.ts";
import { gradeSnippet, snippetBleu, snippetOf } from "../grading/snippet-grade.ts";
import { firstExamples } from "../grading/split-rows.ts";

interface MemberQuestion extends Question {
  readonly code: string;
}

const HUB = "hf:google/code_x_glue_tc_text_to_code?split=";
const ASK = "Answer each instruction with one method in Java, its tokens apart by spaces, on one line.";

/** CONCODE: methods of Java classes from their documentation and their class. */
export const concode: Benchmark<MemberQuestion> = {
  title: "ConCode",
  category: "code",
  about:
    "2,000 Java methods from documentation and class (the dev split, because the test's code is not public); BLEU and exact match",
  sources: [
    "Iyer et al. 2018, Mapping Language to Code in Programmatic Context, arXiv 1808.09588",
    "Lu et al. 2021, CodeXGLUE, arXiv 2102.04664; github.com/microsoft/CodeXGLUE, Text-Code/text-to-code/evaluator",
    "github.com/bigcode-project/bigcode-evaluation-harness, tasks/concode.py: two shots, one line",
  ],
  data: {
    hub: "google/code_x_glue_tc_text_to_code",
    local: "dev.json and train.json of CodeXGLUE's concode (a line each)",
  },
  modes: ["generation"],
  shots: 2,
  generation: { maxNewTokens: 160, stop: ["\nInstruction:"], ...GREEDY },
  metrics: [snippetBleu({ addOne: true }), EXACT_MATCH],
  async load(data, { shots = 2 }) {
    const asks = await rowsOf(data, "dev");
    const train = shots === 0 ? [] : await rowsOf(data, "train");
    const examples = firstExamples(data, train, shots).map((row) => `${asked(row)} ${textColumn(row, "code")}`);
    return asks.map((row, i) => ({
      id: `dev/${i}`,
      context: { preamble: ASK, shots: examples },
      turns: [asked(row)],
      code: textColumn(row, "code"),
    }));
  },
  grade: ({ code }, { samples: [text = ""] }) => gradeSnippet(snippetOf(text), code, splitWords),
};

async function rowsOf(data: BenchmarkData, split: "dev" | "train"): Promise<readonly SourcedRow[]> {
  if (data.local === undefined) return data.hub(HUB + (split === "dev" ? "validation" : "train"));
  const files = await data.files();
  const name = files.find((file) => new RegExp(`(^|/)${split}\\.(json|jsonl)$`).test(file));
  if (name === undefined) {
    throw new UserError("data", `${data.local}: no ${split}.json`, {
      hint: `${contentsText(files)} Without worked examples: --shots 0.`,
    });
  }
  return data.rows(name);
}

function asked(row: SourcedRow): string {
  const words = textColumn(row, "nl").replaceAll(/\s*concode_(?:field|elem)_sep\s*/g, " ; ");
  return `Instruction: ${words.trim()}\nSolution:`;
}
