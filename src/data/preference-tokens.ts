import { UserError } from "../diagnostics/user-error.ts";
import type { Example, PairExample, RatedExample } from "./example.ts";
import type { Prompt } from "./preference.ts";
import type { AnswerContent, DataRecord } from "./record.ts";
import type { TemplateOptions } from "./rendered-record.ts";
import type { Template } from "./template.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { contextOf, endOfAnswers, tokenise, type EncodeReport } from "./tokens.ts";

export interface PreferenceOptions extends TemplateOptions {
  /** Tokens of prompt and answer together, BOS and EOS included. Default 512. */
  readonly maxLength?: number | undefined;
  /**
   * Tokens of the prompt, BOS included; a longer one keeps its end. Default: what the longest answer leaves, and half of
   * `maxLength` at least, so that a long prompt costs no answer and a long answer not the whole prompt.
   */
  readonly maxPromptLength?: number | undefined;
}

export interface PairOptions extends PreferenceOptions {
  /**
   * `original`: as TRL 0.7.2, which OpenFedLLM uses. Prompt and answers are tokenised apart and without BOS; only where
   * prompt and longest answer do not fit `maxLength`, the prompt's last `maxPromptLength` (default 128) tokens are kept,
   * and where that is still too long, the first `maxLength` − `maxPromptLength` of both answers. TRL also hides EOS
   * inside a prompt (Vicuna's, after earlier answers) from attention; here it is seen.
   */
  readonly fidelity?: "original" | undefined;
}

/** As of supervised tuning; `truncated` counts what was cut anywhere, and kept. */
export interface PreferenceReport extends EncodeReport {
  /** Prompts cut at their start. */
  readonly truncatedPrompts: number;
  /** Answers cut at their end; a pair has two. */
  readonly truncatedAnswers: number;
  /** Left out because the prompt fills `maxLength` (of `dropped`). */
  readonly fullPrompts: number;
  /** Left out because the two answers are the same tokens, as far as they go (of `dropped`). */
  readonly equalAnswers: number;
}

/**
 * The pairs of a client, in order. The two examples of a pair begin with the same prompt tokens, and only their last
 * answer is supervised, with its end. What a template writes after that end is left off.
 *
 * @throws UserError("data") for a record that is no pair.
 */
export function encodePairs(
  records: readonly DataRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: PairOptions = {},
): { examples: PairExample[]; report: PreferenceReport } {
  const examples: PairExample[] = [];
  const report = emptyReport(records.length);
  for (const { id, content } of records) {
    if (content.kind !== "preference") {
      throw new UserError("data", `record ${id} holds no pair of answers, chosen and rejected`, {
        hint: "Preference tuning takes two answers to each prompt.",
      });
    }
    const answers = [content.chosen, content.rejected];
    const whole =
      options.fidelity === "original"
        ? windowAsOriginal(tokeniseApart(id, content, answers, template, tokenizer, options), options)
        : window(tokeniseShared(id, content, answers, template, tokenizer, options), options);
    const [chosen, rejected] = whole.answers.map((answer, i) =>
      exampleOf(`${id}/${i === 0 ? "chosen" : "rejected"}`, whole.prompt, answer),
    );
    if (chosen === undefined || rejected === undefined) report.fullPrompts++;
    else if (sameTokens(whole.answers[0]!, whole.answers[1]!)) report.equalAnswers++;
    else {
      examples.push({ id, chosen, rejected });
      count(report, whole, [chosen, rejected]);
    }
  }
  return { examples, report: withDropped(report) };
}

/**
 * The rated answers of a client, in order; a pair is two, `<id>/chosen` and `<id>/rejected`. The mismatched answer of
 * each is that of the next one with another prompt, around the end (a client's only answer has itself): it depends on the records and their order alone, so
 * what the base makes of it can be kept. (TRL's KTO takes a neighbour in the batch.) The report counts rated answers, and
 * of tokens those of the answers, not of the mismatched ones.
 *
 * @throws UserError("data") for a record that is neither rated nor a pair.
 */
export function encodeRated(
  records: readonly DataRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: PreferenceOptions = {},
): { examples: RatedExample[]; report: PreferenceReport } {
  const rated = records.flatMap(ratedOf);
  const next = nextWithAnotherPrompt(rated);
  const examples: RatedExample[] = [];
  const report = emptyReport(rated.length);
  const encode = (id: string, prompt: Prompt, answer: string): Windowed =>
    window(tokeniseShared(id, prompt, [answer], template, tokenizer, options), options);
  for (const [i, { id, prompt, answer, desirable }] of rated.entries()) {
    const own = encode(id, prompt, answer);
    const other = encode(id, prompt, rated[next[i]!]!.answer);
    const example = exampleOf(id, own.prompt, own.answers[0]!);
    const mismatched = exampleOf(`${id}/mismatched`, other.prompt, other.answers[0]!);
    if (example === undefined || mismatched === undefined) report.fullPrompts++;
    else {
      examples.push({ id, answer: example, desirable, mismatched });
      count(report, own, [example]);
    }
  }
  return { examples, report: withDropped(report) };
}

interface RatedAnswer {
  readonly id: string;
  readonly prompt: Prompt;
  readonly answer: string;
  readonly desirable: boolean;
}

function ratedOf({ id, content }: DataRecord): RatedAnswer[] {
  if (content.kind === "rated")
    return [{ id, prompt: content, answer: content.completion, desirable: content.desirable }];
  if (content.kind === "preference") {
    return [
      { id: `${id}/chosen`, prompt: content, answer: content.chosen, desirable: true },
      { id: `${id}/rejected`, prompt: content, answer: content.rejected, desirable: false },
    ];
  }
  throw new UserError("data", `record ${id} holds an answer without a rating`, {
    hint: "KTO takes answers with a label, or pairs of chosen and rejected.",
  });
}

/** For each its next in turn with another prompt; where all have the same, the next. */
function nextWithAnotherPrompt(rated: readonly RatedAnswer[]): number[] {
  const size = rated.length;
  const keys = rated.map(({ prompt: { prompt, input } }) => JSON.stringify([prompt, input]));
  const next = rated.map((_, i) => (i + 1) % size);
  if (new Set(keys).size < 2) return next;
  // Twice round from the end, so that the last ones know what the first found.
  for (let at = 2 * size - 1; at >= 0; at--) {
    const i = at % size;
    const after = (i + 1) % size;
    next[i] = keys[after] === keys[i] ? next[after]! : after;
  }
  return next;
}

/** Tokens of a prompt and of answers to it, EOS included. */
interface Tokenised {
  readonly prompt: readonly number[];
  readonly answers: readonly (readonly number[])[];
  /** How many tokens at the start stay there if the prompt is cut: BOS. */
  readonly lead: number;
}

interface Windowed {
  readonly prompt: readonly number[];
  readonly answers: readonly (readonly number[])[];
  readonly promptCut: boolean;
  readonly answersCut: number;
}

/**
 * Prompt and answer tokenised whole, as in supervised tuning. An answer begins with the first token that holds any of it;
 * where the end of the prompt becomes other tokens before one answer than before another, with the first that differs.
 */
function tokeniseShared(
  id: string,
  prompt: Prompt,
  answers: readonly string[],
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
  const writesBos = context.chatTemplate?.includes("bos_token") === true && first[0] === tokenizer.bos?.id;
  return {
    prompt: first.slice(0, start),
    answers: whole.map(({ ids, supervised }) => ids.slice(start, supervised.lastIndexOf(true) + 1)),
    lead: template.addsSpecialTokens ? tokenizer.prefix.length : Number(writesBos),
  };
}

function tokeniseApart(
  id: string,
  prompt: Prompt,
  answers: readonly string[],
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

function withAnswer({ prompt, input }: Prompt, answer: string): AnswerContent {
  return input === undefined
    ? { kind: "messages", messages: [...prompt, { role: "assistant", content: answer }] }
    : { kind: "instruction", instruction: prompt[0]!.content, input, response: answer };
}

function window(
  { prompt, answers, lead }: Tokenised,
  { maxLength = 512, maxPromptLength }: PreferenceOptions,
): Windowed {
  const longest = Math.max(...answers.map(({ length }) => length));
  const room = maxPromptLength ?? Math.max(maxLength - longest, Math.floor(maxLength / 2));
  const kept = keepEnd(prompt, room, Math.min(lead, room));
  return windowed({ prompt, answers }, kept, Math.max(maxLength - kept.length, 0));
}

function windowAsOriginal(
  { prompt, answers }: Tokenised,
  { maxLength = 512, maxPromptLength = 128 }: PreferenceOptions,
): Windowed {
  const longest = Math.max(...answers.map(({ length }) => length));
  const kept = prompt.length + longest > maxLength ? keepEnd(prompt, maxPromptLength, 0) : prompt;
  const fits = kept.length + longest <= maxLength;
  return windowed({ prompt, answers }, kept, fits ? longest : Math.max(maxLength - maxPromptLength, 0));
}

function windowed(
  { prompt, answers }: Pick<Tokenised, "prompt" | "answers">,
  kept: readonly number[],
  left: number,
): Windowed {
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

/** Undefined where no token is left to supervise. */
function exampleOf(id: string, prompt: readonly number[], answer: readonly number[]): Example | undefined {
  const tokens = Int32Array.from([...prompt, ...answer]);
  const supervised = new Uint8Array(tokens.length).fill(1, Math.max(prompt.length, 1));
  return supervised.includes(1) ? { id, tokens, supervised } : undefined;
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

type Counts = { -readonly [K in keyof PreferenceReport]: number };

function emptyReport(records: number): Counts {
  return {
    records,
    truncated: 0,
    truncatedPrompts: 0,
    truncatedAnswers: 0,
    dropped: 0,
    fullPrompts: 0,
    equalAnswers: 0,
    tokens: 0,
    supervisedTokens: 0,
  };
}

function count(report: Counts, { promptCut, answersCut }: Windowed, examples: readonly Example[]): void {
  if (promptCut || answersCut > 0) report.truncated++;
  if (promptCut) report.truncatedPrompts++;
  report.truncatedAnswers += answersCut;
  for (const { tokens, supervised } of examples) {
    report.tokens += tokens.length;
    for (const flag of supervised) report.supervisedTokens += flag;
  }
}

function withDropped(report: Counts): PreferenceReport {
  return { ...report, dropped: report.fullPrompts + report.equalAnswers };
}
