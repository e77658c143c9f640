import { chatTemplateFor } from "./apply-chat-template.ts";
import type { Example } from "./example.ts";
import type { Prompt } from "./preference.ts";
import type { AnswerContent } from "./record.ts";
import type { TemplateOptions } from "./rendered-record.ts";
import type { Template } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { contextOf, endOfAnswers, tokenise, type EncodeReport } from "./tokens.ts";

export interface PreferenceOptions extends TemplateOptions {
  /** Tokens of prompt and answer together, BOS and EOS included. Default 512. */
  readonly maxLength?: number | undefined;
  /**
   * Tokens of the prompt, BOS included; a longer prompt keeps its end. Default: the tokens that the longest answer leaves,
   * and at least half of `maxLength`. So a long prompt costs no answer, and a long answer does not cost the whole prompt.
   */
  readonly maxPromptLength?: number | undefined;
  /**
   * `original`: as TRL 0.7.2, which OpenFedLLM uses; for pairs only. Prompt and answers are tokenised apart and without
   * BOS. The prompt is cut only where it does not fit `maxLength` with the longest answer: its last `maxPromptLength`
   * (default 128) tokens are kept. Where that is still too long, the first `maxLength` − `maxPromptLength` tokens of both
   * answers are kept. TRL also hides EOS inside a prompt (Vicuna's, after earlier answers) from attention; here it is seen.
   */
  readonly fidelity?: "original" | undefined;
}

/** The counts of supervised tuning, where `truncated` counts a cut anywhere, and further counts. */
export interface PreferenceReport extends EncodeReport {
  /** Prompts cut at their start. */
  readonly truncatedPrompts: number;
  /** Answers cut at their end; a pair has two. */
  readonly truncatedAnswers: number;
  /** Left out because the prompt fills `maxLength` (a part of `dropped`). */
  readonly fullPrompts: number;
  /** Left out because the two answers, as far as they are kept, are the same tokens (a part of `dropped`). */
  readonly equalAnswers: number;
}

/** A prompt with the answers that are encoded for it. */
export interface Answers {
  readonly id: string;
  readonly prompt: Prompt;
  readonly answers: readonly string[];
}

/** Tokens of a prompt and of answers to it, EOS included, cut to their window. */
export interface EncodedAnswers {
  readonly prompt: readonly number[];
  readonly answers: readonly (readonly number[])[];
  readonly promptCut: boolean;
  /** The number of answers that are cut. */
  readonly answersCut: number;
}

/** Tokenises answers to one prompt; all of them get the same prompt tokens. */
export function encodeAnswers(
  given: Answers,
  template: Template,
  tokenizer: Tokenizer,
  options: PreferenceOptions,
): EncodedAnswers {
  return options.fidelity === "original"
    ? windowAsOriginal(tokeniseApart(given, template, tokenizer, options), options)
    : window(tokeniseShared(given, template, tokenizer, options), options);
}

interface Tokenised extends Pick<EncodedAnswers, "prompt" | "answers"> {
  /** Number of tokens at the start that stay if the prompt is cut: BOS. */
  readonly lead: number;
}

/**
 * Tokenises prompt and answer as one text, as in supervised tuning. An answer begins with the first token that holds any
 * of it. Where the end of the prompt becomes other tokens before one answer than before another, all answers begin with
 * the first token that differs.
 */
function tokeniseShared(
  { id, prompt, answers }: Answers,
  template: Template,
  tokenizer: Tokenizer,
  options: TemplateOptions,
): Tokenised {
  const context = { ...contextOf(tokenizer, options), answers: "last" } as const;
  const whole = answers.map((answer) =>
    tokenise({ id, content: withAnswer(prompt, answer) }, template, tokenizer, context),
  );
  const first = whole[0]!.ids;
  let start = Math.min(
    ...whole.map(({ ids, supervised }) => (supervised.includes(true) ? supervised.indexOf(true) : ids.length)),
  );
  for (const { ids } of whole) {
    const differs = first.findIndex((token, i) => token !== ids[i]);
    if (differs !== -1) start = Math.min(start, differs);
  }
  const writesBos =
    chatTemplateFor({ ...context, variables: prompt.variables })?.includes("bos_token") === true &&
    first[0] === tokenizer.bos?.id;
  return {
    prompt: first.slice(0, start),
    answers: whole.map(({ ids, supervised }) => ids.slice(start, supervised.lastIndexOf(true) + 1)),
    lead: template.addsSpecialTokens ? tokenizer.prefix.length : Number(writesBos),
  };
}

function tokeniseApart(
  { id, prompt, answers }: Answers,
  template: Template,
  tokenizer: Tokenizer,
  options: TemplateOptions,
): Tokenised {
  const eos = endOfAnswers(tokenizer).id;
  const context = { ...contextOf(tokenizer, options), answers: "last" } as const;
  const written = answers.map((answer) => {
    const { text, spans } = template.render({ id, content: withAnswer(prompt, answer) }, context);
    const { start, end } = spans.at(-1)!;
    return { prompt: text.slice(0, start), answer: text.slice(start, end) };
  });
  return {
    prompt: tokenizer.encode(written[0]!.prompt),
    answers: written.map(({ answer }) => {
      const ids = tokenizer.encode(answer);
      // A chat template has written its own end of turn.
      return ids.at(-1) === eos ? ids : [...ids, eos];
    }),
    lead: 0,
  };
}

function withAnswer({ prompt, input, variables }: Prompt, answer: string): AnswerContent {
  const around = variables === undefined ? {} : { variables };
  if (input === undefined) {
    return { kind: "messages", messages: [...prompt, { role: "assistant", content: answer }], ...around };
  }
  const before = prompt.length === 1 ? around : { before: prompt.slice(0, -1), ...around };
  return { kind: "instruction", instruction: prompt.at(-1)!.content, input, response: answer, ...before };
}

function window(
  { prompt, answers, lead }: Tokenised,
  { maxLength = 512, maxPromptLength }: PreferenceOptions,
): EncodedAnswers {
  const longest = Math.max(...answers.map(({ length }) => length));
  const room = maxPromptLength ?? Math.max(maxLength - longest, Math.floor(maxLength / 2));
  const kept = keepEnd(prompt, room, Math.min(lead, room));
  return windowed({ prompt, answers }, kept, Math.max(maxLength - kept.length, 0));
}

function windowAsOriginal(
  { prompt, answers }: Tokenised,
  { maxLength = 512, maxPromptLength = 128 }: PreferenceOptions,
): EncodedAnswers {
  const longest = Math.max(...answers.map(({ length }) => length));
  const kept = prompt.length + longest > maxLength ? keepEnd(prompt, maxPromptLength, 0) : prompt;
  const fits = kept.length + longest <= maxLength;
  return windowed({ prompt, answers }, kept, fits ? longest : Math.max(maxLength - maxPromptLength, 0));
}

function windowed(
  { prompt, answers }: Pick<Tokenised, "prompt" | "answers">,
  kept: readonly number[],
  left: number,
): EncodedAnswers {
  return {
    prompt: kept,
    answers: answers.map((answer) => answer.slice(0, left)),
    promptCut: kept.length < prompt.length,
    answersCut: answers.filter(({ length }) => length > left).length,
  };
}

function keepEnd(ids: readonly number[], length: number, lead: number): readonly number[] {
  return ids.length <= length ? ids : [...ids.slice(0, lead), ...ids.slice(ids.length - length + lead)];
}

/** A prompt and its supervised answer as one sequence; undefined where no token is left to supervise. */
export function exampleOf(id: string, prompt: readonly number[], answer: readonly number[]): Example | undefined {
  const tokens = Int32Array.from([...prompt, ...answer]);
  const supervised = new Uint8Array(tokens.length).fill(1, Math.max(prompt.length, 1));
  return supervised.includes(1) ? { id, tokens, supervised } : undefined;
}

/** Counts the records of a `PreferenceReport` as they are encoded. */
export class PreferenceCounts {
  fullPrompts = 0;
  equalAnswers = 0;
  readonly #records: number;
  #truncated = 0;
  #truncatedPrompts = 0;
  #truncatedAnswers = 0;
  #tokens = 0;
  #supervisedTokens = 0;

  constructor(records: number) {
    this.#records = records;
  }

  /** Counts one record that is kept, with the examples made from it. */
  add({ promptCut, answersCut }: EncodedAnswers, examples: readonly Example[]): void {
    if (promptCut || answersCut > 0) this.#truncated++;
    if (promptCut) this.#truncatedPrompts++;
    this.#truncatedAnswers += answersCut;
    for (const { tokens, supervised } of examples) {
      this.#tokens += tokens.length;
      for (const flag of supervised) this.#supervisedTokens += flag;
    }
  }

  report(): PreferenceReport {
    const { fullPrompts, equalAnswers } = this;
    return {
      records: this.#records,
      truncated: this.#truncated,
      truncatedPrompts: this.#truncatedPrompts,
      truncatedAnswers: this.#truncatedAnswers,
      dropped: fullPrompts + equalAnswers,
      fullPrompts,
      equalAnswers,
      tokens: this.#tokens,
      supervisedTokens: this.#supervisedTokens,
    };
  }
}
