import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { type Canary, recordsOf } from "../data/canaries.ts";
import { describePartition } from "../data/partition.ts";
import type { AnswerContent, DataRecord } from "../data/record.ts";
import { TEMPLATES, type Template } from "../data/template.ts";
import { encodeMessages, encodeRecords, type EncodeReport } from "../data/tokens.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { openTokenizer } from "../decode/base-tokenizer.ts";
import { loraShape } from "../model/adapter.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { LoraShape } from "../model/lora.ts";
import type { Example } from "../data/example.ts";
import { encodePairs, type PairExample } from "../data/items/pair.ts";
import { itemKind, type TrainingItem } from "../data/items/registry.ts";
import type { Objective } from "../train/objective.ts";
import { objectiveOf } from "../train/objective-registry.ts";
import { canaryCounts, plantCanaries } from "./canaries.ts";
import { loadRunBenchmarks, type RunBenchmark } from "./benchmarks.ts";
import { loadClientRecords, loadCommonRecords } from "./client-records.ts";
import { inertSettings } from "../settings/inert-settings.ts";
import type { Platform } from "./ports.ts";
import type { ExperimentConfig } from "../settings/schema.ts";

export interface PreparedClient {
  readonly name: string;
  readonly train: readonly TrainingItem[];
  readonly heldOut: HeldOut;
  /** Counts of training records: used, cut, dropped. */
  readonly report: EncodeReport;
}

/** Records nobody trains on. */
export interface HeldOut {
  readonly items: readonly TrainingItem[];
  /** KTO's records as the pairs they came as, if they did: preference accuracy is a matter of pairs. */
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

/** A client of the federation that trains: a client of the configuration, or one that holds the records of all of them. */
export interface Trainer {
  readonly name: string;
  readonly train: readonly TrainingItem[];
  /** The clients whose records it holds. */
  readonly clients: readonly PreparedClient[];
}

/** A configuration with everything it names opened, read and tokenised, as far as it belongs to this process's part. */
export interface Prepared {
  readonly config: ExperimentConfig;
  readonly model: BaseModel;
  readonly tokenizer: Tokenizer;
  readonly template: Template;
  readonly lora: LoraShape;
  readonly objective: Objective;
  readonly clients: readonly PreparedClient[];
  readonly trainers: readonly Trainer[];
  readonly algorithm: Algorithm;
  /** The common held-out set; empty where none is configured. */
  readonly common: HeldOut;
  readonly benchmarks: readonly RunBenchmark[];
  /** Secrets planted in the clients' training records; their copies are the last of these. */
  readonly canaries: readonly Canary[];
}

/** The part of a run that a process plays. The files of the other parts are not read. */
export type Part =
  /** Both halves of all clients, in one process. */
  | { readonly role: "simulation" }
  /** Reads no client's records, but the common held-out set. */
  | { readonly role: "coordinator" }
  | { readonly role: "participant"; readonly clients: readonly string[] };

export interface PrepareOptions {
  /** Default: all of it. */
  readonly part?: Part;
  /** One line about what is being done, before it is done. */
  readonly onProgress?: (message: string) => void;
  /** A sentence a person should know, such as how many rows of a dataset are left out. */
  readonly onNote?: (message: string) => void;
}

/** @throws UserError of kind `config`, `model` or `data` for anything a run could not work with. */
export async function prepareExperiment(
  config: ExperimentConfig,
  platform: Platform,
  { part = { role: "simulation" }, onProgress, onNote }: PrepareOptions = {},
): Promise<Prepared> {
  const algorithm = algorithmOf(config.federation.algorithm, config.federation, config.fidelity);
  // A client's own adapter is scored on the common set and asked benchmarks where it is: with the client.
  const scoresAll = part.role !== "participant" || algorithm.ownAdapter !== undefined;
  // Opening a base may take minutes; a mistake in the data shows before.
  for (const note of inertSettings(config)) onNote?.(`note: ${note}`);
  onProgress?.("reading data");
  const only = { simulation: undefined, coordinator: [], participant: part.role === "participant" ? part.clients : [] };
  const own = await loadClientRecords(config, platform.files, onNote, only[part.role]);
  const { clients: records, canaries } = plantCanaries(config, own);
  for (const { client, canaries: planted, copies } of canaryCounts(canaries)) {
    onNote?.(`note: ${planted} canaries, ${copies} copies in all, are added to the records of client ${client}`);
  }
  const commonRecords = scoresAll ? await loadCommonRecords(config, platform.files, records, onNote) : [];
  const benchmarks = scoresAll ? await loadRunBenchmarks(config, platform.files, onProgress) : [];
  onProgress?.(`opening ${config.model.base}`);
  const model = await platform.openModel(config.model.base);
  const { maxLength } = config.data;
  if (maxLength > model.modelConfig.maxPositions) {
    throw new UserError(
      "config",
      `data.maxLength is ${maxLength}, but ${model.ref} has ${model.modelConfig.maxPositions} positions`,
      { hint: `Lower data.maxLength to ${model.modelConfig.maxPositions} or less.` },
    );
  }
  const tokenizer = openTokenizer(model);
  const lora = loraShape(config.adapter, model.modelConfig);
  const widest = Math.max(model.modelConfig.hiddenSize, model.modelConfig.intermediateSize);
  const { rank } = config.adapter;
  if (rank > widest) {
    throw new UserError("config", `adapter.rank is ${rank}, expected at most ${widest}, the model's widest layer`, {
      hint: "The usual ranks are 4 to 64.",
    });
  }
  const template = TEMPLATES[config.data.template];
  const objective = objectiveOf(config.objective.name, config.objective);
  const encode = <T>(
    encoder: (list: readonly DataRecord[]) => { examples: T[]; report: EncodeReport },
    list: readonly DataRecord[],
    whose: string,
  ) => {
    const encoded = encoder(list);
    if (encoded.examples.length > 0 || list.length === 0) return encoded;
    const what = `${whose}: none of ${list.length} records can be learnt from within data.maxLength (${maxLength} tokens)`;
    throw new UserError("data", what, { hint: "Raise data.maxLength, or leave these records out." });
  };
  const answers = (list: readonly DataRecord[]) => encodeRecords(list, template, tokenizer, config.data);
  const kind = itemKind(objective.items);
  const itemOptions = { ...config.data, fidelity: config.fidelity === "original" ? config.fidelity : undefined };
  const items = (list: readonly DataRecord[]) => kind.encode(list, template, tokenizer, itemOptions);
  onProgress?.("tokenising");
  const { labels } = config.evaluation;
  const heldOutSet = (list: readonly DataRecord[], whose: string): HeldOut => ({
    items: encode(items, list, whose).examples,
    pairs: kind.comparesHeldOutPairs
      ? encodePairs(
          list.filter(({ content }) => content.kind === "preference"),
          template,
          tokenizer,
          itemOptions,
        ).examples
      : [],
    choices: labels === undefined ? [] : choicesOf(list, labels, (each) => answers(each).examples),
  });
  const clients = records.map(({ name, train, heldOut }): PreparedClient => {
    const { examples, report } = encode(items, train, `client ${name}`);
    checkFits(canaries, name, (list) => items(list).report, maxLength);
    return { name, train: examples, heldOut: heldOutSet(heldOut, `client ${name}, held out`), report };
  });
  const common = heldOutSet(commonRecords, "data.heldOut");
  if (
    labels !== undefined &&
    part.role === "simulation" &&
    [common, ...clients.map(({ heldOut }) => heldOut)].every((set) => set.choices.length === 0)
  ) {
    throw new UserError(
      "config",
      `no held-out record has one of evaluation.labels (${labels.join(", ")}) as its answer`,
      {
        hint: "Labels are whole answers, written as in the data. Leave evaluation.labels out where nothing is classified.",
      },
    );
  }
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
  const trainers =
    algorithm.data === "pooled"
      ? [pooled(clients)]
      : clients.map((client): Trainer => ({ name: client.name, train: client.train, clients: [client] }));
  return {
    config,
    model,
    tokenizer,
    template,
    lora,
    objective,
    clients,
    trainers,
    algorithm,
    common,
    benchmarks,
    canaries,
  };
}

/** A canary that is cut has lost its secret, which stands at its end. */
function checkFits(
  canaries: readonly Canary[],
  client: string,
  encode: (records: readonly DataRecord[]) => EncodeReport,
  maxLength: number,
): void {
  for (const canary of canaries) {
    if (canary.client !== client) continue;
    const { truncated, dropped } = encode(recordsOf({ ...canary, copies: 1 }));
    if (truncated + dropped === 0) continue;
    throw new UserError("config", `a canary of client ${client} is longer than data.maxLength (${maxLength} tokens)`, {
      hint: "Raise data.maxLength, or leave data.canaries out.",
    });
  }
}

/** The client that holds everybody's records, each known by whose it was. */
function pooled(clients: readonly PreparedClient[]): Trainer {
  const train = clients.flatMap(({ name, train: own }) => own.map((item) => ({ ...item, id: `${name}/${item.id}` })));
  return { name: "everyone", train, clients };
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
  onNote?: (message: string) => void,
): Promise<{ clients: ClientDescription[]; field: string | undefined }> {
  const clients = await loadClientRecords(config, files, onNote);
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
