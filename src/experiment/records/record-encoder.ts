import { type Canary, recordsOf } from "../../data/canaries.ts";
import type { Example } from "../../data/example.ts";
import { encodePairs, type PairExample } from "../../data/items/pair.ts";
import { itemKind, type TrainingItem } from "../../data/items/registry.ts";
import type { AnswerContent, DataRecord } from "../../data/record.ts";
import type { Template } from "../../data/template.ts";
import type { Tokenizer } from "../../data/tokenizer.ts";
import { encodeRecords, type EncodeReport } from "../../data/tokens.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import type { Objective } from "../../train/objective.ts";

/** Records nobody trains on. */
export interface HeldOut {
  readonly items: readonly TrainingItem[];
  /** Records for KTO that came as pairs, as pairs: preference accuracy compares pairs. */
  readonly pairs: readonly PairExample[];
  /** Records whose answer is one of `evaluation.labels`, with each label as the answer. */
  readonly choices: readonly Choice[];
}

/** One record to classify. */
export interface Choice {
  /** Index of the right label. */
  readonly truth: number;
  /** The record answered with each label in turn. */
  readonly options: readonly Example[];
}

export interface RecordEncoder {
  /** Items to train on. `whose` names the records in an error. */
  readonly items: (
    records: readonly DataRecord[],
    whose: string,
  ) => { readonly examples: readonly TrainingItem[]; readonly report: EncodeReport };
  readonly heldOut: (records: readonly DataRecord[], whose: string) => HeldOut;
  /** @throws UserError of kind `config` for a canary of the client that is cut: its secret stands at its end. */
  readonly checkCanaries: (canaries: readonly Canary[], client: string) => void;
}

export interface RecordEncoderOptions {
  readonly config: Pick<ExperimentConfig, "data" | "evaluation" | "fidelity">;
  readonly objective: Pick<Objective, "items">;
  readonly template: Template;
  readonly tokenizer: Tokenizer;
}

/** Turns records into items of the kind that the objective learns from. @throws UserError("data") where none is left. */
export function recordEncoder({ config, objective, template, tokenizer }: RecordEncoderOptions): RecordEncoder {
  const { maxLength } = config.data;
  const { labels } = config.evaluation;
  const kind = itemKind(objective.items);
  const options = { ...config.data, fidelity: config.fidelity === "original" ? config.fidelity : undefined };
  const encoded = (records: readonly DataRecord[]) => kind.encode(records, template, tokenizer, options);
  const items: RecordEncoder["items"] = (records, whose) => {
    const result = encoded(records);
    if (result.examples.length > 0 || records.length === 0) return result;
    const what = `${whose}: none of ${records.length} records can be learnt from within data.maxLength (${maxLength} tokens)`;
    throw new UserError("data", what, { hint: "Raise data.maxLength, or leave these records out." });
  };
  const pairsOf = (records: readonly DataRecord[]): readonly PairExample[] => {
    const preferences = records.filter(({ content }) => content.kind === "preference");
    return encodePairs(preferences, template, tokenizer, options).examples;
  };
  const answersOf = (records: readonly DataRecord[]): readonly Example[] =>
    encodeRecords(records, template, tokenizer, config.data).examples;
  return {
    items,
    heldOut: (records, whose) => ({
      items: items(records, whose).examples,
      pairs: kind.comparesHeldOutPairs ? pairsOf(records) : [],
      choices: labels === undefined ? [] : choicesOf(records, labels, answersOf),
    }),
    checkCanaries(canaries, client) {
      for (const canary of canaries) {
        if (canary.client !== client) continue;
        const { truncated, dropped } = encoded(recordsOf({ ...canary, copies: 1 })).report;
        if (truncated + dropped === 0) continue;
        throw new UserError(
          "config",
          `a canary of client ${client} is longer than data.maxLength (${maxLength} tokens)`,
          { hint: "Raise data.maxLength, or leave data.canaries out." },
        );
      }
    },
  };
}

/** The records whose answer is one of the labels, each answered with every label. */
function choicesOf(
  records: readonly DataRecord[],
  labels: readonly string[],
  encode: (records: readonly DataRecord[]) => readonly Example[],
): Choice[] {
  return records.flatMap((record) => {
    const { content } = record;
    if (content.kind !== "completion" && content.kind !== "instruction") return [];
    const withAnswer = (label: string): AnswerContent =>
      content.kind === "completion" ? { ...content, completion: label } : { ...content, response: label };
    const truth = labels.indexOf((content.kind === "completion" ? content.completion : content.response).trim());
    if (truth === -1) return [];
    const answered = labels.map((label) => ({ ...record, content: withAnswer(label) }));
    const options = encode(answered);
    // Cut to the window, some label may have lost its tokens: such a record says nothing.
    return options.length === labels.length ? [{ truth, options }] : [];
  });
}
