import { UserError } from "../../diagnostics/user-error.ts";
import type { Message } from "../../data/messages.ts";

/** A chat template as text around the contents of turns. */
export interface Turns {
  /** Before the first turn where there is no system message. */
  readonly head: string;
  /** Around a system message at the start; undefined where the template refuses one. */
  readonly system: Around | undefined;
  readonly user: Around;
  readonly assistant: Around;
  /** After the last turn. */
  readonly end: string;
}

interface Around {
  readonly before: string;
  readonly after: string;
}

type Render = (messages: readonly Message[]) => string;

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const system = (content: string): Message => ({ role: "system", content });

/** Conversations that the found text must write exactly as the template does. */
const CONVERSATIONS: readonly (readonly Message[])[] = [
  [user("Hello")],
  [user("  spaces around \n")],
  [user("one"), assistant("two"), user("three")],
  [user("one"), assistant("\n two "), user(" three\n\n"), assistant("four <b>{{ x }}</b>"), user("five")],
  [system("Be kind."), user("one")],
  [system(" Be kind.\n"), user("one"), assistant("two"), user("three"), assistant("four"), user("five")],
];

/**
 * Finds the text around turns by rendering conversations, and proves it on others.
 *
 * @throws UserError of kind `model` for a template that does more than put text around turns, such as trimming them.
 */
export function findTurns(render: Render, where: string): Turns {
  const refuse = (what: string): UserError =>
    new UserError("model", `the chat template of ${where} ${what}, which a template of Ollama (Go's) cannot say`, {
      hint: "Export with --to gguf: the file holds the template as it is, for programs that read it.",
    });
  const [pre, post] = around(render([user("\u0001A")]), ["\u0001A"], refuse) as [string, string];
  const [, between, back] = around(
    render([user("\u0001A"), assistant("\u0001B"), user("\u0001C")]),
    ["\u0001A", "\u0001B", "\u0001C"],
    refuse,
  ) as [string, string, string];
  const afterUser = commonPrefix(between, post);
  const beforeUser = commonSuffix(pre, back);
  const turns: Turns = {
    head: pre.slice(0, pre.length - beforeUser.length),
    user: { before: beforeUser, after: afterUser },
    assistant: {
      before: between.slice(afterUser.length),
      after: back.slice(0, back.length - beforeUser.length),
    },
    end: post.slice(afterUser.length),
    system: systemOf(render, beforeUser, refuse),
  };
  for (const messages of CONVERSATIONS) {
    if (messages[0]!.role === "system" && turns.system === undefined) continue;
    if (render(messages) !== writeTurns(turns, messages)) {
      const roles = messages.map(({ role }) => role).join(", ");
      throw refuse(`does more than put text around turns (it writes ${roles} in another way)`);
    }
  }
  return turns;
}

/** Writes a conversation, as the Go template made of the same parts does. */
function writeTurns({ head, system: ofSystem, end, ...turns }: Turns, messages: readonly Message[]): string {
  let text = "";
  messages.forEach(({ role, content }, i) => {
    if (i === 0 && role === "system") text += `${ofSystem!.before}${content}${ofSystem!.after}`;
    else if (i === 0) text += head;
    if (role !== "user" && role !== "assistant") return;
    text += `${turns[role].before}${content}${turns[role].after}`;
  });
  return text + end;
}

function systemOf(render: Render, beforeUser: string, refuse: (what: string) => UserError): Around | undefined {
  let text: string;
  try {
    text = render([system("\u0001S"), user("\u0001A")]);
  } catch (error) {
    // Such as Gemma's: it knows no system message.
    if (error instanceof UserError) return undefined;
    throw error;
  }
  const [before, middle] = around(text, ["\u0001S", "\u0001A"], refuse) as [string, string];
  if (!middle.endsWith(beforeUser)) throw refuse("begins a user's turn in another way after a system message");
  return { before, after: middle.slice(0, middle.length - beforeUser.length) };
}

/** Cuts a text at contents, each of which must be in it once and in order. */
function around(text: string, contents: readonly string[], refuse: (what: string) => UserError): string[] {
  const parts: string[] = [];
  let rest = text;
  for (const content of contents) {
    const [before, after, ...more] = rest.split(content);
    if (after === undefined || more.length > 0) throw refuse("does not write each turn once and in order");
    parts.push(before!);
    rest = after;
  }
  return [...parts, rest];
}

function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a[length] === b[length]) length++;
  return a.slice(0, length);
}

function commonSuffix(a: string, b: string): string {
  let length = 0;
  while (length < Math.min(a.length, b.length) && a.at(-1 - length) === b.at(-1 - length)) length++;
  return a.slice(a.length - length);
}
