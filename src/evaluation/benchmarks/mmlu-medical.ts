import { ACCURACY, type Benchmark } from "../benchmark.ts";
import { gradeChoice, LETTER_ANSWER } from "../grading/multiple-choice.ts";
import { mmlu, MMLU_SOURCES, mmluQuestions, type MmluQuestion } from "./mmlu.ts";

const SUBJECTS = new Set([
  "anatomy",
  "clinical_knowledge",
  "college_biology",
  "college_medicine",
  "medical_genetics",
  "professional_medicine",
]);

/** The subjects of MMLU that medical papers report. */
export const mmluMedical: Benchmark<MmluQuestion> = {
  title: "MMLU-Medical",
  category: "medicine",
  about: "1,089 questions of MMLU's six medical subjects; 5 worked examples of the subject; the right letter",
  sources: [...MMLU_SOURCES, "Singhal et al. 2023, Large language models encode clinical knowledge: the six subjects"],
  data: {
    hub: mmlu.data.hub!,
    local: `${mmlu.data.local}. MedAgents-Bench's mmlu/test.jsonl has no worked examples: ask it with --shots 0`,
  },
  modes: ["likelihood", "generation"],
  shots: 5,
  generation: LETTER_ANSWER,
  metrics: [ACCURACY],
  load: (data, { shots = 5 }) => mmluQuestions(data, shots, SUBJECTS),
  grade: gradeChoice,
};
