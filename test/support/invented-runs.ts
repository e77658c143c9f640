import { type StoredRun, storedRun } from "../../src/study/stored-run.ts";

type Scores = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

/** What was measured after one round: by set, a loss or `{ loss, accuracy, … }`. */
export interface InventedRound {
  readonly heldOut?: Scores;
  /** By client, what its own adapter scores. */
  readonly personal?: Readonly<Record<string, Scores>>;
  /** The reasons for scores that are not given, by set. */
  readonly withheld?: Readonly<Record<string, string>>;
}

export interface InventedRun {
  readonly name?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly data?: string;
  readonly model?: string;
  readonly finished?: boolean;
  /** Round 0 first. */
  readonly rounds: readonly InventedRound[];
  readonly plannedRounds?: number;
  /** The best round that was kept. */
  readonly best?: {
    readonly metric: string;
    readonly round: number;
    readonly value: number;
    readonly chosenOn?: string;
  };
  /** Whether fewer rounds than planned were all. */
  readonly stoppedEarly?: boolean;
}

/** What `config.json` and `metrics.json` of such a run hold. */
export function inventedFiles({
  settings = {},
  seed = 1,
  data = "data",
  model = "model",
  finished = true,
  rounds,
  plannedRounds = rounds.length - 1,
  best,
  stoppedEarly = false,
}: Omit<InventedRun, "name">): { config: unknown; metrics: unknown } {
  const { federation = {}, ...others } = settings as { federation?: object };
  const config = {
    model: { base: "model" },
    data: { clients: [{ name: "a", train: "a.jsonl" }] },
    federation: { algorithm: "fedavg", rounds: plannedRounds, ...federation },
    ...others,
    seed,
  };
  // A baseline sends nothing.
  const apart = "algorithm" in federation && ["local", "centralized"].includes(String(federation.algorithm));
  const bytes = apart ? { bytesDown: 0, bytesUp: 0 } : { bytesDown: 100, bytesUp: 200 };
  const scores = (of: Scores = {}) =>
    Object.fromEntries(
      Object.entries(of).map(([set, value]) => {
        const { loss, ...metrics } = typeof value === "number" ? { loss: value } : value;
        return [set, { loss, records: 8, supervisedTokens: 100, seconds: 1, metrics }];
      }),
    );
  const stored = rounds.map(({ heldOut, personal, withheld }, round) => ({
    round,
    learningRate: 1e-3,
    seconds: round === 0 ? 0 : 10 + seed,
    clients: round === 0 ? {} : { a: bytes, b: bytes },
    refused: {},
    heldOut: scores(heldOut),
    ...(withheld && { withheld }),
    ...(personal && {
      personal: Object.fromEntries(Object.entries(personal).map(([client, sets]) => [client, scores(sets)])),
    }),
  }));
  return {
    config: { config, data, model, threads: 1 },
    metrics: {
      rounds: stored,
      totals: { seconds: 60 },
      ...(best && { best }),
      ...(finished && { summary: { rounds: rounds.length - 1, ...(stoppedEarly && { plannedRounds }) } }),
    },
  };
}

export function inventedRun({ name = "run", ...run }: InventedRun): StoredRun {
  const { config, metrics } = inventedFiles(run);
  return storedRun(`runs/${name}`, name, config, metrics);
}

const BASE: InventedRound = {
  heldOut: { a: { loss: 4, accuracy: 0.2 }, b: { loss: 5, accuracy: 0.4 }, common: { loss: 4, accuracy: 0.3 } },
};

/** FedAvg with two seeds and local training with one. */
export const INVENTED: readonly InventedRun[] = [
  {
    name: "fedavg-seed1",
    seed: 1,
    rounds: [
      BASE,
      { heldOut: { a: 3.5, b: 4.5, common: 3.5 } },
      {
        heldOut: { a: { loss: 3, accuracy: 0.6 }, b: { loss: 4, accuracy: 0.5 }, common: { loss: 3, accuracy: 0.7 } },
      },
    ],
  },
  {
    name: "fedavg-seed2",
    seed: 2,
    rounds: [
      BASE,
      { heldOut: { a: 3.7, b: 4.5, common: 3.6 } },
      {
        heldOut: {
          a: { loss: 3.4, accuracy: 0.4 },
          b: { loss: 4.2, accuracy: 0.7 },
          common: { loss: 3.2, accuracy: 0.5 },
        },
      },
    ],
  },
  {
    name: "local-seed1",
    settings: { federation: { algorithm: "local" } },
    rounds: [
      BASE,
      { personal: { a: { a: 3, common: 3.9 }, b: { b: 4, common: 4.1 } } },
      { personal: { a: { a: 2.5, b: 5.5, common: 3.6 }, b: { a: 5, b: 3.5, common: 4 } } },
    ],
  },
];

/** DPO, IPO and SimPO, each with local training and with FedAvg, as experiments/hh.sweep.yaml has them. */
export const PREFERENCES: readonly InventedRun[] = ["dpo", "ipo", "simpo"].flatMap((objective, i) => {
  const scored = (loss: number, margin: number, accuracy: number): Scores => ({
    a: { loss, chosenReward: margin, rejectedReward: 0, margin, accuracy },
    b: { loss, chosenReward: margin, rejectedReward: 0, margin, accuracy },
  });
  const base = { heldOut: scored([Math.LN2, 25, 0.9][i]!, objective === "simpo" ? 0.1 : 0, [0.5, 0.5, 0.48][i]!) };
  const run = (algorithm: string, end: InventedRound): InventedRun => ({
    name: `${objective}-${algorithm}-seed1`,
    settings: { objective: { name: objective }, federation: { algorithm } },
    rounds: [base, end],
  });
  const { a, b } = scored([0.65, 24, 0.8][i]!, 0.2, 0.6);
  return [run("local", { personal: { a: { a: a! }, b: { b: b! } } }), run("fedavg", { heldOut: { a: a!, b: b! } })];
});

export const inventedRuns = (): StoredRun[] => INVENTED.map(inventedRun);
