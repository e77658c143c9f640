/** A turn of a dialogue: a `Message` of one of two speakers. */
export interface DialogueTurn {
  readonly role: "user" | "assistant";
  readonly content: string;
}

const SPEAKERS: Readonly<Record<string, DialogueTurn["role"]>> = { Human: "user", Assistant: "assistant" };

/**
 * Splits a dialogue as Anthropic's hh-rlhf writes it, "\n\nHuman: …\n\nAssistant: …", into turns and keeps every
 * character. Undefined where the text does not begin with the Human's turn.
 */
export function splitDialogue(text: string): DialogueTurn[] | undefined {
  const [before, ...pieces] = text.split(/\n\n(Human|Assistant): /);
  if (before !== "" || pieces[0] !== "Human") return undefined;
  return Array.from({ length: pieces.length / 2 }, (_, i) => ({
    role: SPEAKERS[pieces[2 * i]!]!,
    content: pieces[2 * i + 1]!,
  }));
}

/** Joins consecutive turns of one speaker with a blank line between: chat templates want speakers to alternate. */
export function mergeRepeated(messages: readonly DialogueTurn[]): DialogueTurn[] {
  const merged: DialogueTurn[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (last?.role !== message.role) merged.push(message);
    else merged[merged.length - 1] = { role: last.role, content: `${last.content}\n\n${message.content}` };
  }
  return merged;
}
