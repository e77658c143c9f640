import { place } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { listColumn, preferredFile, textColumn } from "../benchmark-data.ts";
import type { Benchmark, Question } from "../benchmark.ts";
import { onlyLocal } from "../judge/dialogue-questions.ts";
import { judgeMessages, judgePrompts, required, type JudgePrompt } from "../judge/judge-prompts.ts";
import { readRating } from "../judge/judge-verdict.ts";

interface RatedQuestion extends Question {
  readonly prompt: JudgePrompt;
}

/** OpenFedLLM's prompt, which replaces the one in judge_prompts.jsonl. */
const SYSTEM = "You are a helpful assistant, that ranks models by the quality of their answers.";

/** The Vicuna benchmark with each answer rated alone. */
export const vicunaBench: Benchmark<RatedQuestion> = {
  title: "Vicuna benchmark",
  category: "open-ended",
  about: "80 questions in 9 categories; a judge rates each answer from 1 to 10",
  sources: [
    "Chiang et al. 2023, Vicuna: An Open-Source Chatbot Impressing GPT-4, lmsys.org/blog/2023-03-30-vicuna: the questions",
    "github.com/rui-ye/OpenFedLLM, evaluation/open_ended/gen_judge_vicuna.py: prompt single-v1 for all, temperature 0.2; " +
      "show_results_vicuna.py: the mean, where a verdict that cannot be read counted −1 (here only under fidelity original)",
  ],
  data: { local: "vicuna_question.jsonl (or question.jsonl) and judge_prompts.jsonl, from FastChat" },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 2048, stop: [], temperature: 0.7, topP: 1 },
  needs: "judge",
  metrics: [{ name: "score", title: "judge's rating", unit: "score" }],
  async load(data) {
    if (data.local === undefined)
      throw onlyLocal("The Vicuna benchmark", "vicuna_question.jsonl and judge_prompts.jsonl");
    const { template } = (await judgePrompts(data))("single-v1");
    // FastChat's whole data folder also has MT-Bench's questions.
    const file = await preferredFile(
      data,
      [/(^|\/)(vicuna_|vicuna(_bench)?\/)question\.jsonl$/, /(^|\/)question\.jsonl$/],
      "vicuna_question.jsonl",
    );
    const rows = await data.rows(file);
    return rows.map((row) => {
      const turns = listColumn(row, "turns");
      if (turns.length !== 1) {
        throw new UserError("data", `${place(row.source)}: ${turns.length} turns, expected one`, {
          hint: "The Vicuna benchmark's questions have one turn; those of MT-Bench have two.",
        });
      }
      return {
        id: textColumn(row, "question_id"),
        group: textColumn(row, "category"),
        turns,
        prompt: { system: SYSTEM, template },
      };
    });
  },
  async grade({ turns, prompt }, answer, { judge, fidelity }) {
    const judgement = await required(judge).ask(
      judgeMessages(prompt, { question: turns[0]!, answer: answer.turns[0] ?? "" }),
      { temperature: 0.2, maxTokens: 2048 },
    );
    const rating = readRating(judgement, fidelity);
    const score = rating ?? (fidelity === "original" ? -1 : undefined);
    return {
      scores: score === undefined ? {} : { score },
      parsed: rating === null ? null : String(rating),
      unreadable: Number(rating === null),
      note: judgement,
    };
  },
};
