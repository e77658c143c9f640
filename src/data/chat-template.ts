import { Template as JinjaTemplate } from "@huggingface/jinja";
import { UserError } from "../diagnostics/user-error.ts";
import type { Message } from "./messages.ts";
import type { RenderedRecord, TemplateContext } from "./rendered-record.ts";
import type { Span } from "./token-spans.ts";

/**
 * A conversation in the model's own words, as transformers' `apply_chat_template` writes it. An assistant turn is what
 * the template adds when the turn is there and not only asked for, up to and with its end-of-turn token; no marker is
 * searched for, so text that looks like one does no harm.
 *
 * @throws UserError where the template fails, or writes a turn differently depending on what follows it.
 */
export function renderChat(messages: readonly Message[], context: TemplateContext, id: string): RenderedRecord {
  const text = render(messages, false, context);
  const spans: Span[] = [];
  // Turns that are not learnt may be written as they like: many templates drop the reasoning of earlier ones.
  const from = context.answers === "last" ? messages.findLastIndex(({ role }) => role === "assistant") : 0;
  for (const [i, { role, content }] of messages.entries()) {
    if (role !== "assistant" || i < from) continue;
    if (i === 0) {
      throw new UserError(
        "data",
        `record ${id} begins with the assistant's turn: the chat template has nothing to answer to`,
        {
          hint: "Remove that turn, or put the user's before it.",
        },
      );
    }
    const before = render(messages.slice(0, i), true, context);
    const after = i === messages.length - 1 ? text : render(messages.slice(0, i + 1), false, context);
    if (!after.startsWith(before)) throw unstable(id, i, "the prompt for it is not how the turn itself begins");
    if (!text.startsWith(after)) throw unstable(id, i, "it is written differently once other turns follow");
    spans.push({
      start: before.length,
      end: before.length + turnLength(after.slice(before.length), content, context.eosToken),
    });
  }
  return { text, spans };
}

/** The text before the answer to the last message that is not the assistant's. */
export function renderChatPrompt(messages: readonly Message[], context: TemplateContext): string {
  const last = messages.findLastIndex(({ role }) => role !== "assistant");
  return render(messages.slice(0, last + 1), true, context);
}

/** Content and end-of-turn token, without the newline many templates put after it. */
function turnLength(added: string, content: string, eosToken: string | undefined): number {
  // Templates may trim a message; the end of the turn is looked for after it, whatever the message itself quotes.
  const written = [content, content.trim()].find((form) => added.includes(form)) ?? "";
  const contentEnd = added.indexOf(written) + written.length;
  const eosAt = eosToken === undefined ? -1 : added.indexOf(eosToken, contentEnd);
  if (eosAt !== -1) return eosAt + eosToken!.length;
  return Math.max(contentEnd, added.trimEnd().length);
}

/**
 * A template that writes today's date would make another run of every day; without a clock it writes its fixed one. The
 * library's own `strftime_now` cannot be shadowed from outside. The empty expression keeps a newline that begins the
 * template, which would be trimmed behind a block.
 */
const NO_CLOCK = "{% set strftime_now = undefined %}{{ '' }}";

/** Parsing takes longer than rendering, and every record renders. */
const parsed = new Map<string, JinjaTemplate>();

function render(
  messages: readonly Message[],
  addGenerationPrompt: boolean,
  { chatTemplate, bosToken, eosToken }: TemplateContext,
): string {
  if (chatTemplate === undefined) {
    throw new UserError(
      "model",
      "the model has no chat template (chat_template in tokenizer_config.json, or chat_template.jinja)",
      {
        hint: "Use the template alpaca, vicuna or none.",
      },
    );
  }
  try {
    let template = parsed.get(chatTemplate);
    if (template === undefined) parsed.set(chatTemplate, (template = new JinjaTemplate(NO_CLOCK + chatTemplate)));
    return template.render({
      messages,
      add_generation_prompt: addGenerationPrompt,
      // As transformers does, a token the tokenizer lacks is left undefined and renders as nothing.
      ...(bosToken === undefined ? {} : { bos_token: bosToken }),
      ...(eosToken === undefined ? {} : { eos_token: eosToken }),
    });
  } catch (cause) {
    throw new UserError(
      "model",
      `the chat template refuses the turns ${messages.map(({ role }) => role).join(", ")} (${(cause as Error).message})`,
      {
        hint: "Take records whose turns the model knows, or the template alpaca, vicuna or none.",
        cause,
      },
    );
  }
}

function unstable(id: string, turn: number, how: string): UserError {
  return new UserError(
    "model",
    `the chat template gives no fixed text for turn ${turn + 1} (by the assistant) of record ${id}: ${how}`,
    {
      hint: "Keep one assistant turn a record, or use the template vicuna or alpaca.",
    },
  );
}
