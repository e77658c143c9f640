import { CourseFold, type RunCourse } from "../../src/study/run-course.ts";
import { type RunFigures, runFigures } from "../../src/study/run-figures.ts";
import { storedRun } from "../../src/study/stored-run.ts";
import type { RunEvent } from "../../src/federation/events.ts";

/** A round of one invented client. */
export interface InventedClientRound {
  readonly examples?: number;
  readonly loss?: number;
}

export interface InventedFigures {
  readonly name?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Held-out losses by set, after round 0, 1, …; undefined for a round that was not evaluated. */
  readonly heldOut?: readonly (Readonly<Record<string, number>> | undefined)[];
  /** Records of each held-out set. */
  readonly heldOutRecords?: number;
  /** Records of each client. */
  readonly records?: Readonly<Record<string, number>>;
  /** Training in each round from the first on. */
  readonly clients?: readonly Readonly<Record<string, InventedClientRound>>[];
  readonly benchmarks?: readonly Readonly<Record<string, unknown>>[];
  readonly refused?: Readonly<Record<string, string>>;
  /** Clients that are asked in each round and send nothing. */
  readonly late?: readonly string[];
  readonly summary?: Readonly<Record<string, unknown>>;
  readonly best?: Readonly<Record<string, unknown>>;
  /** Training records that were cut and left out, of each client. */
  readonly cut?: readonly [truncated: number, dropped: number];
  /** False for the folder of a coordinator, which reads no records. */
  readonly simulated?: boolean;
  readonly finished?: boolean;
  /** Rounds that it was to have before. */
  readonly lengths?: readonly number[];
  readonly seeds?: number;
  readonly tuned?: boolean;
}

/** `config.json`, `metrics.json` and the events of an invented run. */
export function inventedFolder(made: InventedFigures = {}): {
  config: unknown;
  metrics: unknown;
  events: RunEvent[];
} {
  const {
    heldOut = [
      { a: 4, b: 5 },
      { a: 3, b: 4 },
    ],
    records = { a: 50, b: 50 },
    heldOutRecords = 40,
  } = made;
  const rounds = Math.max(heldOut.length - 1, made.clients?.length ?? 0);
  const { refused = {}, late = [], cut = [0, 0], simulated = true, finished = true } = made;
  const config = {
    model: { base: "model" },
    data: { clients: Object.keys(records).map((name) => ({ name, train: `${name}.jsonl` })) },
    federation: { algorithm: "fedavg", rounds },
    seed: 7,
    ...made.config,
  };
  const trained = (round: number): Readonly<Record<string, InventedClientRound>> =>
    made.clients?.[round - 1] ?? Object.fromEntries(Object.keys(records).map((name) => [name, {}]));
  const metrics = {
    rounds: Array.from({ length: rounds + 1 }, (_, round) => ({
      round,
      learningRate: 1e-3,
      ...(round > 0 && { loss: 3 }),
      seconds: 1,
      clients:
        round === 0
          ? {}
          : Object.fromEntries(
              Object.entries(trained(round)).map(([name, { examples = 16, loss = 3 }]) => [
                name,
                {
                  loss,
                  count: 100,
                  steps: 2,
                  examples,
                  supervisedTokens: 100,
                  bytesDown: 1000,
                  bytesUp: 2000,
                  ledger: undefined,
                  seconds: 1,
                },
              ]),
            ),
      refused: round === rounds ? refused : {},
      heldOut: Object.fromEntries(
        Object.entries(heldOut[round] ?? {}).map(([set, loss]) => [
          set,
          { loss, records: heldOutRecords, supervisedTokens: 100, count: 100, seconds: 1, metrics: {} },
        ]),
      ),
      ...(round === rounds && made.benchmarks && { benchmarks: made.benchmarks }),
    })),
    totals: { seconds: 60 },
    ...(made.best && { best: made.best }),
    ...(finished && { summary: { rounds, adapter: "f00d", answers: [], ...made.summary } }),
  };
  const events: RunEvent[] = [
    ...(simulated
      ? Object.entries(records).map(([client, count]): RunEvent => ({
          type: "data-report",
          client,
          records: count,
          truncated: cut[0],
          dropped: cut[1],
          tokens: 1,
          supervisedTokens: 1,
        }))
      : []),
    {
      type: "run-start",
      algorithm: "fedavg",
      rounds,
      adapterParameters: 10,
      clients: Object.entries(records).map(([name, count]) => ({ name, records: count, heldOut: heldOutRecords })),
    },
    ...Array.from({ length: rounds }, (_, i): RunEvent[] => {
      const round = i + 1;
      const out = round === rounds ? refused : {};
      const asked = [...Object.keys(trained(round)), ...late];
      const accepted = Object.keys(trained(round)).filter((client) => !Object.hasOwn(out, client));
      return [
        { type: "round-start", round, clients: asked, learningRate: 1e-3, adapter: "a" },
        ...Object.entries(out).map(([client, reason]): RunEvent => ({ type: "client-refused", round, client, reason })),
        { type: "round-end", round, accepted, refused: Object.keys(out), loss: 3, adapter: "b", seconds: 1 },
      ];
    }).flat(),
  ];
  const { lengths } = made;
  return { config: { config, data: "data", model: "model", threads: 1, lengths }, metrics, events };
}

export function inventedCourse(events: readonly RunEvent[]): RunCourse {
  const fold = new CourseFold();
  for (const event of events) fold.apply(event);
  return fold.course();
}

export function inventedFigures(made: InventedFigures = {}): RunFigures {
  const { config, metrics, events } = inventedFolder(made);
  const name = made.name ?? "run";
  const { seeds = 1, tuned = false } = made;
  return runFigures(storedRun(`runs/${name}`, name, config, metrics), inventedCourse(events), { seeds, tuned });
}
