import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import type { Canary } from "../data/canaries.ts";
import { itemKind, type TrainingItem } from "../data/items/registry.ts";
import { TEMPLATES, type Template } from "../data/template.ts";
import type { EncodeReport } from "../data/tokens.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { openTokenizer } from "../decode/base-tokenizer.ts";
import { loraShape } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { LoraShape } from "../model/lora.ts";
import { notedCombinations } from "../settings/combinations.ts";
import { inertSettings } from "../settings/inert-settings.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { OnCount } from "../concurrency/counted-work.ts";
import type { Objective } from "../train/objective.ts";
import { objectiveOf } from "../train/objective-registry.ts";
import { choosesOnValidation } from "./evaluation/best-round.ts";
import { loadRunBenchmarks, type RunBenchmark } from "./evaluation/benchmarks.ts";
import { attackedRecords, hostileClients, refuseAttack } from "./records/attack.ts";
import { canaryCounts, plantCanaries } from "./records/canaries.ts";
import { checkFit, checkLabels, checkPrompts } from "./check-experiment.ts";
import { loadClientRecords, loadCommonRecords, loadRootRecords } from "./records/client-records.ts";
import type { Platform } from "./ports.ts";
import { modelFingerprint } from "./fingerprint.ts";
import { checkRecordPrivacy } from "./round-steps.ts";
import { openStartingAdapter, type StartingAdapter } from "./starting-adapter.ts";
import { openEncoding } from "./records/encoding.ts";
import { type HeldOut, recordEncoder } from "./records/record-encoder.ts";

export interface PreparedClient {
  readonly name: string;
  readonly train: readonly TrainingItem[];
  readonly heldOut: HeldOut;
  /** The validation part of its held-out set; empty where it chooses nothing. */
  readonly validation: HeldOut;
  /** Counts of training records: used, cut, dropped. */
  readonly report: EncodeReport;
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
  /** The adapter of `model.adapter`. A participant gets it from the coordinator. */
  readonly start?: StartingAdapter | undefined;
  readonly objective: Objective;
  readonly clients: readonly PreparedClient[];
  readonly trainers: readonly Trainer[];
  readonly algorithm: Algorithm;
  /** The common held-out set; empty where none is configured. */
  readonly common: HeldOut;
  /** The validation part of the common held-out set; empty where it chooses nothing. */
  readonly commonValidation: HeldOut;
  readonly benchmarks: readonly RunBenchmark[];
  /** The items that the coordinator trains on itself; empty where none are configured, and for a participant. */
  readonly root: readonly TrainingItem[];
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
  /** One line about the next work. */
  readonly onProgress?: (message: string) => void;
  /** Work of which the amount is known. */
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A sentence a person should know, such as how many rows of a dataset are left out. */
  readonly onNote?: (message: string) => void;
}

/** @throws UserError of kind `config`, `model` or `data` for anything a run could not work with. */
export async function prepareExperiment(
  config: ExperimentConfig,
  platform: Platform,
  { part = { role: "simulation" }, onProgress, onCount, onNote, signal }: PrepareOptions = {},
): Promise<Prepared> {
  const algorithm = algorithmOf(config.federation.algorithm, config.federation, config.fidelity);
  // A client's own adapter is scored on the common set and asked benchmarks where it is: with the client.
  const scoresAll = part.role !== "participant" || algorithm.ownAdapter !== undefined;
  // Opening a base may take minutes; a mistake in the data shows before.
  for (const note of [...inertSettings(config), ...notedCombinations(config)]) onNote?.(`note: ${note}`);
  onProgress?.("reading data");
  const only = { simulation: undefined, coordinator: [], participant: part.role === "participant" ? part.clients : [] };
  const own = await loadClientRecords(config, platform.files, onNote, only[part.role]);
  if (part.role !== "simulation") refuseAttack(config);
  const { clients: records, canaries } = plantCanaries(config, attackedRecords(config, own));
  for (const { client, canaries: planted, copies } of canaryCounts(canaries)) {
    onNote?.(`note: ${planted} canaries, ${copies} copies in all, are added to the records of client ${client}`);
  }
  const hostile = hostileClients(
    config,
    own.map(({ name }) => name),
  );
  if (hostile.size > 0) onNote?.(`note: ${config.data.attack!.name}: hostile clients are ${[...hostile].join(", ")}`);
  const rootRecords = part.role === "participant" ? [] : await loadRootRecords(config, platform.files, onNote);
  const trainedOn = [...records, { name: "data.root", train: rootRecords }];
  const commonRecords = scoresAll
    ? await loadCommonRecords(config, platform.files, trainedOn, onNote)
    : { heldOut: [], validation: [] };
  // Whoever leads a federation says whether a best round is chosen; its members have to be able to.
  const chooses = part.role === "participant" || choosesOnValidation(config);
  const benchmarks = scoresAll ? await loadRunBenchmarks(config, platform.files, onProgress) : [];
  onProgress?.(`opening ${config.model.base}`);
  const model = await platform.openModel(config.model.base);
  checkFit(config, model);
  const tokenizer = openTokenizer(model);
  const template = TEMPLATES[config.data.template];
  checkPrompts(config, template, tokenizer);
  const lora = loraShape(config.adapter, model.modelConfig);
  const start = part.role === "participant" ? undefined : await openStartingAdapter(config, platform, model);
  if (start?.baseHash !== undefined && start.baseHash !== (await modelFingerprint({ model }))) {
    onNote?.(`note: the adapter ${config.model.adapter} was trained on another base than ${config.model.base}`);
  }
  const objective = objectiveOf(config.objective.name, config.objective);
  onProgress?.("tokenising");
  const kind = itemKind(objective.items);
  const setsOf = ({ heldOut, validation }: typeof commonRecords) => (chooses ? [heldOut, validation] : [heldOut]);
  const all = [...records.flatMap((client) => [client.train, ...setsOf(client)]), ...setsOf(commonRecords)];
  const sets = [...all, rootRecords];
  const of = sets.reduce((sum, some) => sum + kind.countUnits(some), 0);
  let done = 0;
  const onDone = (more: number): void => {
    done += more;
    onCount?.({ what: "tokenising", unit: "records", done, of });
  };
  const encoding = openEncoding(platform, {
    model,
    tokenizer,
    template: config.data.template,
    records: of,
    onDone,
    signal,
  });
  const clients: PreparedClient[] = [];
  let [common, commonValidation]: HeldOut[] = [];
  let root: readonly TrainingItem[] = [];
  try {
    const encoder = recordEncoder({ config, objective, encoding });
    const encoded = async (
      { heldOut, validation }: typeof commonRecords,
      whose: string,
    ): Promise<[HeldOut, HeldOut]> => [
      await encoder.heldOut(heldOut, whose),
      await encoder.heldOut(chooses ? validation : [], `${whose} (validation part)`),
    ];
    for (const client of records) {
      const { name, train } = client;
      const { examples, report } = await encoder.items(train, `client ${name}`);
      await encoder.checkCanaries(canaries, name);
      const [heldOut, validation] = await encoded(client, `client ${name}, held out`);
      clients.push({ name, train: examples, heldOut, validation, report });
    }
    [common, commonValidation] = await encoded(commonRecords, "data.heldOut");
    if (rootRecords.length > 0) root = (await encoder.items(rootRecords, "data.root")).examples;
  } finally {
    await encoding.close();
  }
  const note = lastOnlyNote(clients);
  if (note !== undefined) onNote?.(note);
  if (part.role === "simulation") checkLabels(config, [common, ...clients.map(({ heldOut }) => heldOut)]);
  const trainers = trainersOf(algorithm, clients);
  checkRecordPrivacy({ config, trainers, objective });
  return {
    config,
    model,
    tokenizer,
    template,
    lora,
    start,
    objective,
    clients,
    trainers,
    algorithm,
    common,
    commonValidation,
    benchmarks,
    root,
    canaries,
  };
}

/** A sentence on records that are learnt in part; undefined where there are none. */
function lastOnlyNote(clients: readonly PreparedClient[]): string | undefined {
  const total = (count: (report: EncodeReport) => number): number =>
    clients.reduce((sum, { report }) => sum + count(report), 0);
  const last = total(({ lastOnly = 0 }) => lastOnly);
  if (last === 0) return undefined;
  return `note: of ${last} of ${total(({ records }) => records)} training records only the last answer is learnt: the chat template does not show where their earlier answers lie`;
}

function trainersOf({ data }: Algorithm, clients: readonly PreparedClient[]): readonly Trainer[] {
  if (data === "pooled") return [pooled(clients)];
  return clients.map((client) => ({ name: client.name, train: client.train, clients: [client] }));
}

/** The client that holds all records, each with its owner's name. */
function pooled(clients: readonly PreparedClient[]): Trainer {
  const train = clients.flatMap(({ name, train: own }) => own.map((item) => ({ ...item, id: `${name}/${item.id}` })));
  return { name: "everyone", train, clients };
}
