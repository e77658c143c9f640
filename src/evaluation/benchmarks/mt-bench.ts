import type { Benchmark } from "../benchmark.ts";
import { dialogueQuestions, type DialogueQuestion } from "../judge/dialogue-questions.ts";
import { judgeMessages, required } from "../judge/judge-prompts.ts";
import { readRating } from "../judge/judge-verdict.ts";
import { turnMean, turnParts } from "../metrics/turn-mean.ts";

export const MT_BENCH_SOURCES: readonly string[] = [
  "Zheng et al. 2023, Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, arXiv 2306.05685",
  "github.com/lm-sys/FastChat, fastchat/llm_judge: questions, temperatures, judge prompts, reading of verdicts, means",
];

/** MT-Bench with each answer rated alone. */
export const mtBench: Benchmark<DialogueQuestion> = {
  title: "MT-Bench",
  category: "open-ended",
  about: "80 questions of two turns in 8 categories; a judge rates each turn from 1 to 10",
  sources: MT_BENCH_SOURCES,
  data: { local: "question.jsonl, reference_answer/gpt-4.jsonl and judge_prompts.jsonl, from FastChat" },
  modes: ["generation"],
  shots: 0,
  generation: { maxNewTokens: 1024, stop: [], temperature: 0.7, topP: 1 },
  needs: "judge",
  metrics: [
    turnMean("score", "judge's rating, both turns", "score"),
    { name: "firstTurn", title: "first turn", unit: "score" },
    { name: "secondTurn", title: "second turn", unit: "score" },
  ],
  load: (data) => dialogueQuestions(data, { general: "single-v1", withReference: "single-math-v1" }),
  async grade({ turns, prompts, reference }, answer, { judge, fidelity }) {
    const values = {
      question: turns[0],
      question_1: turns[0],
      question_2: turns[1],
      answer: answer.turns[0] ?? "",
      answer_1: answer.turns[0] ?? "",
      answer_2: answer.turns[1] ?? "",
      ref_answer_1: reference?.[0] ?? "",
      ref_answer_2: reference?.[1] ?? "",
    };
    const judgements = await Promise.all(
      prompts.map((prompt) => required(judge).ask(judgeMessages(prompt, values), { temperature: 0, maxTokens: 2048 })),
    );
    const ratings = judgements.map((judgement) => readRating(judgement, fidelity));
    const [first = null, second = null] = ratings;
    return {
      scores: { ...(first !== null && { firstTurn: first }), ...(second !== null && { secondTurn: second }) },
      parts: { score: turnParts(ratings) },
      parsed: first === null && second === null ? null : `${first ?? "?"}, ${second ?? "?"}`,
      unreadable: ratings.filter((rating) => rating === null).length,
      note: judgements.join("\n\n"),
    };
  },
};
