import type { Message } from "../data/messages.ts";
import type { TemplateOptions } from "../data/rendered-record.ts";
import { generateTexts, type GeneratedText } from "../decode/text-generation.ts";
import { TEMPLATES, type TemplateName } from "../data/template.ts";
import { encodeMessages } from "../data/tokens.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { Params } from "../tensor/params.ts";
import type { Decoder } from "../decode/decoder.ts";
import { likelihoods } from "../decode/likelihood.ts";
import type { GenerationSettings, Question } from "./benchmark.ts";

/** A question's next turn, with what was said before. */
export interface Request {
  readonly question: Question;
  /** Earlier turns of this sample, each with its answer. */
  readonly history: readonly Message[];
  readonly turn: number;
}

export interface GenerationRequest extends Request {
  readonly settings: GenerationSettings;
  /** What sampled tokens follow from, with the seed: the same for a question whatever it is asked together with. */
  readonly draw: number;
}

/** What the model was given in the end. */
export interface Asked {
  readonly prompt: string;
  /** Worked examples left out for want of room. */
  readonly droppedShots: number;
}

export interface Generated extends GeneratedText, Asked {}

export interface Chosen extends Asked {
  readonly likelihoods: readonly { readonly logProbability: number; readonly tokens: number }[];
}

/** A model that a benchmark is put to. */
export interface Respondent {
  /** Answers in the order of the requests; `onAnswer` hears of each as it is there. */
  generate(
    requests: readonly GenerationRequest[],
    options: { readonly seed: number; readonly signal?: AbortSignal | undefined; readonly onAnswer?: () => void },
  ): Promise<readonly Generated[]>;
  /** How likely each option of a question is as its answer. */
  choose(request: Request, signal?: AbortSignal): Promise<Chosen>;
}

export interface RespondentOptions {
  readonly decoder: Decoder;
  readonly adapter: Params;
  readonly tokenizer: Tokenizer;
  readonly template: TemplateName;
  readonly system?: string | undefined;
  readonly stopTokens: ReadonlySet<number>;
  readonly batchSize?: number | undefined;
}

/** A base with an adapter (an empty one: the base alone), asked through a template. */
export function respondent(options: RespondentOptions): Respondent {
  const { decoder, adapter, tokenizer, template, system, stopTokens, batchSize } = options;
  const fitted = (request: Request, room: number): Asked & { readonly tokens: Int32Array } =>
    fit(request, decoder.maxLength - room, (messages) => encode(messages, tokenizer, template, { system }));
  const choices = likelihoods(decoder, adapter);
  return {
    async generate(requests, { seed, signal, onAnswer }) {
      const asked = requests.map((request) => fitted(request, request.settings.maxNewTokens));
      const answers: Generated[] = [];
      // Questions of unlike settings cannot run as one batch.
      for (const group of bySettings(requests)) {
        const { settings } = requests[group[0]!]!;
        const texts = await generateTexts(
          decoder,
          adapter,
          group.map((i) => asked[i]!.tokens),
          tokenizer,
          {
            ...settings,
            topK: 0,
            repetitionPenalty: 1,
            stopTokens,
            seed,
            draws: group.map((i) => requests[i]!.draw),
            batchSize,
            onAnswer,
            signal,
          },
        );
        texts.forEach((text, at) => (answers[group[at]!] = { ...text, ...shown(asked[group[at]!]!) }));
      }
      return answers;
    },
    async choose(request, signal) {
      const options = request.question.options ?? [];
      // A chat template ends where the answer begins; other prompts end in a letter or a colon.
      const lead = template === "chat" ? "" : " ";
      const answers = options.map((option) => tokenizer.encode(lead + option));
      const longest = answers.reduce((most, { length }) => Math.max(most, length), 0);
      const asked = fitted(request, longest);
      const scores = await choices(asked.tokens, answers, signal);
      return { ...shown(asked), likelihoods: scores };
    },
  };
}

function encode(
  messages: readonly Message[],
  tokenizer: Tokenizer,
  template: TemplateName,
  options: TemplateOptions,
): { text: string; tokens: Int32Array } {
  const tokens = encodeMessages(messages, TEMPLATES[template], tokenizer, options);
  return { text: tokenizer.decode(tokens), tokens };
}

function shown({ prompt, droppedShots }: Asked): Asked {
  return { prompt, droppedShots };
}

function bySettings(requests: readonly GenerationRequest[]): number[][] {
  const groups = new Map<string, number[]>();
  requests.forEach(({ settings }, i) => {
    const key = JSON.stringify([settings.maxNewTokens, settings.stop, settings.temperature, settings.topP]);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  return [...groups.values()];
}

/** The prompt with as many worked examples as there is room for, the last ones kept. */
function fit(
  { question, history, turn }: Request,
  room: number,
  encoded: (messages: readonly Message[]) => { text: string; tokens: Int32Array },
): Asked & { readonly tokens: Int32Array } {
  const shots = question.context?.shots ?? [];
  for (let dropped = 0; ; dropped++) {
    const { text, tokens } = encoded(conversation(question, history, turn, shots.slice(dropped)));
    if (tokens.length <= room) return { prompt: text, droppedShots: dropped, tokens };
    if (dropped < shots.length) continue;
    throw new UserError(
      "config",
      `question ${question.id} is ${tokens.length} tokens long, and beside its answer there is room for ${Math.max(0, room)}`,
      { hint: "Raise --max-length as far as the model has positions, or lower --max-new-tokens." },
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
