import { nearest } from "../diagnostics/nearest.ts";
import { mergeRepeated, splitDialogue } from "./hh-dialogue.ts";
import { MARK_NAMES, markOf } from "./message-marks.ts";
import { isRow, typeName, type Row } from "./row.ts";

export type Role = "system" | "user" | "assistant" | "tool";

export interface Message {
  readonly role: Role;
  readonly content: string;
  /** False: an assistant's turn that is context and not learnt. */
  readonly learnt?: false;
  /**
   * What a chat template gets beside role and content: `tool_calls`, `reasoning_content`, `name` and so on. `role` and
   * `content` in it stand in the place of ours: another role's name, and null for the content beside tool calls.
   */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** The role names of OpenAI and ShareGPT with their meaning here. */
const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  developer: "system",
  user: "user",
  human: "user",
  prompter: "user",
  assistant: "assistant",
  gpt: "assistant",
  model: "assistant",
  bot: "assistant",
  function_call: "assistant",
  tool: "tool",
  function: "tool",
  ipython: "tool",
  observation: "tool",
  function_response: "tool",
};

/** Roles that chat templates tell from the one they mean here; of OpenAI's form, they reach the template as written. */
const TEMPLATE_ROLES = new Set(["developer", "function", "ipython", "observation"]);

/** The message as a chat template gets it, which is as transformers would pass it on. */
export function asTemplateMessage({ role, content, extra }: Message): Readonly<Record<string, unknown>> {
  return { role, content, ...extra };
}

/** Parts of a message that only a chat template can write. */
export function extraParts({ extra = {} }: Message): string[] {
  return ["tool_calls", "function_call", "reasoning_content", "reasoning", "thinking"].filter((key) => key in extra);
}

/**
 * Parses a conversation: `[{ role, content }]`, ShareGPT's `[{ from, value }]`, either of them as JSON text (as tables
 * hold it), or a dialogue in hh-rlhf's form. Returns the problem in words where there is no answer to learn.
 */
export function parseMessages(value: unknown): Message[] | string {
  const list = typeof value === "string" ? (dialogueTurns(value) ?? parseJson(value)) : value;
  if (!Array.isArray(list)) return `the messages are ${typeName(list)}, expected an array of {role, content}`;
  const messages = parseTurns(list);
  return typeof messages === "string" ? messages : (answersProblem(messages) ?? messages);
}

/** Says why a conversation has no answers to learn; undefined where it has. */
export function answersProblem(messages: readonly Message[]): string | undefined {
  const answers = messages.filter(({ role }) => role === "assistant");
  if (answers.length === 0) return `no assistant message among ${messages.length}, so there is nothing to learn`;
  const blank = messages.findIndex(
    (message) => message.role === "assistant" && message.content.trim() === "" && !callsTools(message),
  );
  if (blank !== -1) return `message ${blank + 1} (assistant) is empty`;
  if (answers.some(({ learnt }) => learnt !== false)) return undefined;
  return "every assistant message is marked as not to be learnt, so there is nothing to learn";
}

function callsTools({ extra = {} }: Message): boolean {
  return "tool_calls" in extra || "function_call" in extra;
}

function dialogueTurns(text: string): Message[] | undefined {
  const turns = splitDialogue(text);
  return turns && mergeRepeated(turns);
}

/** Parses messages one by one, of any roles; returns the problem in words where one is wrong. */
export function parseTurns(list: readonly unknown[]): Message[] | string {
  const messages: Message[] = [];
  for (const [i, item] of list.entries()) {
    const message = parseMessage(item);
    if (typeof message === "string") return `message ${i + 1} ${message}`;
    messages.push(message);
  }
  return messages;
}

/** Reads messages, or one message, that a table holds as JSON text; undefined for any other text, JSON or not. */
export function turnsFromJson(text: string): object | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  const value = parseJson(text);
  const list = Array.isArray(value) ? value : [value];
  const isTurn = (item: unknown): boolean =>
    isRow(item) && ("role" in item || "from" in item) && ("content" in item || "value" in item);
  return list.length > 0 && list.every(isTurn) ? (value as object) : undefined;
}

/** True for turns in OpenAI's form, `{ role, content }`. */
export function inOpenAiForm(value: unknown): boolean {
  const list = typeof value === "string" && /^\s*\[/.test(value) ? parseJson(value) : value;
  return Array.isArray(list) && isRow(list[0]) && "role" in list[0];
}

/**
 * Reads the tools of a row: a list, or JSON text of one. `plain` functions, as LLaMA-Factory writes them beside ShareGPT's
 * turns, get the form that chat templates take, `{ type: "function", function }`. Undefined where there are none.
 */
export function parseTools(value: unknown, plain: boolean): readonly unknown[] | undefined | string {
  const list = typeof value === "string" ? parseJson(value) : value;
  if (list === undefined || list === null) return undefined;
  if (!Array.isArray(list)) return `the tools are ${typeName(list)}, expected a list of functions`;
  const wrong = list.findIndex((tool) => !isRow(tool));
  if (wrong !== -1) return `tool ${wrong + 1} is ${typeName(list[wrong])}, expected an object`;
  if (!plain) return list;
  return (list as Row[]).map((tool) => (tool["type"] === "function" ? tool : { type: "function", function: tool }));
}

function parseMessage(item: unknown): Message | string {
  if (!isRow(item)) return `is ${typeName(item)}, expected {role, content}`;
  const openAi = "role" in item;
  const name = item["role"] ?? item["from"];
  if (typeof name !== "string") return `has no role (role, or from), expected one of ${Object.keys(ROLES).join(", ")}`;
  const role = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (role === undefined) {
    const near = nearest(name, Object.keys(ROLES));
    const guess = near === undefined ? `expected one of ${Object.keys(ROLES).join(", ")}` : `did you mean "${near}"`;
    return `has the role "${name}": ${guess}`;
  }
  const marked = markOf(item);
  if (typeof marked === "string") return marked;
  if (marked === true && role !== "assistant") {
    return `(${name}) is marked to be learnt: only the assistant's turns can be`;
  }
  const given = "content" in item ? item["content"] : item["value"];
  const learnt = marked === false && role === "assistant" ? ({ learnt: false } as const) : {};
  if (name === "function_call") {
    const calls = toolCalls(given);
    return typeof calls === "string" ? calls : { role, content: "", ...learnt, extra: { tool_calls: calls } };
  }
  const extra = extraOf(item);
  if (openAi && TEMPLATE_ROLES.has(name)) extra["role"] = name;
  const content = textOf(given);
  if (content !== undefined) return { role, content, ...learnt, ...(isEmpty(extra) ? {} : { extra }) };
  // OpenAI writes null, or nothing, beside the calls of an assistant.
  const calls = "tool_calls" in extra || "function_call" in extra;
  if (!calls || (given !== null && given !== undefined)) {
    return `has ${typeName(given)} as its content, expected a string`;
  }
  return { role, content: "", ...learnt, extra: { ...extra, content: given } };
}

/** What is beside role, content and marks. Tables write null for what a turn lacks; so do empty lists of calls. */
function extraOf(item: Row): Record<string, unknown> {
  const own = new Set(["role", "from", "content", "value"]);
  const present = ([key, value]: [string, unknown]): boolean =>
    !own.has(key) && !MARK_NAMES.has(key) && value !== null && value !== undefined && !isEmptyCalls(key, value);
  return Object.fromEntries(
    Object.entries(item)
      .filter(present)
      .map(([key, value]) => [key, key === "tool_calls" ? callsOf(value) : value]),
  );
}

function isEmptyCalls(key: string, value: unknown): boolean {
  return key === "tool_calls" && (value === "" || (Array.isArray(value) && value.length === 0));
}

/** Calls that a table holds as JSON text. */
function callsOf(value: unknown): unknown {
  return typeof value === "string" ? parseJson(value) : value;
}

/** ShareGPT's turn of one or several calls, `{"name": …, "arguments": …}` as JSON text, in OpenAI's form. */
function toolCalls(value: unknown): readonly object[] | string {
  const given = typeof value === "string" ? parseJson(value) : value;
  const list = Array.isArray(given) ? given : [given];
  const calls = list.map((call) => {
    if (!isRow(call) || typeof call["name"] !== "string") return undefined;
    return { type: "function", function: { name: call["name"], arguments: call["arguments"] ?? {} } };
  });
  if (calls.length > 0 && calls.every((call) => call !== undefined)) return calls;
  return 'is no function call: expected JSON such as {"name": "weather", "arguments": {"city": "Bern"}}';
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}

/** Reads a string, or joins OpenAI's list of text parts; undefined for anything else (an image, a tool call). */
function textOf(content: unknown): string | undefined {
  if (typeof content === "string") return content;
  if (!Array.isArray(content) || content.length === 0) return undefined;
  const parts = content.map((part) => (isRow(part) && part["type"] === "text" ? part["text"] : undefined));
  return parts.every((part) => typeof part === "string") ? parts.join("") : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
