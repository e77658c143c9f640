import type { ModelConfig } from "./config.ts";
import type { Weights } from "./weights.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** A base model, ready to be trained on. */
export interface BaseModel {
  /** The reference as it was given. */
  readonly ref: string;
  /** Its public name: the reference, or the name of a local folder without its path. */
  readonly name: string;
  /** Its commit, where it comes from the Hub. */
  readonly commit?: string;
  readonly modelConfig: ModelConfig;
  readonly weights: Weights;
  readonly tokenizerFiles: TokenizerFiles;
  /** Reads a file of the model's folder as it is (`config.json`); undefined where there is none of this name. */
  readonly sideFile: (name: string) => Promise<Uint8Array | undefined>;
}

/** Where transformers keeps the chat template for conversations with tools. */
export const TOOL_TEMPLATE = "additional_chat_templates/tool_use.jinja";

/** The files of a base model that define its tokenizer and chat template. */
export interface TokenizerFiles {
  /** `tokenizer.json` */
  readonly tokenizer: JsonObject;
  /** `tokenizer_config.json`; empty where there is none. */
  readonly config: JsonObject;
  /** `chat_template.jinja`; `tokenizer_config.json` may hold chat templates too. */
  readonly chatTemplate?: string;
  /** `additional_chat_templates/tool_use.jinja` */
  readonly toolTemplate?: string;
  /** `generation_config.json` */
  readonly generationConfig?: JsonObject;
}
