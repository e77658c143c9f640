import { UserError } from "../diagnostics/user-error.ts";
import { renderChat, renderChatPrompt } from "./chat-template.ts";
import { extraParts, type Message } from "./messages.ts";
import type { AnswerContent, DataRecord } from "./record.ts";
import type { RenderedRecord, TemplateContext, TemplateOptions } from "./rendered-record.ts";
import type { Span } from "./token-spans.ts";

export type RenderableRecord = Pick<DataRecord<AnswerContent>, "id" | "content">;

/**
 * A way to write a record as text. A record's generation prompt is always a prefix of its text, and the last span begins
 * at its end. So the model learns to continue exactly where generation begins.
 */
export interface Template {
  /**
   * True: the tokenizer's BOS goes before the text, and EOS, supervised, goes after it, both as ids. A chat template writes
   * both itself.
   */
  readonly addsSpecialTokens: boolean;
  /** True: more than one question fits, with the answers to the earlier ones. */
  readonly holdsConversations: boolean;
  /** Writes a record. @throws UserError("data") for a record that does not fit this template. */
  render(record: RenderableRecord, context: TemplateContext): RenderedRecord;
  /** The text before the last answer of a conversation (which need not have that answer yet). */
  prompt(messages: readonly Message[], context: TemplateContext): string;
}

export type TemplateName = "alpaca" | "vicuna" | "chat" | "none";

const ALPACA =
  "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
const ALPACA_INPUT =
  "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.";
const VICUNA =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

/**
 * The spaces are OpenFedLLM's: one after the instruction and one before the response. Alpaca's own wording is kept for a
 * record with an input, which OpenFedLLM joins to the instruction.
 */
const alpaca: Template = {
  addsSpecialTokens: true,
  holdsConversations: false,
  render: (record, context) => {
    const { content } = record;
    const alone = content.kind === "instruction" && content.before === undefined && content.variables === undefined;
    if (alone && content.input !== undefined && context.inputs !== "joined") {
      const { instruction, input, response } = content;
      const prompt = `${ALPACA_INPUT}\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:`;
      return answered(prompt, ` ${response}`);
    }
    const messages = plainMessages(record, context, "alpaca");
    const { answer } = onlyExchange(messages, `alpaca (record ${record.id})`);
    return answered(alpaca.prompt(messages, context), ` ${answer}`);
  },
  prompt: (messages) => `${ALPACA}\n\n### Instruction:\n${onlyExchange(messages, "alpaca").question} \n\n### Response:`,
};

const vicuna: Template = {
  addsSpecialTokens: true,
  holdsConversations: true,
  render: (record, context) => {
    const messages = plainMessages(record, context, "vicuna");
    // Turns after the last answer would be a prompt without an answer.
    const kept = messages.slice(0, messages.findLastIndex(({ role }) => role === "assistant") + 1);
    const { text, spans } = writeVicuna(kept, context, `vicuna (record ${record.id})`);
    return { text, spans: context.answers === "last" ? spans.slice(-1) : spans };
  },
  prompt: (messages, context) => {
    const last = messages.findLastIndex(({ role }) => role === "user");
    return `${writeVicuna(messages.slice(0, last + 1), context, "vicuna").text} ASSISTANT:`;
  },
};

/** Writes prompt and response with nothing between them. */
const none: Template = {
  addsSpecialTokens: true,
  holdsConversations: false,
  render: (record, context) => {
    const { question, answer } = onlyExchange(plainMessages(record, context, "none"), `none (record ${record.id})`);
    return answered(question, answer);
  },
  prompt: (messages) => onlyExchange(messages, "none").question,
};

/** The model's own template. */
const chat: Template = {
  addsSpecialTokens: false,
  holdsConversations: true,
  render: (record, context) =>
    renderChat(
      withSystem(messagesOf(record.content, context), context),
      { ...context, variables: record.content.variables },
      record.id,
    ),
  prompt: (messages, context) => renderChatPrompt(withSystem(messages, context), context),
};

/** Templates by their legal names. */
export const TEMPLATES: Readonly<Record<TemplateName, Template>> = { alpaca, vicuna, chat, none };

/** Converts content with an answer to a conversation. */
export function messagesOf(content: AnswerContent, { inputs }: TemplateOptions = {}): readonly Message[] {
  if (content.kind === "messages") return content.messages;
  const before = content.before ?? [];
  if (content.kind === "completion") {
    return [...before, { role: "user", content: content.prompt }, { role: "assistant", content: content.completion }];
  }
  const { instruction, input, response } = content;
  const separator = inputs === "joined" ? " " : "\n\n";
  return [
    ...before,
    { role: "user", content: input === undefined ? instruction : `${instruction}${separator}${input}` },
    { role: "assistant", content: response },
  ];
}

/** The conversation of a record, for a template that writes roles and contents only. */
function plainMessages(
  { id, content }: RenderableRecord,
  context: TemplateContext,
  template: string,
): readonly Message[] {
  const messages = messagesOf(content, context);
  const extra = [...Object.keys(content.variables ?? {}), ...messages.flatMap(extraParts)][0];
  if (extra === undefined) return messages;
  throw new UserError("data", `the template ${template} cannot write the ${extra} of record ${id}`, {
    hint:
      extra === "tools"
        ? "Use the template `chat`, or leave the tools out with data.fields: { tools: false }."
        : `Use the template \`chat\`, or records without ${extra}.`,
  });
}

function answered(prompt: string, answer: string): RenderedRecord {
  return { text: prompt + answer, spans: [{ start: prompt.length, end: prompt.length + answer.length }] };
}

function withSystem(messages: readonly Message[], { system }: TemplateOptions): readonly Message[] {
  return system === undefined || messages[0]?.role === "system"
    ? messages
    : [{ role: "system", content: system }, ...messages];
}

/** Takes a user's message and the answer to it (empty where there is none yet). */
function onlyExchange(messages: readonly Message[], template: string): { question: string; answer: string } {
  const [question, answer] = messages;
  if (question?.role === "user" && messages.length <= 2 && (answer === undefined || answer.role === "assistant")) {
    return { question: question.content, answer: answer?.content ?? "" };
  }
  throw new UserError(
    "data",
    `the template ${template} takes one question and its answer, got the turns ${messages.map(({ role }) => role).join(", ")}`,
    {
      hint: "Use the template `chat` (or `vicuna`) for conversations. To leave a column out, such as the system message's, map it to false: data.fields: { system: false }.",
    },
  );
}

/** FastChat's vicuna_v1.1: `system USER: u ASSISTANT: a</s>USER: u ASSISTANT: a`. The last EOS is added later, as an id. */
function writeVicuna(
  messages: readonly Message[],
  { system, eosToken }: TemplateContext,
  template: string,
): RenderedRecord {
  const [first, ...rest] = messages;
  const turns = first?.role === "system" ? rest : messages;
  let text = first?.role === "system" ? first.content : (system ?? VICUNA);
  const spans: Span[] = [];
  for (const [i, { role, content, learnt }] of turns.entries()) {
    if (role !== (i % 2 === 0 ? "user" : "assistant")) {
      throw new UserError(
        "data",
        `the template ${template} takes turns of user and assistant in alternation, got ${role} as turn ${i + 1}`,
        {
          hint: "Use the template `chat`.",
        },
      );
    }
    if (role === "user") {
      text += `${i === 0 ? " " : ""}USER: ${content}`;
      continue;
    }
    text += " ASSISTANT:";
    const start = text.length;
    text += ` ${content}`;
    if (i < turns.length - 1) {
      if (eosToken === undefined)
        throw new UserError(
          "model",
          `the template ${template} needs an EOS token between turns, but the tokenizer has none`,
        );
      text += eosToken;
    }
    if (learnt !== false) spans.push({ start, end: text.length });
  }
  return { text, spans };
}
