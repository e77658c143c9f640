import { UserError } from "../../diagnostics/user-error.ts";
import type { Answer, Benchmark } from "../benchmark.ts";
import { dialogueQuestions, type DialogueQuestion } from "../judge/dialogue-questions.ts";
import { judgeMessages, required, type JudgePrompt } from "../judge/judge-prompts.ts";
import { readPreference } from "../judge/judge-verdict.ts";
import type { Judge } from "../judge/judge.ts";
import { turnMean, turnParts } from "../metrics/turn-mean.ts";
import { MT_BENCH_SOURCES, mtBench } from "./mt-bench.ts";

/** MT-Bench with each answer compared with a baseline model's, in both orders. Its questions are those of `mt-bench`. */
export const mtBenchPairwise: Benchmark<DialogueQuestion> = {
  ...mtBench,
  title: "MT-Bench, pairwise",
  about:
    "80 questions of two turns; a judge compares with a baseline model's answers, in both orders; a tie where the two verdicts contradict each other",
  sources: MT_BENCH_SOURCES,
  needsBaseline: true,
  metrics: [
    turnMean("winRate", "win rate, a tie counted half", "share"),
    turnMean("wins", "wins", "share"),
    turnMean("ties", "ties", "share"),
    { name: "firstTurn", title: "win rate, first turn", unit: "share" },
    { name: "secondTurn", title: "win rate, second turn", unit: "share" },
  ],
  load: (data) => dialogueQuestions(data, { general: "pair-v2", withReference: "pair-math-v1" }),
  async grade(question, answer, { judge, baseline }) {
    const other = baseline?.(question.id);
    if (other === undefined) throw noBaseline(question.id, baseline !== undefined);
    const games = await Promise.all(
      question.prompts.map((prompt) => play(question, prompt, answer, other, required(judge))),
    );
    const results = games.map(({ result }) => result);
    const [first = null, second = null] = results;
    return {
      scores: { ...(first !== null && { firstTurn: first }), ...(second !== null && { secondTurn: second }) },
      parts: {
        winRate: turnParts(results),
        wins: turnParts(results.map((result) => (result === null ? null : Number(result === 1)))),
        ties: turnParts(results.map((result) => (result === null ? null : Number(result === 0.5)))),
      },
      parsed: first === null && second === null ? null : `${inWords(first)}, ${inWords(second)}`,
      unreadable: games.reduce((sum, { unreadable }) => sum + unreadable, 0),
      note: games.flatMap(({ judgements }) => judgements).join("\n\n"),
    };
  },
};

interface Game {
  /** 1: better than the baseline, 0: worse, ½: a tie or two verdicts that contradict each other; null: not readable. */
  readonly result: number | null;
  readonly unreadable: number;
  readonly judgements: readonly string[];
}

async function play(
  { turns, reference }: DialogueQuestion,
  prompt: JudgePrompt,
  own: Answer,
  other: Answer,
  judge: Judge,
): Promise<Game> {
  const ask = (a: Answer, b: Answer): Promise<string> =>
    judge.ask(
      judgeMessages(prompt, {
        question: turns[0],
        question_1: turns[0],
        question_2: turns[1],
        answer_a: a.turns[0] ?? "",
        answer_a_1: a.turns[0] ?? "",
        answer_a_2: a.turns[1] ?? "",
        answer_b: b.turns[0] ?? "",
        answer_b_1: b.turns[0] ?? "",
        answer_b_2: b.turns[1] ?? "",
        ref_answer_1: reference?.[0] ?? "",
        ref_answer_2: reference?.[1] ?? "",
      }),
      { temperature: 0, maxTokens: 2048 },
    );
  const judgements = await Promise.all([ask(own, other), ask(other, own)]);
  const [asA, asB] = judgements.map(readPreference);
  const unreadable = Number(asA === null) + Number(asB === null);
  const won = asA === "A" && asB === "B";
  const lost = asA === "B" && asB === "A";
  return { result: unreadable > 0 ? null : won ? 1 : lost ? 0 : 0.5, unreadable, judgements };
}

function inWords(result: number | null): string {
  return result === null ? "?" : result === 1 ? "won" : result === 0 ? "lost" : "tie";
}

function noBaseline(id: string, given: boolean): UserError {
  return given
    ? new UserError("data", `the baseline has no answer to question ${id}`, {
        hint: "Run mt-bench on the baseline with the same questions first, or compare only questions that it answered.",
      })
    : new UserError("config", "this benchmark compares with another model's answers, and none were given", {
        hint: "Run mt-bench on the baseline model first, then give its answers with --baseline.",
      });
}
