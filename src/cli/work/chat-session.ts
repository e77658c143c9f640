import type { Message } from "../../data/messages.ts";
import type { Answerer, AnswerOptions } from "../../serving/answerer.ts";
import { fitConversation } from "../../serving/fit-conversation.ts";

export type ChatOptions = Omit<AnswerOptions, "onText" | "signal">;

/** Conversations with several models about the same questions. Each model remembers its own answers. */
export class ChatSession {
  system: string | undefined;
  /** True once a model's window was too small for all earlier messages. */
  forgot = false;
  readonly #answerer: Answerer;
  readonly #options: ChatOptions;
  /** Messages by the model's name, without the system message. */
  readonly #histories = new Map<string, readonly Message[]>();

  constructor(answerer: Answerer, system: string | undefined, options: ChatOptions) {
    this.#answerer = answerer;
    this.#options = options;
    this.system = system;
  }

  reset(): void {
    this.#histories.clear();
    this.forgot = false;
  }

  /** Asks one model. An answer that is stopped is remembered as far as it came. */
  async answer(name: string, question: string, onText: (piece: string) => void, signal: AbortSignal): Promise<void> {
    const { holdsConversations, maxLength } = this.#answerer;
    const system: Message[] = this.system === undefined ? [] : [{ role: "system", content: this.system }];
    const conversation: Message[] = [...(this.#histories.get(name) ?? []), { role: "user", content: question }];
    // A long answer must leave space for the conversation.
    const answerTokens = Math.min(this.#options.maxNewTokens, Math.floor(maxLength / 4));
    const { messages, prompt, dropped } = fitConversation([...system, ...conversation], answerTokens, this.#answerer);
    this.forgot ||= dropped > 0 && holdsConversations;
    let content = "";
    const onPiece = (piece: string): void => {
      content += piece;
      onText(piece);
    };
    try {
      await this.#answerer.answer(name, [prompt], { ...this.#options, onText: onPiece, signal });
    } finally {
      if (content !== "") this.#histories.set(name, [...messages.slice(system.length), { role: "assistant", content }]);
    }
  }
}
