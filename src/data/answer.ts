import { answersProblem, parseMessages, parseTurns, turnsFromJson, type Message } from "./messages.ts";
import {
  asText,
  columnNames,
  find,
  has,
  inputOf,
  isBlank,
  isMapped,
  quotedNames,
  text,
  type FieldMap,
} from "./record-fields.ts";
import { typeName, type Row } from "./row.ts";
import { surroundingsOf, withTurnsBefore, type Surroundings } from "./surroundings.ts";

/** An answer to learn. No string in it is blank. */
export type AnswerContent =
  | ({
      readonly kind: "instruction";
      readonly instruction: string;
      readonly input?: string;
      readonly response: string;
    } & Surroundings)
  | ({ readonly kind: "completion"; readonly prompt: string; readonly completion: string } & Surroundings)
  | ({ readonly kind: "messages"; readonly messages: readonly Message[] } & Omit<Surroundings, "before">);

/** A text without question and answer, all of which is learnt (continued pre-training). It is not blank. */
export interface TextContent {
  readonly kind: "text";
  readonly text: string;
}

/** Parses an answer to learn, or a text; returns the problem in words where the row has none. */
export function parseAnswer(row: Row, fields: FieldMap): AnswerContent | TextContent | string {
  if (isUnwanted(row, fields)) {
    return "the label is false, so the answer is not wanted: rated answers are for objective.name kto";
  }
  const kind =
    kindOf(fields) ?? (["messages", "instruction", "prompt", "text"] as const).find((name) => has(row, name, fields));
  if (kind === undefined) return `no instruction, prompt, messages or text (${columnNames(row)})`;
  if (kind === "text") {
    const whole = text(row, "text", fields);
    return "problem" in whole ? whole.problem : { kind, text: whole.text };
  }
  const around = surroundingsOf(row, fields);
  return typeof around === "string" ? around : READERS[kind](row, fields, around);
}

type Reader = (row: Row, fields: FieldMap, around: Surroundings) => AnswerContent | string;

const READERS: Readonly<Record<"messages" | "instruction" | "prompt", Reader>> = {
  messages(row, fields, { before, ...around }) {
    const messages = parseMessages(find(row, "messages", fields));
    if (typeof messages === "string") return messages;
    return { kind: "messages", messages: withTurnsBefore(before, messages), ...around };
  },
  prompt(row, fields, around) {
    const turns = [turnsOf(find(row, "prompt", fields)), turnsOf(find(row, "completion", fields))] as const;
    if (turns.some((each) => each !== undefined)) return parseConversation(row, fields, turns, around);
    const prompt = text(row, "prompt", fields);
    if ("problem" in prompt) return prompt.problem;
    const completion = text(row, "completion", fields);
    if ("problem" in completion) return completion.problem;
    return { kind: "completion", prompt: prompt.text, completion: completion.text, ...around };
  },
  instruction(row, fields, around) {
    const instruction = text(row, "instruction", fields);
    if ("problem" in instruction) return instruction.problem;
    const response = text(row, "response", fields);
    if ("problem" in response) return response.problem;
    const input = inputOf(row, fields);
    if ("problem" in input) return input.problem;
    const given = input.text === undefined ? {} : { input: input.text };
    return { kind: "instruction", instruction: instruction.text, ...given, response: response.text, ...around };
  },
};

/** Messages, or one message, also as JSON text; undefined for other text. */
function turnsOf(value: unknown): readonly unknown[] | undefined {
  const turns = typeof value === "string" ? turnsFromJson(value) : value;
  if (typeof turns !== "object" || turns === null) return undefined;
  return Array.isArray(turns) ? turns : [turns];
}

/** TRL's conversational prompt and completion: messages on both sides, or on one. Only the completion's answers are learnt. */
function parseConversation(
  row: Row,
  fields: FieldMap,
  turns: readonly [prompt: readonly unknown[] | undefined, completion: readonly unknown[] | undefined],
  { before, ...around }: Surroundings,
): AnswerContent | string {
  const sides: (readonly Message[])[] = [];
  for (const [i, name] of (["prompt", "completion"] as const).entries()) {
    const value = find(row, name, fields);
    if (isBlank(value)) return `no ${name}: expected messages, or text, under ${quotedNames(name, fields)}`;
    if (turns[i] === undefined && typeof value !== "string")
      return `the ${name} is ${typeName(value)}, expected messages`;
    const parsed =
      turns[i] === undefined
        ? [{ role: i === 0 ? "user" : "assistant", content: value as string } as const]
        : parseTurns(turns[i]);
    if (typeof parsed === "string") return `in the ${name}, ${parsed}`;
    sides.push(parsed);
  }
  const [prompt, completion] = sides as [readonly Message[], readonly Message[]];
  const last = prompt.at(-1);
  if (last === undefined) return "the prompt is an empty list, expected messages";
  if (last.role === "assistant") {
    return "the prompt ends with the assistant's turn, expected the user's: an answer cannot be continued";
  }
  const problem = answersProblem(completion);
  if (problem !== undefined) return `in the completion, ${problem}`;
  const context = prompt.map((message) =>
    message.role === "assistant" ? { ...message, learnt: false as const } : message,
  );
  return { kind: "messages", messages: withTurnsBefore(before, [...context, ...completion]), ...around };
}

/**
 * Tells if the row's answer is rated as unwanted. Only false is a rating: a label of another kind may be 0. As text, as
 * tables hold it, it is one beside prompt and completion, as TRL names them; `kto_tag` is never anything else.
 */
function isUnwanted(row: Row, fields: FieldMap): boolean {
  if (fields.label !== undefined || has(row, "chosen", fields)) return false;
  if (/^(false|0)$/i.test(asText(row["kto_tag"]) ?? "")) return true;
  if (find(row, "label", fields) === false) return true;
  const besideAnswer = !isBlank(row["prompt"]) && !isBlank(row["completion"]);
  return besideAnswer && /^false$/i.test(asText(row["label"]) ?? "");
}

function kindOf(fields: FieldMap): "messages" | "prompt" | "instruction" | "text" | undefined {
  if (isMapped(fields, "messages")) return "messages";
  if (isMapped(fields, "prompt") || isMapped(fields, "completion")) return "prompt";
  if (isMapped(fields, "instruction")) return "instruction";
  return isMapped(fields, "text") ? "text" : undefined;
}
