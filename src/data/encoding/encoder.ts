import { type ItemKindName, itemKind, type TrainingItem } from "../items/registry.ts";
import type { ItemOptions } from "../items/item-kind.ts";
import type { DataRecord } from "../record.ts";
import { TEMPLATES, type TemplateName } from "../template.ts";
import { createTokenizer, type Tokenizer, type TokenizerDefinition, withinEmbedding } from "../tokenizer.ts";
import type { EncodeReport } from "../tokens.ts";

/** All that an encoder is made of. It can be sent to another thread. */
export interface EncoderSetup {
  readonly definition: TokenizerDefinition;
  /** Rows of the embedding. Default: as many as the tokenizer has tokens. */
  readonly rows?: number | undefined;
  readonly template: TemplateName;
}

/** Records to make items of one kind from. It can be sent to another thread. */
export interface EncodeJob {
  readonly kind: ItemKindName;
  readonly options: ItemOptions;
  /** What the kind's `units` made of the records: each can be encoded without the others. */
  readonly units: readonly unknown[];
}

/** Items in the order of their records, and their counts. */
export interface Encoded {
  readonly examples: readonly TrainingItem[];
  readonly report: EncodeReport;
}

/** Encodes a job. A pure function of the setup and the job. */
export type Encode = (job: EncodeJob) => Encoded;

/** Makes an encoder; `tokenizer`: the setup's, where it is open already. */
export function openEncoder(
  { definition, rows, template }: EncoderSetup,
  tokenizer: Tokenizer = openRows(definition, rows),
): Encode {
  return ({ kind, options, units }) => itemKind(kind).encodeUnits(units, TEMPLATES[template], tokenizer, options);
}

function openRows(definition: TokenizerDefinition, rows: number | undefined): Tokenizer {
  const tokenizer = createTokenizer(definition);
  return rows === undefined ? tokenizer : withinEmbedding(tokenizer, rows);
}

/** Makes the job for records. @throws UserError("data") for a record of another kind. */
export function jobOf(kind: ItemKindName, records: readonly DataRecord[], options: ItemOptions): EncodeJob {
  return { kind, options, units: itemKind(kind).units(records) };
}

/** Joins results in their order; counts add up. */
export function joined(parts: readonly Encoded[]): Encoded {
  const report: Record<string, number> = {};
  for (const part of parts) {
    for (const [key, count] of Object.entries(part.report) as [string, number][]) {
      report[key] = (report[key] ?? 0) + count;
    }
  }
  return { examples: parts.flatMap(({ examples }) => examples), report: report as unknown as EncodeReport };
}
