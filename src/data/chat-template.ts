import { UserError } from "../diagnostics/user-error.ts";
import { applyChatTemplate } from "./apply-chat-template.ts";
import type { Message } from "./messages.ts";
import type { RenderedRecord, TemplateContext } from "./rendered-record.ts";
import type { Span } from "./token-spans.ts";

/**
 * Writes a conversation with the model's own template, as transformers' `apply_chat_template` does. The text of an
 * assistant's turn is the difference between the conversation with the turn and the generation prompt for it, up to and
 * with the end-of-turn token. No marker is searched for, so text that looks like one does no harm.
 *
 * @throws UserError if the template fails, or if the text of a turn depends on the turns after it.
 */
export function renderChat(messages: readonly Message[], context: TemplateContext, id: string): RenderedRecord {
  const text = render(messages, false, context);
  const spans: Span[] = [];
  // The text of turns that are not learnt may change: many templates drop the reasoning of earlier turns.
  const from = context.answers === "last" ? messages.findLastIndex(({ role }) => role === "assistant") : 0;
  for (const [i, { role, content }] of messages.entries()) {
    if (role !== "assistant" || i < from) continue;
    if (i === 0) {
      throw new UserError("data", `record ${id} begins with the assistant's turn, expected the user's turn before it`, {
        hint: "Remove that turn, or put the user's turn before it.",
      });
    }
    const before = render(messages.slice(0, i), true, context);
    const after = i === messages.length - 1 ? text : render(messages.slice(0, i + 1), false, context);
    if (!after.startsWith(before)) throw unstable(id, i, "it does not begin with its own generation prompt");
    if (!text.startsWith(after)) throw unstable(id, i, "its text changes when other turns follow");
    spans.push({
      start: before.length,
      end: before.length + turnLength(after.slice(before.length), content, context.eosToken),
    });
  }
  return { text, spans };
}

/** Writes the text before the answer to the last message that is not the assistant's. */
export function renderChatPrompt(messages: readonly Message[], context: TemplateContext): string {
  const last = messages.findLastIndex(({ role }) => role !== "assistant");
  return render(messages.slice(0, last + 1), true, context);
}

/** Length of content and end-of-turn token, without the newline that many templates put after them. */
function turnLength(added: string, content: string, eosToken: string | undefined): number {
  // Templates may trim a message. The end of the turn is looked for after the message, which may quote the token itself.
  const written = [content, content.trim()].find((form) => added.includes(form)) ?? "";
  const contentEnd = added.indexOf(written) + written.length;
  const eosAt = eosToken === undefined ? -1 : added.indexOf(eosToken, contentEnd);
  if (eosAt !== -1) return eosAt + eosToken!.length;
  return Math.max(contentEnd, added.trimEnd().length);
}

function render(messages: readonly Message[], addGenerationPrompt: boolean, context: TemplateContext): string {
  return applyChatTemplate(messages, addGenerationPrompt, context).text;
}

function unstable(id: string, turn: number, how: string): UserError {
  return new UserError(
    "model",
    `the chat template has no fixed text for turn ${turn + 1} (assistant) of record ${id}: ${how}`,
    {
      hint: "Keep one assistant turn in each record, or use the template vicuna or alpaca.",
    },
  );
}
