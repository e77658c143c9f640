import { UserError } from "../diagnostics/user-error.ts";
import { applyChatTemplate } from "./apply-chat-template.ts";
import type { Message } from "./messages.ts";
import type { TemplateContext } from "./rendered-record.ts";
import type { Span } from "./token-spans.ts";

/**
 * Finds the assistant's turns in the text of a whole conversation. What it asks the template for are beginnings of the
 * conversation, up to a turn and with it; templates may write these otherwise than the whole.
 */
export class AnswerFinder {
  readonly #messages: readonly Message[];
  readonly #text: string;
  readonly #context: TemplateContext;

  constructor(messages: readonly Message[], text: string, context: TemplateContext) {
    this.#messages = messages;
    this.#text = text;
    this.#context = context;
  }

  /** Finds the turn of a message at or after a place; undefined where that is not certain. */
  find(turn: number, from: number): Span | undefined {
    const prompt = this.#render(turn, true);
    if (prompt === undefined) return this.#findByPrompt(turn, from);
    const start = common(prompt, this.#text);
    if (start === prompt.length) {
      const end = this.#endAfter(turn, start);
      if (end !== undefined && start >= from) return { start, end };
    } else if (start >= this.#conversationLength(turn, prompt)) {
      // Prompt and text part within the generation prompt, as where it opens a thought that the turn does not have.
      const end = this.#endByContent(turn, start, this.#text.length);
      if (end !== undefined && start >= from) return { start, end };
    }
    return this.#findByPrompt(turn, from);
  }

  /** Finds the last place of a turn's content. */
  findByContent(turn: number): Span | undefined {
    for (const form of formsOf(this.#messages[turn]!.content)) {
      const start = this.#text.lastIndexOf(form);
      if (start !== -1) return { start, end: this.#withEndOfTurn(start + form.length, this.#text.length) };
    }
    return undefined;
  }

  /** The end of a turn whose generation prompt is a beginning of the text. */
  #endAfter(turn: number, start: number): number | undefined {
    const isLast = turn === this.#messages.length - 1;
    const whole = isLast ? this.#text : this.#render(turn + 1, false);
    if (whole !== undefined && this.#text.startsWith(whole)) {
      return start + this.#turnLength(whole.slice(start), this.#messages[turn]!.content);
    }
    return this.#endByContent(turn, start, this.#nextPrompt(turn));
  }

  /** Length of content and end-of-turn token, without the newline that many templates put after them. */
  #turnLength(added: string, content: string): number {
    const { eosToken } = this.#context;
    // The end of the turn is looked for after the message, which may quote the token itself.
    const written = formsOf(content).find((form) => added.includes(form)) ?? "";
    const contentEnd = added.indexOf(written) + written.length;
    const eosAt = eosToken === undefined ? -1 : added.indexOf(eosToken, contentEnd);
    if (eosAt !== -1) return eosAt + eosToken!.length;
    return Math.max(contentEnd, added.trimEnd().length);
  }

  /** The end of a turn that begins at a place and holds its content before another one. */
  #endByContent(turn: number, start: number, limit: number): number | undefined {
    const inside = this.#text.slice(start, limit);
    const forms = formsOf(this.#messages[turn]!.content);
    // A turn of tool calls alone.
    if (forms.length === 0) return this.#withEndOfTurn(start, limit);
    for (const form of forms) {
      const at = inside.indexOf(form);
      if (at !== -1) return this.#withEndOfTurn(start + at + form.length, limit);
    }
    return undefined;
  }

  /** A place with the end-of-turn token after it, if there is one before the next message. */
  #withEndOfTurn(contentEnd: number, limit: number): number {
    const { eosToken } = this.#context;
    const next = this.#nextContent(contentEnd, limit);
    const at = eosToken === undefined ? -1 : this.#text.indexOf(eosToken, contentEnd);
    if (at !== -1 && at + eosToken!.length <= next) return at + eosToken!.length;
    if (next === this.#text.length) return Math.max(contentEnd, this.#text.trimEnd().length);
    // The token right after the content, such as <end_of_turn>, where it is not EOS.
    const token = /^\s*(<[^<>\s]{1,40}>)/.exec(this.#text.slice(contentEnd, next));
    return token === null ? contentEnd : contentEnd + token[0].length;
  }

  /** The first place after another where a later message's content begins, or the limit. */
  #nextContent(contentEnd: number, limit: number): number {
    const later = this.#messages.flatMap(({ role, content }) => {
      const at = role === "assistant" || content.trim() === "" ? -1 : this.#text.indexOf(content.trim(), contentEnd);
      return at === -1 ? [] : [at];
    });
    return Math.min(limit, ...later);
  }

  /** Where the generation prompt of the next answer begins to be that of the text, or the end of it. */
  #nextPrompt(turn: number): number {
    const next = this.#messages.findIndex(({ role }, i) => i > turn && role === "assistant");
    const prompt = next === -1 ? undefined : this.#render(next, true);
    return prompt !== undefined && this.#text.startsWith(prompt) ? prompt.length : this.#text.length;
  }

  /**
   * Looks for the words of the generation prompt before the turn's content: for templates that write the conversation before
   * otherwise once it goes on.
   */
  #findByPrompt(turn: number, from: number): Span | undefined {
    const before = this.#messages.slice(0, turn);
    let place = from;
    // The user's messages are passed one after the other, since they may quote the template.
    for (const { role, content } of before.slice(before.findLastIndex((message) => message.role === "assistant") + 1)) {
      const at = content.trim() === "" || role === "system" ? -1 : this.#text.indexOf(content.trim(), place);
      if (at !== -1) place = at + content.trim().length;
    }
    const opening = this.#generationPrompt();
    if (opening === undefined || opening.trim() === "") return undefined;
    const limit = this.#nextContent(place, this.#text.length);
    const inside = this.#text.slice(place, limit);
    for (let length = opening.length; length > opening.length / 3; length--) {
      const at = inside.indexOf(opening.slice(0, length));
      if (at === -1) continue;
      const start = place + at + length;
      const end = this.#endByContent(turn, start, limit);
      return end === undefined ? undefined : { start, end };
    }
    return undefined;
  }

  /** What the template adds to ask for an answer to the first message that may have one. */
  #generationPrompt(): string | undefined {
    const first = this.#messages.findIndex(({ role }) => role === "user") + 1;
    const prompt = this.#render(first, true);
    const without = this.#render(first, false);
    return prompt === undefined || without === undefined || !prompt.startsWith(without)
      ? undefined
      : prompt.slice(without.length);
  }

  /** Length of a prompt without its generation prompt; its whole length where that cannot be told. */
  #conversationLength(turn: number, prompt: string): number {
    const conversation = this.#render(turn, false);
    return conversation !== undefined && prompt.startsWith(conversation) ? conversation.length : prompt.length;
  }

  /** The first messages as text; undefined where the template does not allow them to be the whole. */
  #render(count: number, addGenerationPrompt: boolean): string | undefined {
    try {
      return applyChatTemplate(this.#messages.slice(0, count), addGenerationPrompt, this.#context).text;
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  }
}

/** The ways in which templates write a message: as it is, trimmed, without the thought before it. */
function formsOf(content: string): string[] {
  const thought = content.lastIndexOf("</think>");
  const answer = thought === -1 ? content : content.slice(thought + "</think>".length);
  const forms = [content, content.trim(), content.replace(/^\n+/, ""), answer.trim()];
  return forms.filter((form, i) => form !== "" && forms.indexOf(form) === i);
}

function common(a: string, b: string): number {
  if (b.startsWith(a)) return a.length;
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
