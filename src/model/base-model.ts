import type { ModelConfig } from "./config.ts";
import type { Weights } from "./weights.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** A base model, ready to be trained on. */
export interface BaseModel {
  /** The reference as it was given. */
  readonly ref: string;
  /** Its name for others: the reference, or the name of a local folder without the path to it. */
  readonly name: string;
  /** The commit it is of, where it comes from the Hub. */
  readonly commit?: string;
  readonly modelConfig: ModelConfig;
  readonly weights: Weights;
  readonly tokenizerFiles: TokenizerFiles;
}

/** What a tokenizer and a chat template are made from. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: JsonObject;
  /** `tokenizer_config.json`; empty where there is none. */
  readonly config: JsonObject;
  /** `chat_template.jinja`; `tokenizer_config.json` may hold a chat template too. */
  readonly chatTemplate?: string;
  /** `generation_config.json` */
  readonly generationConfig?: JsonObject;
}
