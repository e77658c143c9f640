import type { Message } from "../data/messages.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { sampleOf, stream } from "../tensor/random.ts";
import type {
  Answer,
  AnswerMode,
  Benchmark,
  GenerationSettings,
  GradingTools,
  Question,
  Verdict,
} from "./benchmark.ts";
import type { EvaluatedModel, GeneratedTurn } from "./evaluated-model.ts";

/** A question with its number in the whole benchmark. Its sampled answers follow from the number. */
export interface Numbered {
  readonly question: Question;
  readonly number: number;
}

/** An answer with what was asked, for keeping and for reading. */
export interface AnswerRecord extends Answer {
  /** The question's id. */
  readonly question: string;
  /** A hash of the question's words, which differs where the benchmark's text changed. */
  readonly fingerprint: string;
  /** The prompts of the first sample, turn by turn. */
  readonly prompts: readonly string[];
  readonly droppedShots: number;
  /** Tokens written, all samples together. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Port: keeps answers as they come. */
export interface AnswerStore {
  readonly kept: ReadonlyMap<string, AnswerRecord>;
  append(answers: readonly AnswerRecord[]): Promise<void>;
}

export interface AskOptions {
  readonly mode: AnswerMode;
  /** Answers to each question. */
  readonly samples: number;
  readonly seed: number;
  /** Replaces the benchmark's and the questions' own, as does `temperature`. */
  readonly maxNewTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly store: AnswerStore;
  readonly onProgress?: ((answered: number, of: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Questions asked together; what is written is kept after each such chunk. */
const CHUNK = 16;

/** Draws at most `limit` questions, the same ones for a seed, and keeps their order. */
export function sampleQuestions(
  questions: readonly Question[],
  limit: number | undefined,
  { seed, benchmark }: { readonly seed: number; readonly benchmark: string },
): readonly Numbered[] {
  const all = questions.map((question, number) => ({ question, number }));
  return sampleOf(all, limit, stream(seed, "benchmark", benchmark));
}

/** Hashes all that a question says. */
function fingerprint({ turns, context, options }: Question): string {
  // FNV-1a with 64 bits: enough to notice a change, and no reason to load a digest.
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(JSON.stringify([turns, context ?? null, options ?? null]))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}

/**
 * Asks a model the questions that are not answered yet.
 *
 * @throws UserError("data") where the kept answer to a question is to other words.
 */
export async function askQuestions(
  benchmark: Benchmark,
  questions: readonly Numbered[],
  model: EvaluatedModel,
  options: AskOptions,
): Promise<readonly AnswerRecord[]> {
  const { store, onProgress, signal } = options;
  const answers = new Map<string, AnswerRecord>();
  const open: Numbered[] = [];
  for (const numbered of questions) {
    const kept = store.kept.get(numbered.question.id);
    if (kept === undefined) open.push(numbered);
    else {
      if (kept.fingerprint !== fingerprint(numbered.question)) throw otherWords(numbered.question);
      answers.set(kept.question, kept);
    }
  }
  onProgress?.(answers.size, questions.length);
  for (let at = 0; at < open.length;) {
    signal?.throwIfAborted();
    const chunk = open.slice(at, at + (options.mode === "likelihood" ? 1 : CHUNK));
    at += chunk.length;
    const fresh =
      options.mode === "likelihood"
        ? await chooseAll(chunk, model, signal)
        : await generateAll(benchmark, chunk, model, options, answers.size, questions.length);
    await store.append(fresh);
    for (const answer of fresh) answers.set(answer.question, answer);
    onProgress?.(answers.size, questions.length);
  }
  return questions.map(({ question }) => answers.get(question.id)!);
}

function otherWords({ id }: Question): UserError {
  return new UserError("data", `the stored answer to question ${id} is for another wording of the question`, {
    hint: "The benchmark's data or its number of worked examples changed. Choose another --out, or remove the old answers.",
  });
}

async function chooseAll(
  chunk: readonly Numbered[],
  model: EvaluatedModel,
  signal: AbortSignal | undefined,
): Promise<AnswerRecord[]> {
  const records: AnswerRecord[] = [];
  for (const { question } of chunk) {
    const started = performance.now();
    const { prompt, droppedShots, likelihoods } = await model.choose({ question, history: [], turn: 0 }, signal);
    records.push({
      question: question.id,
      fingerprint: fingerprint(question),
      prompts: [prompt],
      turns: [],
      samples: [],
      finish: [],
      likelihoods,
      droppedShots,
      tokens: 0,
      seconds: (performance.now() - started) / 1000,
    });
  }
  return records;
}

async function generateAll(
  benchmark: Benchmark,
  chunk: readonly Numbered[],
  model: EvaluatedModel,
  { samples, seed, maxNewTokens, temperature, onProgress, signal }: AskOptions,
  before: number,
  total: number,
): Promise<AnswerRecord[]> {
  const started = performance.now();
  const dialogues = chunk.flatMap(({ question, number }) =>
    Array.from({ length: samples }, (_, sample) => ({
      question,
      draw: number * samples + sample,
      history: [] as Message[],
      said: [] as GeneratedTurn[],
    })),
  );
  const turns = Math.max(...chunk.map(({ question }) => question.turns.length));
  for (let turn = 0; turn < turns; turn++) {
    const going = dialogues.filter(({ question }) => question.turns.length > turn);
    const lastTurn = turn === turns - 1;
    let ended = 0;
    const replies = await model.generate(
      going.map(({ question, draw, history }) => ({
        question,
        history,
        turn,
        settings: settingsOf(benchmark, question, { maxNewTokens, temperature }),
        // Another turn is another draw; no benchmark has so many questions that they meet.
        draw: draw + turn * 2 ** 32,
      })),
      {
        seed,
        signal,
        onAnswer: () => {
          ended++;
          if (lastTurn) onProgress?.(before + Math.floor(ended / samples), total);
        },
      },
    );
    going.forEach((dialogue, i) => {
      const reply = replies[i]!;
      dialogue.said.push(reply);
      dialogue.history.push(
        { role: "user", content: dialogue.question.turns[turn]! },
        { role: "assistant", content: reply.text },
      );
    });
  }
  const seconds = (performance.now() - started) / 1000 / chunk.length;
  return chunk.map(({ question }) => {
    const own = dialogues.filter((dialogue) => dialogue.question === question);
    const first = own[0]!.said;
    return {
      question: question.id,
      fingerprint: fingerprint(question),
      prompts: first.map(({ prompt }) => prompt),
      turns: first.map(({ text }) => text),
      samples: own.map(({ said }) => said.at(-1)!.text),
      finish: own.map(({ said }) => said.at(-1)!.finish),
      droppedShots: Math.max(...own.flatMap(({ said }) => said.map((reply) => reply.droppedShots))),
      tokens: own.reduce((sum, { said }) => sum + said.reduce((all, reply) => all + reply.tokens, 0), 0),
      seconds,
    };
  });
}

function settingsOf(
  benchmark: Benchmark,
  question: Question,
  own: { readonly maxNewTokens: number | undefined; readonly temperature: number | undefined },
): GenerationSettings {
  const settings = { ...benchmark.generation, ...question.generation };
  return {
    ...settings,
    ...(own.maxNewTokens === undefined ? {} : { maxNewTokens: own.maxNewTokens }),
    ...(own.temperature === undefined ? {} : { temperature: own.temperature }),
  };
}

/** A verdict on one question's answer. */
export interface Graded extends Verdict {
  readonly question: string;
  readonly group?: string;
}

/**
 * Grades answers, several at once where grading waits (a judge, a program). After a failure no further answer is graded, and
 * those under way come to their end first: their verdicts may be paid for, and the caller may then close the store.
 */
export async function gradeAnswers(
  benchmark: Benchmark,
  questions: readonly Numbered[],
  answers: readonly Answer[],
  tools: GradingTools,
  { concurrency, onProgress }: { readonly concurrency: number; readonly onProgress?: (graded: number) => void },
): Promise<readonly Graded[]> {
  const graded: Graded[] = [];
  let next = 0;
  let done = 0;
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    while (next < questions.length && failures.length === 0) {
      tools.signal?.throwIfAborted();
      const at = next++;
      const { id, group } = questions[at]!.question;
      const verdict = await benchmark.grade(questions[at]!.question, answers[at]!, tools);
      graded[at] = { question: id, ...(group === undefined ? {} : { group }), ...verdict };
      onProgress?.(++done);
    }
  };
  const fail = (failure: unknown): void => void failures.push(failure);
  await Promise.all(Array.from({ length: Math.min(concurrency, questions.length) }, () => work().catch(fail)));
  if (failures.length > 0) throw failures[0];
  return graded;
}
