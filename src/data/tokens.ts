import { UserError } from "../diagnostics/user-error.ts";
import type { Example } from "./example.ts";
import type { Message } from "./messages.ts";
import type { DataRecord } from "./record.ts";
import type { TemplateContext, TemplateOptions } from "./rendered-record.ts";
import type { RenderableRecord, Template } from "./template.ts";
import type { SpecialToken, Tokenizer } from "./tokenizer.ts";

export interface EncodeOptions extends TemplateOptions {
  /** Tokens, BOS and EOS included; what goes beyond is cut from the right. */
  readonly maxLength: number;
}

export interface EncodedRecord {
  /** Undefined where nothing supervised is left within `maxLength`. */
  readonly example: Example | undefined;
  readonly truncated: boolean;
}

export interface EncodeReport {
  readonly records: number;
  /** Cut to `maxLength`, and kept. */
  readonly truncated: number;
  /** Left out: nothing supervised within `maxLength`. */
  readonly dropped: number;
  /** Of the examples kept. */
  readonly tokens: number;
  readonly supervisedTokens: number;
}

/**
 * A record as tokens, tokenised once and whole, and for each whether it is learnt. A token is supervised if it holds any
 * character the template wants learnt, and EOS always is: by its place, not its id, so a tokenizer that pads with EOS
 * loses nothing.
 */
export function tokenise(
  record: RenderableRecord,
  template: Template,
  tokenizer: Tokenizer,
  context: TemplateContext,
): { ids: number[]; supervised: boolean[] } {
  const { text, spans } = template.render(record, context);
  const { ids, supervised } = tokenizer.encodeSupervised(text, spans);
  if (template.addsSpecialTokens) {
    const { id } = endOfAnswers(tokenizer);
    ids.unshift(...tokenizer.prefix);
    supervised.unshift(...tokenizer.prefix.map(() => false));
    // Some data sets write EOS after their answers: one is enough.
    if (ids.at(-1) !== id) {
      ids.push(id);
      supervised.push(true);
    }
  }
  return { ids, supervised };
}

/** @throws UserError("model") where the tokenizer has no EOS. */
export function endOfAnswers({ eos }: Tokenizer): SpecialToken {
  if (eos !== undefined) return eos;
  throw new UserError("model", "the tokenizer names no EOS token, so answers would have no end to learn", {
    hint: "Put eos_token into tokenizer_config.json, or eos_token_id into config.json.",
  });
}

/** @throws UserError("data") for a record with a preference or a rating in place of an answer. */
export function encodeRecord(
  record: DataRecord,
  template: Template,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): EncodedRecord {
  const { ids, supervised } = tokenise(withOneAnswer(record), template, tokenizer, contextOf(tokenizer, options));
  const length = Math.min(ids.length, options.maxLength);
  const mask = Uint8Array.from({ length }, (_, i) => (i > 0 && supervised[i] ? 1 : 0));
  const truncated = ids.length > length;
  if (!mask.includes(1)) return { example: undefined, truncated };
  return { example: { id: record.id, tokens: Int32Array.from(ids.slice(0, length)), supervised: mask }, truncated };
}

/** All records of a client, in order, with what became of them. */
export function encodeRecords(
  records: readonly DataRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): { examples: Example[]; report: EncodeReport } {
  const examples: Example[] = [];
  const report = { records: records.length, truncated: 0, dropped: 0, tokens: 0, supervisedTokens: 0 };
  for (const record of records) {
    const { example, truncated } = encodeRecord(record, template, tokenizer, options);
    if (example === undefined) {
      report.dropped++;
      continue;
    }
    if (truncated) report.truncated++;
    report.tokens += example.tokens.length;
    for (const flag of example.supervised) report.supervisedTokens += flag;
    examples.push(example);
  }
  return { examples, report };
}

/** What the model is given to answer: the tokens of a record before its last answer, BOS included where it belongs. */
export function encodePrompt(
  record: DataRecord,
  template: Template,
  tokenizer: Tokenizer,
  options: TemplateOptions = {},
): Int32Array {
  const context = contextOf(tokenizer, options);
  const { text, spans } = template.render(withOneAnswer(record), context);
  const ids = tokenizer.encode(text.slice(0, spans.at(-1)!.start));
  return Int32Array.from(template.addsSpecialTokens ? [...tokenizer.prefix, ...ids] : ids);
}

/** What the model is given to answer in a conversation. */
export function encodeMessages(
  messages: readonly Message[],
  template: Template,
  tokenizer: Tokenizer,
  options: TemplateOptions = {},
): Int32Array {
  const ids = tokenizer.encode(template.prompt(messages, contextOf(tokenizer, options)));
  return Int32Array.from(template.addsSpecialTokens ? [...tokenizer.prefix, ...ids] : ids);
}

function withOneAnswer({ id, content }: DataRecord): RenderableRecord {
  if (content.kind !== "preference" && content.kind !== "rated") return { id, content };
  const found = content.kind === "preference" ? "two answers, chosen and rejected" : "a rated answer";
  throw new UserError("data", `record ${id} holds ${found}, expected one answer to learn`, {
    hint: "Tune on it with an objective for preferences, or load the file for supervised tuning.",
  });
}

export function contextOf({ bos, eos, chatTemplate }: Tokenizer, { inputs, system }: TemplateOptions): TemplateContext {
  return { inputs, system, bosToken: bos?.text, eosToken: eos?.text, chatTemplate };
}
