import { appendFile } from "node:fs/promises";
import type { Message } from "../../data/messages.ts";
import type { TemplateName } from "../../data/template.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { storageReason } from "../../node/store/durable-file.ts";
import type { Answerer } from "../../serving/answerer.ts";
import { describeFailure } from "../failure.ts";
import type { Style } from "../output.ts";
import type { ChatInput } from "../views/chat-input.ts";
import type { ChatScreen } from "../views/chat-screen.ts";
import { counted, formatCount } from "../views/quantities.ts";
import { type ChatOptions, ChatSession } from "./chat-session.ts";

const COMMANDS: Readonly<Record<string, string>> = {
  "/reset": "forget the conversation",
  "/system": "TEXT: set the system message; without TEXT, remove it",
  "/regenerate": "answer the last question again",
  "/save": "FILE: add the conversation to a file, as a line that training reads",
  "/help": "list the commands",
  "/quit": "end the chat, like Ctrl-D",
};
const HELP = [
  ...Object.entries(COMMANDS).map(([name, purpose]) => `${name.padEnd(11)} ${purpose}`),
  'Ctrl-C stops an answer. A message of several lines begins and ends with a line """.',
  "To begin a message with /, put a space before it.",
].join("\n");

/** The line before and after a message of several lines. */
const BLOCK = '"""';

/** Reads the lines of a message up to the line that ends it, or the end of the input. */
async function block(input: ChatInput): Promise<string> {
  const lines: string[] = [];
  for (let line = await input.next(); line !== undefined && line.trim() !== BLOCK; line = await input.next()) {
    lines.push(line);
  }
  return lines.join("\n").trim();
}

export interface ChatPlace {
  /** The models that answer, in order. */
  readonly names: readonly string[];
  readonly system: string | undefined;
  readonly template: TemplateName;
  readonly sampling: ChatOptions;
  readonly screen: ChatScreen;
  readonly input: ChatInput;
  /** True if a person types. An error then ends an answer, but not the chat. */
  readonly onTerminal: boolean;
  readonly style: Style;
}

/** Answers lines of the input, and obeys its commands, until the input ends. */
export async function chat(answerer: Answerer, place: ChatPlace): Promise<void> {
  const { names, template, sampling, screen, input, onTerminal, style } = place;
  const session = new ChatSession(answerer, place.system, sampling);
  let toldForgot = false;

  const ask = async (question: string): Promise<void> => {
    await input.whileAnswering((signal) =>
      screen.show(names, (name, onText) => session.answer(name, question, onText, signal)),
    );
    if (!session.forgot || toldForgot) return;
    toldForgot = true;
    screen.note(
      `the conversation is longer than ${formatCount(answerer.maxLength)} tokens: the model no longer sees its oldest messages`,
    );
  };

  const again = async (): Promise<void> => {
    const question = session.beginAgain();
    if (question === undefined) return screen.note("nothing was asked yet");
    if (sampling.temperature === 0) {
      screen.note("at temperature 0 an answer stays the same; chat --temperature 0.8 varies it");
    }
    await ask(question);
  };

  const save = async (file: string): Promise<void> => {
    if (file === "") return screen.note("name a file: /save talks.jsonl");
    if (session.conversations.size === 0) return screen.note("nothing was said yet");
    const system: Message[] = session.system === undefined ? [] : [{ role: "system", content: session.system }];
    const lines = [...session.conversations].map(([model, messages]) =>
      JSON.stringify({ messages: [...system, ...messages], ...(names.length > 1 ? { model } : {}) }),
    );
    try {
      await appendFile(file, lines.map((line) => `${line}\n`).join(""));
      screen.note(`added ${counted(lines.length, "conversation")} to ${file}`);
    } catch (error) {
      // The chat goes on, so nothing that was said is lost.
      screen.note(`${file} cannot be written (${storageReason(error)})`);
    }
  };

  /** False for the command that ends the chat. */
  const obey = async (line: string): Promise<boolean> => {
    const [, name = "", text = ""] = /^(\/\S*)\s*(.*)$/.exec(line)!;
    if (name === "/quit") return false;
    if (name === "/reset") {
      session.reset();
      toldForgot = false;
      screen.note("the conversation is forgotten");
    } else if (name === "/system") {
      session.system = text === "" ? undefined : text;
      screen.note(text === "" ? "the system message is removed" : "the system message is set");
    } else if (name === "/help") screen.note(HELP);
    else if (name === "/regenerate") await again();
    else if (name === "/save") await save(text);
    else {
      const near = nearest(name, Object.keys(COMMANDS));
      screen.note(
        `there is no command ${name}${near === undefined ? "; /help lists them" : `: did you mean ${near}?`}`,
      );
    }
    return true;
  };

  if (onTerminal) screen.note(`${names.join(", ")}: ask something; /help lists the commands, Ctrl-D ends the chat`);
  if (!answerer.holdsConversations) {
    screen.note(
      `the template ${template} has space for one question: every message is answered without the earlier messages`,
    );
  }
  for (let line = await input.next(); line !== undefined; line = await input.next()) {
    if (line.trim() === "") continue;
    try {
      if (line.startsWith("/")) {
        if (await obey(line)) continue;
        break;
      }
      const question = line.trim() === BLOCK ? await block(input) : line.trim();
      if (question === "") continue;
      session.begin(question);
      await ask(question);
    } catch (error) {
      if (!onTerminal) throw error;
      if (error instanceof UserError) screen.note(describeFailure(error, { style, debug: false }).lines.join("\n"));
      else if (error instanceof Error && error.name === "AbortError") screen.note("stopped");
      else throw error;
    }
  }
}
