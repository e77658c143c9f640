import type { Message } from "../data/messages.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { GeneratedText, TextGenerator } from "../decode/text-generator.ts";
import type { GenerationSettings, Question } from "./benchmark.ts";

/** A question's next turn, with the conversation before it. */
export interface QuestionTurn {
  readonly question: Question;
  /** Earlier turns of this sample, each with its answer. */
  readonly history: readonly Message[];
  readonly turn: number;
}

export interface TurnToGenerate extends QuestionTurn {
  readonly settings: GenerationSettings;
  /** Sampled tokens depend on it and the seed only, not on the other questions of a batch. */
  readonly draw: number;
}

/** The prompt of a turn. */
interface FittedPrompt {
  readonly prompt: string;
  /** Worked examples that were left out because the window was too short. */
  readonly droppedShots: number;
}

export interface GeneratedTurn extends GeneratedText, FittedPrompt {}

export interface ScoredOptions extends FittedPrompt {
  readonly likelihoods: readonly { readonly logProbability: number; readonly tokens: number }[];
}

/** A model under test. */
export interface EvaluatedModel {
  /** Generates answers in the order of the turns; `onAnswer` is called when one is complete. */
  generate(
    turns: readonly TurnToGenerate[],
    options: { readonly seed: number; readonly signal?: AbortSignal | undefined; readonly onAnswer?: () => void },
  ): Promise<readonly GeneratedTurn[]>;
  /** Scores each option of a question as its answer. */
  choose(turn: QuestionTurn, signal?: AbortSignal): Promise<ScoredOptions>;
}

/** Makes a model under test of a text generator. Prompts have as many worked examples as fit. */
export function evaluatedModel(
  generator: TextGenerator,
  { batchSize }: { readonly batchSize?: number | undefined } = {},
): EvaluatedModel {
  const { tokenizer, template } = generator;
  const fitted = (turn: QuestionTurn, answerTokens: number): FittedPrompt & { readonly tokens: Int32Array } =>
    fit(turn, generator.maxLength - answerTokens, (messages) => {
      const tokens = generator.encode(messages);
      return { text: tokenizer.decode(tokens), tokens };
    });
  return {
    async generate(turns, { seed, signal, onAnswer }) {
      const prompts = turns.map((turn) => fitted(turn, turn.settings.maxNewTokens));
      const answers: GeneratedTurn[] = [];
      // Questions with different settings cannot run as one batch.
      for (const group of bySettings(turns)) {
        const texts = await generator.generate(
          group.map((i) => prompts[i]!.tokens),
          {
            ...turns[group[0]!]!.settings,
            seed,
            draws: group.map((i) => turns[i]!.draw),
            batchSize,
            onAnswer,
            signal,
          },
        );
        texts.forEach((text, at) => (answers[group[at]!] = { ...text, ...shown(prompts[group[at]!]!) }));
      }
      return answers;
    },
    async choose(turn, signal) {
      const options = turn.question.options ?? [];
      // A chat template ends where the answer begins; other prompts end in a letter or a colon.
      const lead = template === "chat" ? "" : " ";
      const answers = options.map((option) => tokenizer.encode(lead + option));
      const longest = answers.reduce((most, { length }) => Math.max(most, length), 0);
      const prompt = fitted(turn, longest);
      return { ...shown(prompt), likelihoods: await generator.likelihoods(prompt.tokens, answers, signal) };
    },
  };
}

function shown({ prompt, droppedShots }: FittedPrompt): FittedPrompt {
  return { prompt, droppedShots };
}

function bySettings(turns: readonly TurnToGenerate[]): number[][] {
  const groups = new Map<string, number[]>();
  turns.forEach(({ settings }, i) => {
    const key = JSON.stringify([settings.maxNewTokens, settings.stop, settings.temperature, settings.topP]);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  return [...groups.values()];
}

/** Fits a prompt into `longest` tokens. Keeps as many worked examples as possible, the last ones. */
function fit(
  { question, history, turn }: QuestionTurn,
  longest: number,
  encoded: (messages: readonly Message[]) => { text: string; tokens: Int32Array },
): FittedPrompt & { readonly tokens: Int32Array } {
  const shots = question.context?.shots ?? [];
  for (let dropped = 0; ; dropped++) {
    const { text, tokens } = encoded(conversation(question, history, turn, shots.slice(dropped)));
    if (tokens.length <= longest) return { prompt: text, droppedShots: dropped, tokens };
    if (dropped < shots.length) continue;
    throw new UserError(
      "config",
      `question ${question.id} has ${tokens.length} tokens, but beside its answer the window holds only ${Math.max(0, longest)}`,
      { hint: "Raise --max-length, at most to the model's number of positions, or lower --max-new-tokens." },
    );
  }
}

function conversation(
  { turns, context }: Question,
  history: readonly Message[],
  turn: number,
  shots: readonly string[],
): Message[] {
  const said: Message[] = [...history, { role: "user", content: turns[turn]! }];
  const [first, ...rest] = said;
  const parts = [context?.preamble, ...shots, first!.content].filter((part) => part !== undefined && part !== "");
  return [{ role: "user", content: parts.join("\n\n") }, ...rest];
}
