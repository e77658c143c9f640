import { UserError } from "../diagnostics/user-error.ts";
import { experimentSchema } from "../settings/schema.ts";

/** The scores of one adapter on one held-out set. */
export interface StoredScore {
  readonly records: number | undefined;
  /** `loss` in nats per token, and other metrics such as accuracy, macroF1 and margin. */
  readonly values: ReadonlyMap<string, number>;
}

/** Scores by held-out set: a client's name, or `common`. */
export type StoredScores = ReadonlyMap<string, StoredScore>;

export interface StoredRound {
  readonly round: number;
  /** Wall time of training, without evaluations. */
  readonly seconds: number;
  readonly bytesDown: number;
  readonly bytesUp: number;
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
  /** False without a `metrics.json`: its progress is then unknown. */
  readonly measured: boolean;
  /** True if it has ended. */
  readonly finished: boolean;
  /** True if it ended before its planned rounds. */
  readonly stoppedEarly: boolean;
  /** The best evaluated round, if the run kept one. */
  readonly best: { readonly metric: string; readonly round: number; readonly value: number } | undefined;
  /** Wall time of rounds and evaluations. */
  readonly totalSeconds: number;
  /** The rounds in order; round 0 is the base. Empty for a run without measurements. */
  readonly rounds: readonly StoredRound[];
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
    measured: metricsJson !== undefined,
    finished: summary !== undefined,
    stoppedEarly: summary?.["plannedRounds"] !== undefined,
    best: storedBest(mapping(metrics?.["best"])),
    totalSeconds: finite(mapping(metrics?.["totals"])?.["seconds"]) ?? Number.NaN,
    rounds: rounds.map((round) => storedRound(round, folder)).sort((a, b) => a.round - b.round),
  };
}

const DEFAULTS: Readonly<Record<string, unknown>> = experimentSchema.parse({ model: { base: "-" }, data: {} });

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
  const clients = entries(stored["clients"]).map(([, client]) => mapping(client));
  const sum = (key: string): number => clients.reduce((total, client) => total + (finite(client?.[key]) ?? 0), 0);
  return {
    round,
    seconds: finite(stored["seconds"]) ?? 0,
    bytesDown: sum("bytesDown"),
    bytesUp: sum("bytesUp"),
    heldOut: scores(stored["heldOut"]),
    personal: new Map(entries(stored["personal"]).map(([client, sets]) => [client, scores(sets)])),
    withheld: new Map(
      entries(stored["withheld"]).flatMap(([set, why]) => (typeof why === "string" ? [[set, why]] : [])),
    ),
  };
}

function storedBest(stored: Readonly<Record<string, unknown>> | undefined): StoredRun["best"] {
  const [metric, round, value] = [stored?.["metric"], finite(stored?.["round"]), finite(stored?.["value"])];
  if (typeof metric !== "string" || round === undefined || value === undefined) return undefined;
  return { metric, round, value };
}

function scores(value: unknown): StoredScores {
  return new Map(entries(value).map(([set, score]) => [set, storedScore(mapping(score) ?? {})]));
}

function storedScore({ loss, records, metrics }: Readonly<Record<string, unknown>>): StoredScore {
  const values = [["loss", loss] as const, ...entries(metrics)];
  return {
    records: finite(records),
    // JSON has no NaN and writes null.
    values: new Map(values.flatMap(([name, of]) => (of === undefined ? [] : [[name, finite(of) ?? Number.NaN]]))),
  };
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
