import type { Message } from "../data/messages.ts";

export interface JudgeSettings {
  readonly temperature: number;
  /** Longest verdict, tokens. */
  readonly maxTokens: number;
}

/** A model that grades answers. */
export interface Judge {
  /** As results name it. */
  readonly name: string;
  /**
   * Its answer to a conversation. The same question is never paid for twice: what was answered before comes from a record.
   * @throws UserError where it cannot be reached, after retries.
   */
  ask(messages: readonly Message[], settings: JudgeSettings): Promise<string>;
}
