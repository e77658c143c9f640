import type { Span } from "./token-spans.ts";

export interface TemplateOptions {
  /**
   * Place of an instruction's input: `section` (default) sets it apart, as Alpaca's "### Input:" does; `joined` is
   * OpenFedLLM's `instruction + " " + input`.
   */
  readonly inputs?: "section" | "joined" | undefined;
  /** A system message for conversations that have none (`chat`), or instead of Vicuna's (`vicuna`). */
  readonly system?: string | undefined;
}

/** The facts of the model that a template needs. */
export interface TemplateContext extends TemplateOptions {
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  /** Jinja source, for `chat`. */
  readonly chatTemplate?: string | undefined;
  /** Jinja source for conversations with tools, where the model has one of its own for them. */
  readonly toolTemplate?: string | undefined;
  /** The tokenizer's named special tokens as the chat template sees them: `bos_token`, `pad_token`, `image_token`, … */
  readonly specialTokens?: Readonly<Record<string, string>> | undefined;
  /** Names that the chat template sees beside the messages, such as `tools`. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  /** The assistant's turns that are learnt: `every` (default), or only the `last`. */
  readonly answers?: "every" | "last" | undefined;
}

/** The text of a record that the model sees. */
export interface RenderedRecord {
  readonly text: string;
  /** The parts to learn, ascending: each turn of the assistant (or the last), from the end of the generation prompt. */
  readonly spans: readonly Span[];
  /** The chat template does not tell where earlier answers lie, so the last one is learnt alone. */
  readonly lastOnly?: true;
}
