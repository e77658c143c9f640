import type { TemplateName } from "../../data/template.ts";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Answerer } from "../../serving/answerer.ts";
import { describeFailure } from "../failure.ts";
import type { Style } from "../output.ts";
import type { ChatInput } from "../views/chat-input.ts";
import type { ChatScreen } from "../views/chat-screen.ts";
import { formatCount } from "../views/quantities.ts";
import { type ChatOptions, ChatSession } from "./chat-session.ts";

const COMMANDS: Readonly<Record<string, string>> = {
  "/reset": "forget the conversation",
  "/system": "TEXT: set the system message; without TEXT, remove it",
  "/help": "list the commands",
  "/quit": "end the chat, like Ctrl-D",
};
const HELP = [
  ...Object.entries(COMMANDS).map(([name, purpose]) => `${name.padEnd(8)} ${purpose}`),
  "Ctrl-C stops an answer. To begin a message with /, put a space before it.",
].join("\n");

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
  const { names, template, screen, input, onTerminal, style } = place;
  const session = new ChatSession(answerer, place.system, place.sampling);
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

  /** False for the command that ends the chat. */
  const obey = (line: string): boolean => {
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
    if (line.startsWith("/")) {
      if (obey(line)) continue;
      break;
    }
    try {
      await ask(line.trim());
    } catch (error) {
      if (!onTerminal) throw error;
      if (error instanceof UserError) screen.note(describeFailure(error, { style, debug: false }).lines.join("\n"));
      else if (error instanceof Error && error.name === "AbortError") screen.note("stopped");
      else throw error;
    }
  }
}
