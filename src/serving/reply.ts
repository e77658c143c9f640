import type { ScoredText, ScoredToken } from "../decode/scored-text.ts";
import type { GeneratedText } from "../decode/text-generator.ts";

/** The first fields of every object of one reply. */
interface ReplyHead {
  readonly id: string;
  readonly object: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** The form of an endpoint's answers, whole and in pieces. */
export interface ReplyForm {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** The content of a whole choice, besides index and reason. */
  whole(text: string): object;
  /** The content of a piece of a choice; undefined: nothing, as at its end. */
  piece(text: string | undefined): object;
  /** The scores of the tokens of a choice. */
  scores(scored: ScoredText): object;
  /** The first piece of a choice in a stream; undefined: none. */
  readonly opening: object | undefined;
}

export const CHAT: ReplyForm = {
  idPrefix: "chatcmpl",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  whole: (content) => ({ message: { role: "assistant", content, refusal: null } }),
  piece: (content) => ({ delta: content === undefined ? {} : { content } }),
  scores: (scored) => ({
    content: scored.map((each) => ({
      ...chatToken(each),
      top_logprobs: each.likeliest.map(chatToken),
    })),
    refusal: null,
  }),
  opening: { delta: { role: "assistant", content: "" } },
};

export const COMPLETION: ReplyForm = {
  idPrefix: "cmpl",
  object: "text_completion",
  chunkObject: "text_completion",
  whole: (text) => ({ text }),
  piece: (text = "") => ({ text }),
  scores: (scored) => ({
    tokens: scored.map(({ text }) => text),
    token_logprobs: scored.map(({ logProbability }) => asJson(logProbability)),
    top_logprobs: scored.map(topLogProbabilities),
    text_offset: scored.map(({ offset }) => offset),
  }),
  opening: undefined,
};

/** By text, as OpenAI's: with the chosen token. Of parts of characters, which are alike as text, the likeliest counts. */
function topLogProbabilities({ text, logProbability, likeliest }: ScoredToken): object | null {
  if (logProbability === undefined) return null;
  const byText = new Map<string, number | null>();
  const all = [...likeliest, { text, logProbability }];
  for (const each of all) if (!byText.has(each.text)) byText.set(each.text, asJson(each.logProbability));
  return Object.fromEntries(byText);
}

/** JSON has no infinity; OpenAI writes this number in its place. */
const LEAST_LOG_PROBABILITY = -9999;

function asJson(logProbability: number | undefined): number | null {
  return logProbability === undefined ? null : Math.max(logProbability, LEAST_LOG_PROBABILITY);
}

function chatToken({ text, logProbability }: Pick<ScoredToken, "text" | "logProbability">): object {
  // The bytes of a part of a character are not known.
  const bytes = text.includes("\uFFFD") ? null : [...new TextEncoder().encode(text)];
  return { token: text, logprob: asJson(logProbability), bytes };
}

/** Makes the objects of the answer to one request. */
export class Reply {
  readonly #form: ReplyForm;
  readonly #head: Omit<ReplyHead, "object">;

  constructor(form: ReplyForm, model: string) {
    this.#form = form;
    const id = `${form.idPrefix}-${crypto.randomUUID().replaceAll("-", "")}`;
    this.#head = { id, created: Math.floor(Date.now() / 1000), model };
  }

  whole(answers: readonly GeneratedText[], usage: Usage): object {
    const choices = answers.map(({ text, finish, scored }, index) => ({
      ...choice(index, this.#form.whole(text), finish),
      ...(scored === undefined ? {} : { logprobs: this.#form.scores(scored) }),
    }));
    return { ...this.#head, object: this.#form.object, choices, usage };
  }

  opening(index: number): object | undefined {
    return this.#form.opening && this.#chunk([choice(index, this.#form.opening, null)]);
  }

  piece(index: number, text: string): object {
    return this.#chunk([choice(index, this.#form.piece(text), null)]);
  }

  end(index: number, { finish }: GeneratedText): object {
    return this.#chunk([choice(index, this.#form.piece(undefined), finish)]);
  }

  usage(usage: Usage): object {
    return { ...this.#chunk([]), usage };
  }

  #chunk(choices: readonly object[]): object {
    return { ...this.#head, object: this.#form.chunkObject, choices };
  }
}

function choice(index: number, content: object, finish: GeneratedText["finish"] | null): object {
  return { index, ...content, logprobs: null, finish_reason: finish };
}

export function usageOf(prompts: readonly Int32Array[], answers: readonly GeneratedText[]): Usage {
  const prompt_tokens = prompts.reduce((sum, { length }) => sum + length, 0);
  const completion_tokens = answers.reduce((sum, { tokens }) => sum + tokens, 0);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
