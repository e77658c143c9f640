import { encodeAll } from "../../data/encoding/encode-all.ts";
import { type Encoded, jobOf, openEncoder } from "../../data/encoding/encoder.ts";
import type { ItemOptions } from "../../data/items/item-kind.ts";
import type { ItemKindName } from "../../data/items/registry.ts";
import type { DataRecord } from "../../data/record.ts";
import type { TemplateName } from "../../data/template.ts";
import type { Tokenizer } from "../../data/tokenizer.ts";
import { tokenizerDefinition } from "../../decode/base-tokenizer.ts";
import type { BaseModel } from "../../model/base-model.ts";
import type { Platform } from "../ports.ts";

export interface EncodingOptions {
  readonly model: BaseModel;
  /** The model's, opened. */
  readonly tokenizer: Tokenizer;
  readonly template: TemplateName;
  /** Number of all records that will be encoded. */
  readonly records: number;
  /** Called with the number of records that are new since the last call. */
  readonly onDone?: ((records: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Turns records into tokens with the help of a platform, while this thread stays free for other work. */
export interface Encoding {
  /** Makes items of a kind. @throws UserError("data") for a record that does not fit, and the signal's reason. */
  readonly encode: (
    kind: ItemKindName,
    records: readonly DataRecord[],
    options: ItemOptions,
    quiet?: "quiet",
  ) => Promise<Encoded>;
  readonly close: () => Promise<void>;
}

export function openEncoding(platform: Platform, options: EncodingOptions): Encoding {
  const { model, tokenizer, template, records, onDone, signal } = options;
  const setup = { definition: tokenizerDefinition(model), rows: model.modelConfig.vocabSize, template };
  const help = platform.openEncodingHelp?.(setup, records);
  const encode = openEncoder(setup, tokenizer);
  return {
    encode: (kind, some, how, quiet) =>
      encodeAll(jobOf(kind, some, how), {
        encode,
        pool: help?.pool,
        kept: help?.kept,
        onDone: quiet === undefined ? onDone : undefined,
        signal,
      }),
    close: async () => help?.close(),
  };
}
