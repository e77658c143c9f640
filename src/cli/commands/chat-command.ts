import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { TemplateName } from "../../data/template.ts";
import { loadAnswerer } from "../../jobs/load-answerer.ts";
import { parseAdapterFolder } from "../../node/model/adapter-name.ts";
import { pipedInput, terminalInput } from "../views/chat-input.ts";
import { plainScreen, terminalScreen } from "../views/chat-screen.ts";
import { ChatSession } from "./chat-session.ts";
import type { CommandContext } from "./command-context.ts";
import { describeFailure } from "../failure.ts";
import type { SamplingFlags } from "./generate-command.ts";
import { withModel } from "./model-command.ts";
import { formatCount } from "../views/quantities.ts";

export interface ChatFlags extends SamplingFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly compare?: readonly string[];
  readonly system?: string;
  readonly template: TemplateName;
  readonly context: number;
  readonly threads?: number;
}

const COMMANDS: Readonly<Record<string, string>> = {
  "/reset": "forget the conversation",
  "/system": "TEXT: another system message; without a text, none",
  "/help": "this list",
  "/quit": "leave, as Ctrl-D does",
};
const HELP = [
  ...Object.entries(COMMANDS).map(([name, what]) => `${name.padEnd(8)} ${what}`),
  "Ctrl-C stops an answer. A space before a / makes it part of a message.",
].join("\n");

export async function chatCommand(flags: ChatFlags, context: CommandContext): Promise<void> {
  const { model, adapter, compare, system, template, context: maxLength, threads, ...sampling } = flags;
  const adapters = [...(adapter === undefined ? [] : [adapter]), ...(compare ?? [])].map(parseAdapterFolder);
  const answerer = await withModel(context, threads, ({ platform, status }) => {
    status.say(`opening ${model}`);
    return loadAnswerer({ model, adapters, template, maxLength }, platform);
  });
  const names = compare === undefined ? answerer.names.slice(-1) : answerer.names;
  const onTerminal = process.stdin.isTTY && context.stdout.live;
  const screen = onTerminal ? terminalScreen(context.stdout) : plainScreen(context);
  const input = onTerminal ? terminalInput("> ") : pipedInput();
  const session = new ChatSession(answerer, system, sampling);
  let toldForgot = false;

  const ask = async (question: string): Promise<void> => {
    await input.whileAnswering((signal) =>
      screen.show(names, (name, onText) => session.answer(name, question, onText, signal)),
    );
    if (!session.forgot || toldForgot) return;
    toldForgot = true;
    screen.note(
      `the conversation is longer than ${formatCount(answerer.maxLength)} tokens: its oldest turns are left out from now on`,
    );
  };

  /** Whether the conversation goes on. */
  const obey = (line: string): boolean => {
    const [, name = "", text = ""] = /^(\/\S*)\s*(.*)$/.exec(line)!;
    if (name === "/quit") return false;
    if (name === "/reset") {
      session.reset();
      toldForgot = false;
      screen.note("the conversation is forgotten");
    } else if (name === "/system") {
      session.system = text === "" ? undefined : text;
      screen.note(text === "" ? "no system message from now on" : "that is the system message from now on");
    } else if (name === "/help") screen.note(HELP);
    else {
      const near = nearest(name, Object.keys(COMMANDS));
      screen.note(
        `there is no command ${name}${near === undefined ? "; /help lists them" : `: did you mean ${near}?`}`,
      );
    }
    return true;
  };

  try {
    if (onTerminal) screen.note(`${names.join(", ")}: ask something; /help lists commands, Ctrl-D leaves`);
    if (!answerer.holdsConversations) {
      screen.note(`the template ${template} holds one question: every message is answered without those before it`);
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
        // In a pipe nobody is there to ask again.
        if (!onTerminal) throw error;
        if (error instanceof UserError)
          screen.note(describeFailure(error, { style: context.stderr.style, debug: false }).lines.join("\n"));
        else if (error instanceof Error && error.name === "AbortError") screen.note("stopped");
        else throw error;
      }
    }
  } finally {
    input.close();
    await answerer.dispose();
  }
}
