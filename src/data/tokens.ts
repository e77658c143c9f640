import { UserError } from "../diagnostics/user-error.ts";
import type { Example } from "./example.ts";
import type { Message } from "./messages.ts";
import type { TextContent } from "./answer.ts";
import type { EncodableRecord } from "./record.ts";
import type { RenderedRecord, TemplateContext, TemplateOptions } from "./rendered-record.ts";
import type { RenderableRecord, Template } from "./template.ts";
import type { SpecialToken, Tokenizer } from "./tokenizer.ts";

export interface EncodeOptions extends TemplateOptions {
  /** Tokens, BOS and EOS included; a longer sequence is cut at its end. */
  readonly maxLength: number;
}

/** A text that is needed as a whole may have so many characters: tokenising them takes seconds and a gigabyte. */
const MOST_CHARACTERS = 4_000_000;

export interface EncodedRecord {
  /** Undefined where no supervised token is left within `maxLength`. */
  readonly example: Example | undefined;
  readonly truncated: boolean;
  /** Of several answers only the last one is learnt: the chat template does not tell where the others lie. */
  readonly lastOnly?: true | undefined;
}

export interface EncodeReport {
  readonly records: number;
  /** Cut to `maxLength`, and kept. */
  readonly truncated: number;
  /** Left out: no supervised token within `maxLength`. */
  readonly dropped: number;
  /** Tokens of the examples that are kept. */
  readonly tokens: number;
  readonly supervisedTokens: number;
  /** Records with several answers of which only the last one is learnt; absent where there are none. */
  readonly lastOnly?: number;
}

/**
 * Tokenises a record once and as one text, and marks the tokens to learn. A token is supervised if it holds any character
 * that the template marks. EOS always is, by its place and not by its id, so a tokenizer that pads with EOS loses nothing.
 * Of a text that is far longer than `mostTokens` only a beginning is tokenised.
 */
export function tokenise(
  record: RenderableRecord,
  template: Template,
  tokenizer: Tokenizer,
  context: TemplateContext,
  mostTokens?: number,
): Tokenised {
  const { text, spans, lastOnly } = template.render(record, context);
  const tokens = tokeniseText({ id: record.id, text, spans }, template.addsSpecialTokens, tokenizer, mostTokens);
  return { ...tokens, lastOnly };
}

interface Tokenised {
  readonly ids: number[];
  readonly supervised: boolean[];
  readonly lastOnly?: true | undefined;
}

function tokeniseText(
  { id: record, text, spans }: { readonly id: string } & RenderedRecord,
  addsSpecialTokens: boolean,
  tokenizer: Tokenizer,
  mostTokens?: number,
): { ids: number[]; supervised: boolean[] } {
  if (mostTokens === undefined && text.length > MOST_CHARACTERS) {
    throw new UserError("data", `record ${record} has ${text.length} characters, expected at most ${MOST_CHARACTERS}`, {
      hint: "Shorten or remove it.",
    });
  }
  const { ids, supervised } = tokenizer.encodeSupervised(text, spans, mostTokens);
  if (addsSpecialTokens) {
    const { id } = endOfAnswers(tokenizer);
    ids.unshift(...tokenizer.prefix);
    supervised.unshift(...tokenizer.prefix.map(() => false));
    // Some datasets write EOS after their answers: one is enough.
    if (ids.at(-1) !== id) {
      ids.push(id);
      // It belongs to the last turn, which may be one that is not learnt.
      supervised.push(spans.at(-1)?.end === text.length);
    }
  }
  return { ids, supervised };
}

/** Tokenises a text as TRL does its column `text`: no template, the tokenizer's BOS, EOS, and all of it is learnt. */
function tokeniseWhole(id: string, { text }: TextContent, tokenizer: Tokenizer, mostTokens: number): Tokenised {
  return tokeniseText({ id, text, spans: [{ start: 0, end: text.length }] }, true, tokenizer, mostTokens);
}

/** Returns the token that ends an answer. @throws UserError("model") where the tokenizer has no EOS. */
export function endOfAnswers({ eos }: Tokenizer): SpecialToken {
  if (eos !== undefined) return eos;
  throw new UserError("model", "the tokenizer has no EOS token, so the model could not learn where an answer ends", {
    hint: "Put eos_token into tokenizer_config.json, or eos_token_id into config.json.",
  });
}

/** Encodes a record. @throws UserError("data") for a record with a preference or a rating in place of an answer. */
export function encodeRecord(
  record: EncodableRecord,
  template: Template,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): EncodedRecord {
  const { ids, supervised, lastOnly } =
    record.content.kind === "text"
      ? tokeniseWhole(record.id, record.content, tokenizer, options.maxLength)
      : tokenise(withOneAnswer(record), template, tokenizer, contextOf(tokenizer, options), options.maxLength);
  const length = Math.min(ids.length, options.maxLength);
  const mask = new Uint8Array(length);
  for (let i = 1; i < length; i++) mask[i] = supervised[i] === true ? 1 : 0;
  const truncated = ids.length > length;
  if (!mask.includes(1)) return { example: undefined, truncated, lastOnly };
  const example = { id: record.id, tokens: Int32Array.from(ids.slice(0, length)), supervised: mask };
  return { example, truncated, lastOnly };
}

/** Encodes all records of a client, in order, and counts the truncated and dropped ones. */
export function encodeRecords(
  records: readonly EncodableRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): { examples: Example[]; report: EncodeReport } {
  const examples: Example[] = [];
  const report = { records: records.length, truncated: 0, dropped: 0, tokens: 0, supervisedTokens: 0 };
  let last = 0;
  for (const record of records) {
    const { example, truncated, lastOnly } = encodeRecord(record, template, tokenizer, options);
    if (example === undefined) {
      report.dropped++;
      continue;
    }
    if (truncated) report.truncated++;
    if (lastOnly === true) last++;
    report.tokens += example.tokens.length;
    for (const flag of example.supervised) report.supervisedTokens += flag;
    examples.push(example);
  }
  return { examples, report: { ...report, ...(last > 0 && { lastOnly: last }) } };
}

/** Encodes the prompt for the next answer in a conversation. */
export function encodeMessages(
  messages: readonly Message[],
  template: Template,
  tokenizer: Tokenizer,
  options: TemplateOptions = {},
): Int32Array {
  const ids = tokenizer.encode(template.prompt(messages, contextOf(tokenizer, options)));
  return Int32Array.from(template.addsSpecialTokens ? [...tokenizer.prefix, ...ids] : ids);
}

function withOneAnswer({ id, content }: EncodableRecord): RenderableRecord {
  if (content.kind !== "preference" && content.kind !== "rated" && content.kind !== "text") return { id, content };
  const found = { preference: "two answers, chosen and rejected", rated: "a rated answer", text: "a text" }[
    content.kind
  ];
  throw new UserError("data", `record ${id} has ${found}, expected one answer to learn`, {
    hint: "Use a preference objective, or load the file for supervised tuning (learnFrom: answers).",
  });
}

export function contextOf(tokenizer: Tokenizer, { inputs, system }: TemplateOptions): TemplateContext {
  const { bos, eos, chatTemplate, toolTemplate, specialTokens } = tokenizer;
  return { inputs, system, bosToken: bos?.text, eosToken: eos?.text, chatTemplate, toolTemplate, specialTokens };
}
