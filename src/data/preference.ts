import { mergeRepeated, splitDialogue } from "./hh-dialogue.ts";
import { asTemplateMessage, extraParts, parseTurns, turnsFromJson, type Message } from "./messages.ts";
import {
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

/** The turns that an answer answers; the last is not the assistant's. */
export interface Prompt extends Pick<Surroundings, "variables"> {
  readonly prompt: readonly Message[];
  /** An addition to the last message of `prompt` (Alpaca's input); templates write it as an instruction's input. */
  readonly input?: string;
}

/** Two answers to a prompt, neither blank, and not the same. */
export interface PreferenceContent extends Prompt {
  readonly kind: "preference";
  readonly chosen: string;
  readonly rejected: string;
}

/** An answer, not blank, with the rating that it is wanted or not. */
export interface RatedContent extends Prompt {
  readonly kind: "rated";
  readonly completion: string;
  readonly desirable: boolean;
}

/** Parses a pair of answers; returns the problem in words where the row has none. */
export function parsePreference(row: Row, fields: FieldMap): PreferenceContent | string {
  return orProblem(() => {
    const parts = [answerPart(row, "chosen", fields), answerPart(row, "rejected", fields)] as const;
    const given = promptFor(parts, row, fields);
    const chosen = answered(parts[0], "chosen", given);
    const rejected = answered(parts[1], "rejected", given);
    if (!samePrompt(chosen.prompt, rejected.prompt)) {
      throw new Unusable("chosen and rejected have different prompts: their turns before the last are not the same");
    }
    const { before, ...around } = surroundings(row, fields);
    const prompt = withTurnsBefore(before, chosen.prompt);
    checkPrompt(prompt);
    if (chosen.answer === rejected.answer) throw new Unusable("chosen and rejected are the same");
    return {
      kind: "preference",
      prompt,
      ...around,
      ...(given?.input === undefined ? {} : { input: given.input }),
      chosen: chosen.answer,
      rejected: rejected.answer,
    };
  });
}

/** Parses an answer with its label; returns the problem in words where the row has none. */
export function parseRated(row: Row, fields: FieldMap): RatedContent | string {
  return orProblem(() => {
    const desirable = labelOf(row, fields);
    const name = isMapped(fields, "response") && !isMapped(fields, "completion") ? "response" : "completion";
    const inTurns = isMapped(fields, "messages") || (!has(row, name, fields) && has(row, "messages", fields));
    const part = inTurns ? promptPart(row, "messages", fields).prompt : answerPart(row, name, fields);
    const given = inTurns ? undefined : promptFor([part], row, fields);
    const { prompt: own, answer } = answered(part, inTurns ? "messages" : name, given);
    const { before, ...around } = surroundings(row, fields);
    const prompt = withTurnsBefore(before, own);
    checkPrompt(prompt);
    return {
      kind: "rated",
      prompt,
      ...around,
      ...(given?.input === undefined ? {} : { input: given.input }),
      completion: answer,
      desirable,
    };
  });
}

/** The problem that makes a row unusable. It is caught in this file. */
class Unusable extends Error {}

function surroundings(row: Row, fields: FieldMap): Surroundings {
  const around = surroundingsOf(row, fields);
  if (typeof around === "string") throw new Unusable(around);
  return around;
}

function orProblem<T>(parse: () => T): T | string {
  try {
    return parse();
  } catch (problem) {
    if (problem instanceof Unusable) return problem.message;
    throw problem;
  }
}

/** An answer alone, or turns that end with it. */
type AnswerPart = string | readonly Message[];

function answerPart(row: Row, name: "chosen" | "rejected" | "completion" | "response", fields: FieldMap): AnswerPart {
  const value = find(row, name, fields);
  if (value === undefined || value === null) {
    throw new Unusable(`no ${name}: expected an answer under ${quotedNames(name, fields)}`);
  }
  if (typeof value === "string") {
    if (isBlank(value)) throw new Unusable(`the answer in ${name} is empty`);
    const dialogue = splitDialogue(value);
    if (dialogue !== undefined) return [...mergeRepeated(dialogue.slice(0, -1)), dialogue.at(-1)!];
    const listed = turnsFromJson(value);
    return listed === undefined ? value : turns(listed, name);
  }
  if (typeof value === "object") return turns(value, name);
  throw new Unusable(`the answer in ${name} is ${typeName(value)}, expected text or messages`);
}

/** The prompt in the row's own columns, where an answer does not bring its own. */
function promptFor(parts: readonly AnswerPart[], row: Row, fields: FieldMap): Prompt | undefined {
  if (parts.every((part) => typeof part !== "string" && part[0]?.role !== "assistant")) return undefined;
  const names = ["prompt", "messages", "instruction"] as const;
  const name = names.find((name) => isMapped(fields, name)) ?? names.find((name) => has(row, name, fields));
  if (name !== undefined) return promptPart(row, name, fields);
  if (parts.some((part) => typeof part === "string" && part.includes("\n\nAssistant: "))) {
    throw new Unusable(
      String.raw`a dialogue does not begin with the Human's turn ("\n\nHuman: "), and there is no prompt`,
    );
  }
  throw new Unusable(`no prompt, instruction or messages to answer (${columnNames(row)})`);
}

function promptPart(row: Row, name: "prompt" | "messages" | "instruction", fields: FieldMap): Prompt {
  const value = find(row, name, fields);
  const listed = typeof value === "string" && name !== "instruction" ? turnsFromJson(value) : value;
  if (typeof listed === "object" && listed !== null && name !== "instruction") return { prompt: turns(listed, name) };
  const written = text(row, name, fields);
  if ("problem" in written) throw new Unusable(written.problem);
  if (name === "messages") throw new Unusable("the messages are a string, expected an array of {role, content}");
  const prompt = [{ role: "user", content: written.text }] as const;
  // Anthropic's form again, up to the assistant's next turn.
  const dialogue = name === "prompt" ? splitDialogue(written.text.replace(/\n\nAssistant:\s*$/, "")) : undefined;
  if (name === "prompt") return { prompt: dialogue === undefined ? prompt : mergeRepeated(dialogue) };
  const input = inputOf(row, fields);
  if ("problem" in input) throw new Unusable(input.problem);
  return input.text === undefined ? { prompt } : { prompt, input: input.text };
}

function turns(value: object, name: string): readonly Message[] {
  const messages = parseTurns(Array.isArray(value) ? value : [value]);
  if (typeof messages === "string") throw new Unusable(`in ${name}, ${messages}`);
  if (messages.length === 0) throw new Unusable(`${name} is an empty list, expected messages`);
  return messages;
}

function answered(
  part: AnswerPart,
  name: string,
  given: Prompt | undefined,
): { prompt: readonly Message[]; answer: string } {
  if (typeof part === "string") return { prompt: given!.prompt, answer: part };
  const all = part[0]!.role === "assistant" && given !== undefined ? [...given.prompt, ...part] : part;
  if (given?.input !== undefined && all.length > 2) {
    throw new Unusable(`${name} has several questions, but an input is only possible with one question and its answer`);
  }
  const last = all.at(-1)!;
  if (last.role !== "assistant")
    throw new Unusable(`the last turn of ${name} is the ${last.role}'s, expected the assistant's`);
  const [extra] = extraParts(last);
  if (extra !== undefined) throw new Unusable(`the answer in ${name} has ${extra}: only texts can be compared`);
  if (last.learnt === false) throw new Unusable(`the answer in ${name} is marked as not to be learnt`);
  if (isBlank(last.content)) throw new Unusable(`the answer in ${name} is empty`);
  return { prompt: all.slice(0, -1), answer: last.content };
}

function samePrompt(a: readonly Message[], b: readonly Message[]): boolean {
  return JSON.stringify(a.map(asTemplateMessage)) === JSON.stringify(b.map(asTemplateMessage));
}

function checkPrompt(prompt: readonly Message[]): void {
  const last = prompt.at(-1);
  if (last === undefined) throw new Unusable("no prompt: the answer is the first turn");
  if (last.role === "assistant" || last.role === "system") {
    throw new Unusable(`the prompt ends with the ${last.role}'s turn, expected the user's`);
  }
  if (isBlank(last.content)) throw new Unusable(`the ${last.role}'s turn before the answer is empty`);
}

const LABELS: Readonly<Record<string, boolean>> = { true: true, "1": true, false: false, "0": false };

function labelOf(row: Row, fields: FieldMap): boolean {
  const value = find(row, "label", fields);
  if (isBlank(value)) throw new Unusable(`no label: expected true or false under ${quotedNames("label", fields)}`);
  const written = typeof value === "string" ? value.trim() : JSON.stringify(value);
  const key = written.toLowerCase();
  if (typeof value !== "object" && Object.hasOwn(LABELS, key)) return LABELS[key]!;
  const found = typeof value === "object" ? typeName(value) : typeof value === "string" ? `"${written}"` : written;
  throw new Unusable(`the label is ${found}, expected true or false (or 1 or 0)`);
}
