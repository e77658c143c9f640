import { inOpenAiForm, parseTools, parseTurns, type Message } from "./messages.ts";
import { find, isBlank, type FieldMap } from "./record-fields.ts";
import { isRow, typeName, type Row } from "./row.ts";

/** What a row has beside question and answer. */
export interface Surroundings {
  /** The system message, and earlier turns, before the row's own. */
  readonly before?: readonly Message[];
  /** Names that the chat template sees beside the messages: `tools`, and what `chat_template_kwargs` gives. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** TRL's column of further variables of the chat template. */
export const TEMPLATE_VARIABLES = "chat_template_kwargs";

/**
 * Reads the columns beside question and answer: the system message, earlier turns (LLaMA-Factory's `history`, pairs of
 * question and answer, or a list of messages), and tools. Returns the problem in words where one of them is unusable.
 */
export function surroundingsOf(row: Row, fields: FieldMap): Surroundings | string {
  const system = find(row, "system", fields);
  if (!isBlank(system) && typeof system !== "string") return `the system message is ${typeName(system)}, expected text`;
  const history = historyOf(find(row, "history", fields));
  if (typeof history === "string") return history;
  const listed = find(row, "tools", fields);
  const tools = isBlank(listed) ? undefined : parseTools(listed, isPlain(row, fields));
  if (typeof tools === "string") return tools;
  const given = row[TEMPLATE_VARIABLES];
  if (!isBlank(given) && !isRow(given)) return `${TEMPLATE_VARIABLES} is ${typeName(given)}, expected an object`;
  const before = [
    ...(isBlank(system) ? [] : [{ role: "system", content: system as string } as const]),
    ...(history ?? []),
  ];
  const variables = { ...(isRow(given) ? given : {}), ...(tools === undefined ? {} : { tools }) };
  return {
    ...(before.length === 0 ? {} : { before }),
    ...(Object.keys(variables).length === 0 ? {} : { variables }),
  };
}

/** Puts the surroundings' turns before a conversation. Its own system message is kept in the place of the column's. */
export function withTurnsBefore(before: readonly Message[] = [], messages: readonly Message[]): readonly Message[] {
  if (messages[0]?.role !== "system") return [...before, ...messages];
  const [system, ...rest] = messages;
  return [system, ...before.filter(({ role }) => role !== "system"), ...rest];
}

/** LLaMA-Factory writes plain functions, but not beside messages in OpenAI's form. */
function isPlain(row: Row, fields: FieldMap): boolean {
  return !(["messages", "prompt", "chosen"] as const).some((name) => inOpenAiForm(find(row, name, fields)));
}

function historyOf(value: unknown): readonly Message[] | undefined | string {
  let list = value;
  if (typeof value === "string" && value.trim() !== "") {
    try {
      list = JSON.parse(value);
    } catch {
      return "the history is text, expected a list of pairs [question, answer], or of messages";
    }
  }
  if (isBlank(list)) return undefined;
  if (!Array.isArray(list)) return `the history is ${typeName(list)}, expected a list of pairs [question, answer]`;
  if (list.some(isRow)) {
    const turns = parseTurns(list);
    return typeof turns === "string" ? `in the history, ${turns}` : turns;
  }
  const turns: Message[] = [];
  for (const [i, pair] of list.entries()) {
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((text) => typeof text === "string")) {
      return `turn ${i + 1} of the history is ${typeName(pair)}, expected a pair [question, answer] of texts`;
    }
    if (isBlank(pair[1])) return `the answer in turn ${i + 1} of the history is empty`;
    turns.push({ role: "user", content: pair[0]! }, { role: "assistant", content: pair[1]! });
  }
  return turns;
}
