import type { BestAdapter } from "../experiment/results/summary.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { experimentSchema } from "../settings/schema.ts";

/** The scores of one adapter on one held-out set. */
export interface StoredScore {
  readonly records: number | undefined;
  /** The loss is a mean over this many supervised tokens or records. */
  readonly count: number | undefined;
  /** `loss` in nats per token, and other metrics such as accuracy, macroF1 and margin. */
  readonly values: ReadonlyMap<string, number>;
}

/** Scores by held-out set: a client's name, or `common`. */
export type StoredScores = ReadonlyMap<string, StoredScore>;

/** A client's part in a round. */
export interface StoredClient {
  /** Mean training loss; NaN where it was not finite, undefined where the client kept it. */
  readonly loss: number | undefined;
  readonly steps: number;
  /** Records trained on, repeats counted. */
  readonly examples: number;
  readonly supervisedTokens: number;
  readonly bytesDown: number;
  readonly bytesUp: number;
  /** The bytes by kind, and in float32; undefined where all travelled as it is. */
  readonly ledger: StoredLedger | undefined;
  readonly seconds: number;
}

/** Bytes by kind (`ByteLedger`). */
export type StoredLedger = ReadonlyMap<string, number>;

/** Scores of an adapter on a benchmark. */
export interface StoredBenchmark {
  readonly benchmark: string;
  /** The client whose own adapter was asked. */
  readonly client: string | undefined;
  readonly questions: number;
  readonly metrics: ReadonlyMap<string, number>;
}

export interface StoredAnswer {
  readonly prompt: string;
  readonly before: string;
  readonly after: string;
}

export interface StoredRound {
  readonly round: number;
  readonly learningRate: number;
  /** Mean training loss of the accepted clients; undefined before the round's end, and where the clients kept theirs. */
  readonly loss: number | undefined;
  /** Wall time of training, without evaluations. */
  readonly seconds: number;
  readonly bytesDown: number;
  readonly bytesUp: number;
  /** The sum of its clients' ledgers; undefined where there is none. */
  readonly ledger: StoredLedger | undefined;
  /** By client, those that sent an update. */
  readonly clients: ReadonlyMap<string, StoredClient>;
  /** The reason for each client whose update does not enter the round. */
  readonly refused: ReadonlyMap<string, string>;
  readonly benchmarks: readonly StoredBenchmark[];
  /** The global adapter's scores. */
  readonly heldOut: StoredScores;
  /** The scores of each client's own adapter, if clients have one. */
  readonly personal: ReadonlyMap<string, StoredScores>;
  /** The reasons for scores that sites did not give, by set. */
  readonly withheld: ReadonlyMap<string, string>;
}

/** A run, read from its folder. */
export interface StoredRun {
  /** Name of the folder. */
  readonly name: string;
  readonly folder: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** SHA-256 of its examples. */
  readonly data: string;
  /** sha256 of its base model. */
  readonly model: string;
  /** The files of one's own whose code it ran, as stored; undefined where it ran none. */
  readonly plugins: unknown;
  /** False without a `metrics.json`: its progress is then unknown. */
  readonly measured: boolean;
  /** True if it has ended. */
  readonly finished: boolean;
  /** True if it ended before its planned rounds. */
  readonly stoppedEarly: boolean;
  /** The rounds that it was to have before it was lengthened, first to last. */
  readonly lengths: readonly number[];
  /** The best evaluated round, if the run kept one. */
  readonly best: { readonly metric: string; readonly round: number; readonly value: number } | undefined;
  /** The records that chose the best round, or every client's; undefined where nothing was chosen. */
  readonly chosenOn: BestAdapter["chosenOn"] | undefined;
  /** sha256 of the adapter that it started from; undefined for a fresh one. */
  readonly start: string | undefined;
  /** Scores of the base alone by held-out set, where the run started from an adapter; empty otherwise. */
  readonly baseScores: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** sha256 of the final common adapter; undefined for an unfinished run. */
  readonly adapter: string | undefined;
  /** Answers to the run's prompts. */
  readonly answers: readonly StoredAnswer[];
  /** Wall time of rounds and evaluations. */
  readonly totalSeconds: number;
  /** The rounds in order; round 0 is the base. Empty for a run without measurements. */
  readonly rounds: readonly StoredRound[];
}

/** True for a round that was closed. */
export function isOver({ loss, seconds }: StoredRound): boolean {
  return loss !== undefined || seconds > 0;
}

/** The last round that is over; 0 before the first one is. */
export function roundsDone({ rounds }: StoredRun): number {
  return rounds.findLast(isOver)?.round ?? 0;
}

/** The planned number of rounds. */
export function plannedRounds({ config }: StoredRun): number | undefined {
  return finite(mapping(config["federation"])?.["rounds"]);
}

/**
 * Reads the content of a run folder's `config.json` and `metrics.json`. Values that an older version did not measure are absent.
 *
 * @throws UserError of kind `storage` for documents that no run has written.
 */
export function storedRun(folder: string, name: string, configJson: unknown, metricsJson?: unknown): StoredRun {
  const stored = mapping(configJson);
  const config = mapping(stored?.["config"]);
  if (stored === undefined || config === undefined) throw damaged(folder, "config.json", "it holds no configuration");
  const metrics = metricsJson === undefined ? { rounds: [] } : mapping(metricsJson);
  const summary = mapping(metrics?.["summary"]);
  const rounds = metrics?.["rounds"];
  if (!Array.isArray(rounds)) throw damaged(folder, "metrics.json", "it holds no list of rounds");
  return {
    name,
    folder,
    // A setting that is newer than the run has its default.
    config: withDefaults(config, DEFAULTS),
    seed: finite(config["seed"]) ?? 0,
    data: String(stored["data"]),
    model: String(stored["model"]),
    plugins: stored["plugins"],
    measured: metricsJson !== undefined,
    finished: summary !== undefined,
    stoppedEarly: summary?.["plannedRounds"] !== undefined,
    lengths: Array.isArray(stored["lengths"]) ? stored["lengths"].flatMap((each) => finite(each) ?? []) : [],
    best: storedBest(mapping(metrics?.["best"])),
    chosenOn: chosenOn([metrics?.["best"], ...entries(metrics?.["clientBests"]).map(([, best]) => best)]),
    start: typeof stored["adapter"] === "string" ? stored["adapter"] : undefined,
    baseScores: storedBase(list(summary?.["baseScores"])),
    adapter: typeof summary?.["adapter"] === "string" ? summary["adapter"] : undefined,
    answers: list(summary?.["answers"]).map((answer) => ({
      prompt: String(answer["prompt"]),
      before: String(answer["before"]),
      after: String(answer["after"]),
    })),
    totalSeconds: finite(mapping(metrics?.["totals"])?.["seconds"]) ?? Number.NaN,
    rounds: rounds.map((round) => storedRound(round, folder)).sort((a, b) => a.round - b.round),
  };
}

function storedBase(scores: readonly Readonly<Record<string, unknown>>[]): StoredRun["baseScores"] {
  return new Map(
    scores.map(({ set, loss, metrics }) => {
      return [String(set), numbers({ loss, ...mapping(metrics) })];
    }),
  );
}

/** The settings of a configuration that names a model only. */
export const DEFAULTS: Readonly<Record<string, unknown>> = experimentSchema().parse({ model: { base: "-" }, data: {} });

function withDefaults(
  config: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const complete = { ...defaults, ...config };
  for (const [key, value] of Object.entries(config)) {
    const [section, fallback] = [mapping(value), mapping(defaults[key])];
    if (section !== undefined && fallback !== undefined) complete[key] = withDefaults(section, fallback);
  }
  return complete;
}

function storedRound(value: unknown, folder: string): StoredRound {
  const stored = mapping(value);
  const round = finite(stored?.["round"]);
  if (stored === undefined || round === undefined) throw damaged(folder, "metrics.json", "a round has no number");
  const clients = new Map(entries(stored["clients"]).map(([name, client]) => [name, storedClient(mapping(client))]));
  const sum = (key: "bytesDown" | "bytesUp"): number =>
    [...clients.values()].reduce((total, client) => total + client[key], 0);
  return {
    round,
    learningRate: finite(stored["learningRate"]) ?? Number.NaN,
    loss: stored["loss"] === undefined ? undefined : (finite(stored["loss"]) ?? Number.NaN),
    clients,
    refused: new Map(entries(stored["refused"]).map(([client, reason]) => [client, String(reason)])),
    benchmarks: list(stored["benchmarks"]).map((score) => ({
      benchmark: String(score["benchmark"]),
      client: typeof score["client"] === "string" ? score["client"] : undefined,
      questions: finite(score["questions"]) ?? Number.NaN,
      metrics: numbers(score["metrics"]),
    })),
    seconds: finite(stored["seconds"]) ?? 0,
    bytesDown: sum("bytesDown"),
    bytesUp: sum("bytesUp"),
    ledger: ledgerSum([...clients.values()]),
    heldOut: scores(stored["heldOut"]),
    personal: new Map(entries(stored["personal"]).map(([client, sets]) => [client, scores(sets)])),
    withheld: new Map(
      entries(stored["withheld"]).flatMap(([set, why]) => (typeof why === "string" ? [[set, why]] : [])),
    ),
  };
}

/** Adds up the ledgers of rounds or clients; undefined where there is none. */
export function ledgerSum(parts: readonly { readonly ledger: StoredLedger | undefined }[]): StoredLedger | undefined {
  const ledgers = parts.flatMap(({ ledger }) => ledger ?? []);
  const kinds = new Set(ledgers.flatMap((ledger) => [...ledger.keys()]));
  const sum = (kind: string): number => ledgers.reduce((total, ledger) => total + (ledger.get(kind) ?? 0), 0);
  return ledgers.length === 0 ? undefined : new Map(Array.from(kinds, (kind) => [kind, sum(kind)]));
}

function storedClient(stored: Readonly<Record<string, unknown>> = {}): StoredClient {
  const number = (key: string): number => finite(stored[key]) ?? 0;
  return {
    loss: stored["loss"] === undefined ? undefined : (finite(stored["loss"]) ?? Number.NaN),
    steps: number("steps"),
    examples: number("examples"),
    supervisedTokens: number("supervisedTokens"),
    bytesDown: number("bytesDown"),
    bytesUp: number("bytesUp"),
    ledger: mapping(stored["ledger"]) && numbers(stored["ledger"]),
    seconds: number("seconds"),
  };
}

function storedBest(stored: Readonly<Record<string, unknown>> | undefined): StoredRun["best"] {
  const [metric, round, value] = [stored?.["metric"], finite(stored?.["round"]), finite(stored?.["value"])];
  if (typeof metric !== "string" || round === undefined || value === undefined) return undefined;
  return { metric, round, value };
}

function chosenOn(bests: readonly unknown[]): StoredRun["chosenOn"] {
  const chosen = bests.map(mapping).filter((best) => best !== undefined);
  if (chosen.length === 0) return undefined;
  return chosen.every((each) => each["chosenOn"] === "validation") ? "validation" : "reported";
}

function scores(value: unknown): StoredScores {
  return new Map(entries(value).map(([set, score]) => [set, storedScore(mapping(score) ?? {})]));
}

function storedScore({ loss, records, count, metrics }: Readonly<Record<string, unknown>>): StoredScore {
  return {
    records: finite(records),
    count: finite(count),
    values: numbers({ loss, ...mapping(metrics) }),
  };
}

/** Numbers by name. JSON has no NaN and writes null. */
function numbers(value: unknown): Map<string, number> {
  return new Map(entries(value).flatMap(([name, of]) => (of === undefined ? [] : [[name, finite(of) ?? Number.NaN]])));
}

function list(value: unknown): Readonly<Record<string, unknown>>[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [];
  return all.map(mapping).filter((entry) => entry !== undefined);
}

function damaged(folder: string, file: string, what: string): UserError {
  return new UserError("storage", `${file} of ${folder} is damaged: ${what}`, {
    hint: "Put the file back from a copy, or leave this run out.",
  });
}

function mapping(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function entries(value: unknown): [string, unknown][] {
  return Object.entries(mapping(value) ?? {});
}

function finite(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
