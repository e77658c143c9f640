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
  /** What was said before the last question, and that question. */
  #last: { readonly question: string; readonly before: ReadonlyMap<string, readonly Message[]> } | undefined;
  /** How often the last question was asked again. */
  #again = 0;

  constructor(answerer: Answerer, system: string | undefined, options: ChatOptions) {
    this.#answerer = answerer;
    this.#options = options;
    this.system = system;
  }

  reset(): void {
    this.#histories.clear();
    this.#last = undefined;
    this.forgot = false;
  }

  /** What was said with each model, without the system message. */
  get conversations(): ReadonlyMap<string, readonly Message[]> {
    return this.#histories;
  }

  /** Begins a turn: a question to every model. */
  begin(question: string): void {
    this.#last = { question, before: new Map(this.#histories) };
    this.#again = 0;
  }

  /** Takes the last turn back and begins it anew, with other draws. Undefined where nothing was asked. */
  beginAgain(): string | undefined {
    if (this.#last === undefined) return undefined;
    this.#histories.clear();
    for (const [name, messages] of this.#last.before) this.#histories.set(name, messages);
    this.#again++;
    return this.#last.question;
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
      const seed = this.#options.seed + this.#again;
      await this.#answerer.answer(name, [prompt], { ...this.#options, seed, onText: onPiece, signal });
    } finally {
      if (content !== "") this.#histories.set(name, [...messages.slice(system.length), { role: "assistant", content }]);
    }
  }
}
