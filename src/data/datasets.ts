import type { FieldMap } from "./record.ts";
import type { Row, SourcedRow } from "./row.ts";

/** A dataset with a bare name, prepared as OpenFedLLM (`utils/process_dataset.py`) prepares it. */
export interface NamedDataset {
  /** Its repository on the Hub today. */
  readonly hub: string;
  /** Default: the repository's own default. */
  readonly config?: string;
  /** Default `train`. */
  readonly split?: string;
  /** Instructions with responses, or pairs of a chosen and a rejected answer; pairs are not changed. */
  readonly kind: "instruction" | "preference";
  /** The columns that hold the parts of a record. */
  readonly fields?: FieldMap;
  /** A change of the rows before they are parsed. */
  readonly prepare?: (rows: readonly SourcedRow[]) => SourcedRow[];
  /** Approximate number of rows of the split. */
  readonly rows: number;
  /** The licence that its page states; absent where it is not certain. */
  readonly licence?: string;
  /** A replacement, where the Hub no longer has it. */
  readonly instead?: string;
}

const ALPACA: Pick<NamedDataset, "kind" | "fields"> = {
  kind: "instruction",
  fields: { instruction: "instruction", input: "input", response: "output" },
};

const GSM8K: NamedDataset = {
  hub: "openai/gsm8k",
  config: "main",
  kind: "instruction",
  fields: { instruction: "question", response: "answer" },
  rows: 7473,
  licence: "mit",
};

/**
 * The datasets of OpenFedLLM by the names that it uses, and the one that its code plans for. These keys are the only list
 * of names.
 *
 * Columns are mapped where a mapping is enough; none is renamed or dropped, so clients can be partitioned by any column.
 */
export const DATASETS: Readonly<Record<string, NamedDataset>> = {
  "tatsu-lab/alpaca": { ...ALPACA, hub: "tatsu-lab/alpaca", rows: 52_002, licence: "cc-by-nc-4.0" },
  "vicgalle/alpaca-gpt4": { ...ALPACA, hub: "vicgalle/alpaca-gpt4", rows: 52_002, licence: "cc-by-nc-4.0" },
  "yahma/alpaca-cleaned": { ...ALPACA, hub: "yahma/alpaca-cleaned", rows: 51_760, licence: "cc-by-4.0" },
  "FinGPT/fingpt-sentiment-train": { ...ALPACA, hub: "FinGPT/fingpt-sentiment-train", rows: 76_772 },
  "gbharti/finance-alpaca": { ...ALPACA, hub: "gbharti/finance-alpaca", rows: 68_912, licence: "mit" },
  "lucasmccabe-lmi/CodeAlpaca-20k": {
    ...ALPACA,
    hub: "lucasmccabe-lmi/CodeAlpaca-20k",
    rows: 20_022,
    instead: "hf:sahil2801/CodeAlpaca-20k",
  },
  "WizardLM/WizardLM_evol_instruct_70k": {
    hub: "WizardLMTeam/WizardLM_evol_instruct_70k",
    kind: "instruction",
    fields: { instruction: "instruction", response: "output" },
    rows: 70_000,
    licence: "mit",
  },
  "TIGER-Lab/MathInstruct": {
    hub: "TIGER-Lab/MathInstruct",
    kind: "instruction",
    fields: { instruction: "instruction", response: "output" },
    prepare: (rows) => firstOfEach(rows, "instruction"),
    rows: 262_039,
    licence: "mit",
  },
  "lighteval/MATH": {
    hub: "lighteval/MATH",
    config: "all",
    kind: "instruction",
    fields: { instruction: "problem", response: "solution" },
    rows: 7500,
    licence: "mit",
    instead: "hf:DigitalLearningGmbH/MATH-lighteval",
  },
  gsm8k: GSM8K,
  "openai/gsm8k": GSM8K,
  "medalpaca/medical_meadow_medical_flashcards": {
    hub: "medalpaca/medical_meadow_medical_flashcards",
    kind: "instruction",
    fields: { instruction: "instruction", response: "output" },
    // Every instruction is the same request to answer truthfully; the question is the input.
    prepare: (rows) => rows.map((row) => ({ ...row, fields: inputAsInstruction(row.fields) })),
    rows: 33_955,
  },
  "lavita/ChatDoctor-HealthCareMagic-100k": {
    ...ALPACA,
    hub: "lavita/ChatDoctor-HealthCareMagic-100k",
    rows: 112_165,
  },
  "Anthropic/hh-rlhf": { hub: "Anthropic/hh-rlhf", kind: "preference", rows: 160_800, licence: "mit" },
  "HuggingFaceH4/ultrafeedback_binarized": {
    hub: "HuggingFaceH4/ultrafeedback_binarized",
    split: "train_sft",
    kind: "preference",
    rows: 61_135,
    licence: "mit",
  },
};

function firstOfEach(rows: readonly SourcedRow[], column: string): SourcedRow[] {
  const seen = new Set<unknown>();
  return rows.filter(({ fields }) => !seen.has(fields[column]) && seen.add(fields[column]));
}

function inputAsInstruction({ input, instruction: _dropped, ...rest }: Row): Row {
  return { ...rest, instruction: input };
}
