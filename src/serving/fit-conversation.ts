import type { Message } from "../data/messages.ts";
import type { Answerer } from "./answerer.ts";

export interface FittedConversation {
  /** The system message, if there is one, and the latest turns. */
  readonly messages: readonly Message[];
  /** The messages as tokens. */
  readonly prompt: Int32Array;
  /** Number of turns that were left out, the oldest ones. */
  readonly dropped: number;
}

/**
 * Leaves out the oldest questions and their answers until `answerTokens` tokens are left for the answer. The last question
 * stays, even where it is too long by itself.
 */
export function fitConversation(
  messages: readonly Message[],
  answerTokens: number,
  {
    encodeConversation,
    holdsConversations,
    maxLength,
  }: Pick<Answerer, "encodeConversation" | "holdsConversations" | "maxLength">,
): FittedConversation {
  const system = messages[0]?.role === "system" ? messages.slice(0, 1) : [];
  const turns = messages.slice(system.length);
  const questions = turns.flatMap(({ role }, i) => (role === "user" ? [i] : []));
  // A template that holds one question has no turns to drop.
  for (const from of holdsConversations ? questions : questions.slice(-1)) {
    const kept = [...system, ...turns.slice(from)];
    const prompt = encodeConversation(kept);
    if (prompt.length + answerTokens <= maxLength || from === questions.at(-1))
      return { messages: kept, prompt, dropped: from };
  }
  throw new Error("a conversation without a question");
}
