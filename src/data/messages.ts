import { nearest } from "../diagnostics/nearest.ts";
import { mergeRepeated, splitDialogue } from "./hh-dialogue.ts";
import { isRow, typeName } from "./row.ts";

export type Role = "system" | "user" | "assistant" | "tool";

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/** The role names of OpenAI and ShareGPT with their meaning here. */
const ROLES: Readonly<Record<string, Role>> = {
  system: "system",
  user: "user",
  human: "user",
  prompter: "user",
  assistant: "assistant",
  gpt: "assistant",
  model: "assistant",
  bot: "assistant",
  tool: "tool",
  function: "tool",
  observation: "tool",
};

/**
 * Parses a conversation: `[{ role, content }]`, ShareGPT's `[{ from, value }]`, either of them as JSON text (as tables
 * hold it), or a dialogue in hh-rlhf's form. Returns the problem in words where there is no answer to learn.
 */
export function parseMessages(value: unknown): Message[] | string {
  const list = typeof value === "string" ? (dialogueTurns(value) ?? parseJson(value)) : value;
  if (!Array.isArray(list)) return `the messages are ${typeName(list)}, expected an array of {role, content}`;
  const messages = parseTurns(list);
  if (typeof messages === "string") return messages;
  if (!messages.some(({ role }) => role === "assistant")) {
    return `no assistant message among ${messages.length}, so there is nothing to learn`;
  }
  const blank = messages.findIndex(({ role, content }) => role === "assistant" && content.trim() === "");
  return blank === -1 ? messages : `message ${blank + 1} (assistant) is empty`;
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

function parseMessage(item: unknown): Message | string {
  if (!isRow(item)) return `is ${typeName(item)}, expected {role, content}`;
  const name = item["role"] ?? item["from"];
  if (typeof name !== "string") return `has no role (role, or from), expected one of ${Object.keys(ROLES).join(", ")}`;
  const role = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (role === undefined) {
    const near = nearest(name, Object.keys(ROLES));
    const guess = near === undefined ? `expected one of ${Object.keys(ROLES).join(", ")}` : `did you mean "${near}"`;
    return `has the role "${name}": ${guess}`;
  }
  const given = "content" in item ? item["content"] : item["value"];
  const content = textOf(given);
  return content === undefined ? `has ${typeName(given)} as its content, expected a string` : { role, content };
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
