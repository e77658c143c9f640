import type { Message } from "../../data/messages.ts";

export interface JudgeSettings {
  readonly temperature: number;
  /** Longest verdict, tokens. */
  readonly maxTokens: number;
}

/** A model that grades answers. */
export interface Judge {
  /** Its name in results. */
  readonly name: string;
  /**
   * Answers a conversation. The same question is never paid for twice: a question that was answered before is answered from the store.
   * @throws UserError where it cannot be reached, after retries.
   */
  ask(messages: readonly Message[], settings: JudgeSettings): Promise<string>;
}
