import type { Span } from "./token-spans.ts";

export interface TemplateOptions {
  /**
   * Where an instruction's input goes: `section` (default) sets it apart, as Alpaca's "### Input:" does; `joined` is
   * OpenFedLLM's `instruction + " " + input`.
   */
  readonly inputs?: "section" | "joined" | undefined;
  /** A system message for conversations that have none (`chat`), or instead of Vicuna's (`vicuna`). */
  readonly system?: string | undefined;
}

/** What a template needs to know of the model. */
export interface TemplateContext extends TemplateOptions {
  readonly bosToken?: string | undefined;
  readonly eosToken?: string | undefined;
  /** Jinja source, for `chat`. */
  readonly chatTemplate?: string | undefined;
  /** Which of the assistant's turns are learnt: `every` (default), or only the `last`. */
  readonly answers?: "every" | "last" | undefined;
}

/** A record as the model will see it. */
export interface RenderedRecord {
  readonly text: string;
  /** What is to be learnt, ascending: each turn of the assistant (or the last) from where the generation prompt ends. */
  readonly spans: readonly Span[];
}
