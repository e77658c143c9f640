import { type Canary, recordsOf } from "../../data/canaries.ts";
import type { Example } from "../../data/example.ts";
import type { ItemOptions } from "../../data/items/item-kind.ts";
import type { PairExample } from "../../data/items/pair.ts";
import { itemAs, itemKind, type TrainingItem } from "../../data/items/registry.ts";
import type { AnswerContent, DataRecord } from "../../data/record.ts";
import type { EncodeReport } from "../../data/tokens.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import type { Encoding } from "./encoding.ts";
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
  ) => Promise<{ readonly examples: readonly TrainingItem[]; readonly report: EncodeReport }>;
  readonly heldOut: (records: readonly DataRecord[], whose: string) => Promise<HeldOut>;
  /** @throws UserError of kind `config` for a canary of the client that is cut: its secret stands at its end. */
  readonly checkCanaries: (canaries: readonly Canary[], client: string) => Promise<void>;
}

export interface RecordEncoderOptions {
  readonly config: Pick<ExperimentConfig, "data" | "evaluation" | "fidelity">;
  readonly objective: Pick<Objective, "items">;
  readonly encoding: Encoding;
}

/** Turns records into items of the kind that the objective learns from. @throws UserError("data") where none is left. */
export function recordEncoder({ config, objective, encoding }: RecordEncoderOptions): RecordEncoder {
  const { maxLength } = config.data;
  const { labels } = config.evaluation;
  const kind = itemKind(objective.items);
  const options = {
    ...itemOptions(config.data),
    fidelity: config.fidelity === "original" ? config.fidelity : undefined,
  };
  const items: RecordEncoder["items"] = async (records, whose) => {
    const result = await encoding.encode(objective.items, records, options);
    if (result.examples.length > 0 || records.length === 0) return result;
    const what = `${whose}: none of ${records.length} records can be learnt from within data.maxLength (${maxLength} tokens)`;
    throw new UserError("data", what, { hint: "Raise data.maxLength, or leave these records out." });
  };
  const pairsOf = async (records: readonly DataRecord[]): Promise<readonly PairExample[]> => {
    const preferences = records.filter(({ content }) => content.kind === "preference");
    const { examples } = await encoding.encode("pair", preferences, options, "quiet");
    return examples.map((item) => itemAs("pair", item, "a held-out set"));
  };
  const answersOf = async (records: readonly DataRecord[]): Promise<readonly Example[]> => {
    const { examples } = await encoding.encode("example", records, itemOptions(config.data), "quiet");
    return examples.map((item) => itemAs("example", item, "a classification"));
  };
  return {
    items,
    heldOut: async (records, whose) => ({
      items: (await items(records, whose)).examples,
      pairs: kind.comparesHeldOutPairs ? await pairsOf(records) : [],
      choices: labels === undefined ? [] : await choicesOf(records, labels, answersOf),
    }),
    async checkCanaries(canaries, client) {
      for (const canary of canaries) {
        if (canary.client !== client) continue;
        const copy = recordsOf({ ...canary, copies: 1 });
        const { truncated, dropped } = (await encoding.encode(objective.items, copy, options, "quiet")).report;
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

/** The settings that tokens depend on. */
function itemOptions({ maxLength, maxPromptLength, inputs, system }: ExperimentConfig["data"]): ItemOptions {
  return { maxLength, maxPromptLength, inputs, system };
}

/** The records whose answer is one of the labels, each answered with every label. */
async function choicesOf(
  records: readonly DataRecord[],
  labels: readonly string[],
  encode: (records: readonly DataRecord[]) => Promise<readonly Example[]>,
): Promise<Choice[]> {
  const classified = records.flatMap((record) => {
    const { content } = record;
    if (content.kind !== "completion" && content.kind !== "instruction") return [];
    const withAnswer = (label: string): AnswerContent =>
      content.kind === "completion" ? { ...content, completion: label } : { ...content, response: label };
    const truth = labels.indexOf((content.kind === "completion" ? content.completion : content.response).trim());
    if (truth === -1) return [];
    return [{ truth, id: record.id, answered: labels.map((label) => ({ ...record, content: withAnswer(label) })) }];
  });
  const options = new Map<string, Example[]>();
  for (const example of await encode(classified.flatMap(({ answered }) => answered))) {
    const own = options.get(example.id);
    if (own === undefined) options.set(example.id, [example]);
    else own.push(example);
  }
  return classified.flatMap(({ truth, id }) => {
    const own = options.get(id) ?? [];
    // Cut to the window, some label may have lost its tokens: such a record says nothing.
    return own.length === labels.length ? [{ truth, options: own }] : [];
  });
}
