import { UserError } from "../diagnostics/user-error.ts";
import { describePartition } from "../data/partition.ts";
import type { DataRecord } from "../data/record.ts";
import { TEMPLATES, type Template } from "../data/template.ts";
import { encodeMessages, encodeRecords, type EncodeReport } from "../data/tokens.ts";
import { checkVocabulary, createTokenizer, type Tokenizer } from "../data/tokenizer.ts";
import { adapterScale, targetModules, type AdapterConfig } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ModelConfig } from "../model/config.ts";
import type { LoraShape } from "../model/language-model.ts";
import type { Example } from "../train/example.ts";
import { loadClientRecords, loadCommonRecords } from "./client-records.ts";
import type { Platform } from "./ports.ts";
import type { ExperimentConfig } from "./schema.ts";

export interface PreparedClient {
  readonly name: string;
  readonly train: readonly Example[];
  readonly heldOut: readonly Example[];
  /** What became of the training records. */
  readonly report: EncodeReport;
}

/** A configuration with everything it names opened, read and tokenised. */
export interface Prepared {
  readonly config: ExperimentConfig;
  readonly model: BaseModel;
  readonly tokenizer: Tokenizer;
  readonly template: Template;
  readonly lora: LoraShape;
  readonly clients: readonly PreparedClient[];
  /** The common held-out set; empty where none is configured. */
  readonly common: readonly Example[];
}

export interface PrepareOptions {
  /** One line about what is being done, before it is done. */
  readonly onProgress?: (message: string) => void;
  /** A sentence a person should know, such as how many rows of a dataset are left out. */
  readonly onNote?: (message: string) => void;
}

/** @throws UserError of kind `config`, `model` or `data` for anything a run could not work with. */
export async function prepareExperiment(
  config: ExperimentConfig,
  platform: Platform,
  { onProgress, onNote }: PrepareOptions = {},
): Promise<Prepared> {
  // Opening a base may take minutes; a mistake in the data shows before.
  onProgress?.("reading data");
  const records = await loadClientRecords(config, platform.files, onNote);
  const commonRecords = await loadCommonRecords(config, platform.files, records, onNote);
  onProgress?.(`opening ${config.model.base}`);
  const model = await platform.openModel(config.model.base);
  const { maxLength } = config.data;
  if (maxLength > model.config.maxPositions) {
    throw new UserError(
      "config",
      `data.maxLength is ${maxLength}, but ${model.ref} has ${model.config.maxPositions} positions`,
      { hint: `Lower data.maxLength to ${model.config.maxPositions} or less.` },
    );
  }
  const tokenizer = openTokenizer(model);
  const lora = loraShape(config.adapter, model.config);
  const widest = Math.max(model.config.hiddenSize, model.config.intermediateSize);
  if (lora.rank > widest) {
    throw new UserError(
      "config",
      `adapter.rank is ${lora.rank}, expected at most ${widest}, the model's widest layer`,
      {
        hint: "The usual ranks are 4 to 64.",
      },
    );
  }
  const template = TEMPLATES[config.data.template];
  const encode = (list: readonly DataRecord[], whose: string) => {
    const encoded = encodeRecords(list, template, tokenizer, config.data);
    if (encoded.examples.length > 0 || list.length === 0) return encoded;
    const what = `${whose}: none of ${list.length} records has an answer within data.maxLength (${maxLength} tokens)`;
    throw new UserError("data", what, { hint: "Raise data.maxLength, or leave these records out." });
  };
  onProgress?.("tokenising");
  const clients = records.map(({ name, train, heldOut }): PreparedClient => {
    const { examples, report } = encode(train, `client ${name}`);
    return { name, train: examples, heldOut: encode(heldOut, `client ${name}, held out`).examples, report };
  });
  const common = encode(commonRecords, "data.heldOut").examples;
  for (const prompt of config.evaluation.prompts) {
    const { length } = encodeMessages([{ role: "user", content: prompt }], template, tokenizer, config.data);
    if (length < config.data.maxLength - 1) continue;
    throw new UserError(
      "config",
      `a prompt of evaluation.prompts is ${length} tokens long, and with data.maxLength ${config.data.maxLength} no room is left for an answer`,
      {
        hint: "Shorten the prompt or raise data.maxLength.",
      },
    );
  }
  return { config, model, tokenizer, template, lora, clients, common };
}

/** The tokenizer of a base model, checked against its embedding. */
export function openTokenizer({ config, tokenizerFiles }: BaseModel): Tokenizer {
  const tokenizer = createTokenizer({
    ...tokenizerFiles,
    model: { bos_token_id: config.bosTokenId, eos_token_id: config.eosTokenIds },
  });
  checkVocabulary(tokenizer, config.vocabSize);
  return tokenizer;
}

/** The tokens that end an answer: those of config.json, generation_config.json and the tokenizer. */
export function stopTokens({ config, tokenizerFiles }: BaseModel, tokenizer: Tokenizer): ReadonlySet<number> {
  const listed = [tokenizerFiles.generationConfig?.["eos_token_id"]].flat().filter((id) => typeof id === "number");
  return new Set([...config.eosTokenIds, ...listed, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])]);
}

/** What a graph needs to know of an adapter. @throws UserError for a target that no module matches. */
export function loraShape(adapter: AdapterConfig, model: ModelConfig): LoraShape {
  const modules = new Set(targetModules(model, adapter.targets).map(({ name }) => name));
  return { rank: adapter.rank, scale: adapterScale(adapter), modules };
}

export interface ClientDescription {
  readonly name: string;
  readonly records: number;
  readonly heldOut: number;
  /** Training records by the field's value; empty without a field. */
  readonly labels: Readonly<Record<string, number>>;
}

/** Columns that usually hold what kind of record a row is, tried in order. */
const LABEL_COLUMNS = ["category", "topic", "label", "type", "subject", "domain", "source"];

/** Sizes and label mix of every client, without opening the model. */
export async function describeData(
  config: ExperimentConfig,
  { files }: Pick<Platform, "files">,
): Promise<{ clients: ClientDescription[]; field: string | undefined }> {
  const clients = await loadClientRecords(config, files);
  const all = clients.flatMap(({ train }) => train);
  const labelled = (column: string): boolean =>
    all.every(({ fields }) => ["string", "number", "boolean"].includes(typeof fields[column]) && fields[column] !== "");
  const field = config.data.partition.field ?? LABEL_COLUMNS.find(labelled);
  let start = 0;
  const shards = clients.map(({ name, train }) => ({ client: name, records: Int32Array.from(train, () => start++) }));
  const { labels, clients: counted } = describePartition(shards, all, field);
  return {
    field,
    clients: counted.map(({ client, records, counts }, i) => ({
      name: client,
      records,
      heldOut: clients[i]!.heldOut.length,
      labels: Object.fromEntries(labels.map((label, j) => [label, counts[j]!])),
    })),
  };
}
