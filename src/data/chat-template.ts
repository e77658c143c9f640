import { UserError } from "../diagnostics/user-error.ts";
import { AnswerFinder } from "./answer-finder.ts";
import { applyChatTemplate } from "./apply-chat-template.ts";
import type { Message } from "./messages.ts";
import type { RenderedRecord, TemplateContext } from "./rendered-record.ts";
import type { Span } from "./token-spans.ts";

/**
 * Writes a conversation with the model's own template, once and whole, as transformers' `apply_chat_template` does, and finds
 * the answers in it. A template that marks them (`{% generation %}`) decides itself. Otherwise an answer begins where the
 * generation prompt for it ends, or where text and prompt part, and ends with its end-of-turn token. Where that does not
 * tell for each answer, the last one is learnt alone, and the record says so.
 *
 * @throws UserError if the template fails, or if no answer is found in its text.
 */
export function renderChat(messages: readonly Message[], context: TemplateContext, id: string): RenderedRecord {
  const turns = messages.flatMap(({ role }, i) => (role === "assistant" ? [i] : []));
  if (turns[0] === 0) {
    throw new UserError("data", `record ${id} begins with the assistant's turn, expected the user's turn before it`, {
      hint: "Remove that turn, or put the user's turn before it.",
    });
  }
  const { text, generations } = applyChatTemplate(messages, false, context);
  const sought = context.answers === "last" ? turns.slice(-1) : turns;
  const learnt = sought.filter((turn) => messages[turn]!.learnt !== false);
  if (generations !== undefined && generations.length > 0) {
    const marked = generations.length === turns.length ? turns.map((turn, i) => ({ turn, ...generations[i]! })) : [];
    if (marked.length > 0) return { text, spans: marked.filter(({ turn }) => learnt.includes(turn)).map(spanOf) };
    if (learnt.length === turns.length) return { text, spans: generations.map(spanOf) };
  }
  const finder = new AnswerFinder(messages, text, context);
  const spans: Span[] = [];
  let from = 0;
  // Turns that are not learnt are passed, too: another may say the same.
  for (const turn of sought) {
    const span = finder.find(turn, from);
    from = span?.end ?? from;
    if (!learnt.includes(turn)) continue;
    if (span === undefined) break;
    spans.push(span);
  }
  if (spans.length === learnt.length) return { text, spans };
  const last = learnt.at(-1)!;
  const span = finder.find(last, 0) ?? finder.findByContent(last);
  if (span !== undefined) return { text, spans: [span], ...(learnt.length > 1 ? { lastOnly: true } : {}) };
  throw new UserError(
    "model",
    `the chat template does not write turn ${last + 1} (assistant) of record ${id} so that its answer can be found`,
    { hint: "Use the template vicuna or alpaca, or mark the answer in chat_template.jinja with {% generation %}." },
  );
}

/** Writes the text before the answer to the last message that is not the assistant's. */
export function renderChatPrompt(messages: readonly Message[], context: TemplateContext): string {
  const last = messages.findLastIndex(({ role }) => role !== "assistant");
  return applyChatTemplate(messages.slice(0, last + 1), true, context).text;
}

function spanOf({ start, end }: Span): Span {
  return { start, end };
}
