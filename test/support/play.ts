import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { Algorithm } from "../../src/algorithms/algorithm.ts";
import { algorithmOf, type AlgorithmName } from "../../src/algorithms/registry.ts";
import type { Fidelity } from "../../src/algorithms/settings.ts";
import type { LocalResult } from "../../src/optim/local-rule.ts";
import type { Groups } from "../../src/tensor/groups.ts";
import { addScaled, type Params, subtract } from "../../src/tensor/params.ts";
import { type AggregatorName, aggregatorOf } from "../../src/updates/aggregator-registry.ts";
import { combine } from "../../src/updates/combine.ts";

/** Settings of `federation` that algorithms read, with the run's fidelity. */
export interface PlaySettings {
  readonly fidelity: Fidelity;
  readonly weighting?: "records" | "uniform";
  readonly proxMu: number;
  readonly server: {
    readonly learningRate?: number;
    readonly beta1: number;
    readonly beta2: number;
    readonly tau?: number;
  };
}

export const SETTINGS: PlaySettings = { fidelity: "paper", proxMu: 0.01, server: { beta1: 0.9, beta2: 0.99 } };
export const ORIGINAL: PlaySettings = { ...SETTINGS, fidelity: "original" };

export const made = (name: AlgorithmName, { fidelity, ...settings }: PlaySettings): Algorithm =>
  algorithmOf(name, settings, fidelity);

export function params(
  values: ArrayLike<number>,
  Storage: typeof Float32Array | typeof Float64Array = Float32Array,
): Params {
  return new Map([["lora_A.weight", { shape: [values.length], data: Storage.from(values) }]]);
}

export const double = (values: ArrayLike<number>): Params => params(values, Float64Array);
export const values = (of: Params | undefined): number[] => [...of!.values()].flatMap(({ data }) => [...data]);

/** Bits, so that −0 is not 0. */
export function bits(of: Params): number[] {
  return [...of.values()].flatMap(({ data }) => [...new Uint32Array(Float32Array.from(data).buffer)]);
}

/** The server's half of one round. */
export async function server(
  algorithm: Algorithm,
  round: { global: Params; state: Groups; population: number; round?: number },
  updates: readonly (readonly [Groups, number])[],
  aggregator: AggregatorName = "mean",
): Promise<{ global: Params; state: Groups }> {
  const entries = updates.map(([, records], i) => ({ client: String(i), records }));
  const read = async (place: number): Promise<Groups> => updates[place]![0];
  const context = { round: 1, global: round.global };
  const combined = await combine(
    aggregatorOf(aggregator),
    algorithm.update(round.global, 1),
    { entries, read },
    context,
  );
  return algorithm.apply({ round: 1, ...round, participants: updates.length }, combined);
}

/** The result of a client, from its adapters; gradients and step sizes as SGD would have had them. */
export function trained(before: Params, after: Params): LocalResult {
  return { before, after, steps: 1, learningRateSum: 1, gradientMean: subtract(before, after) };
}

export type PlayedRound = readonly { client: number; offset: readonly number[]; records: number }[];

/** Rounds of clients that end at fixed offsets from what they begin with, from a fresh state. */
export async function play(
  name: AlgorithmName,
  settings: PlaySettings,
  start: Params,
  rounds: readonly PlayedRound[],
  population = 3,
  aggregator: AggregatorName = "mean",
): Promise<{ global: Params; state: Groups; memories: ReadonlyMap<number, Groups> }> {
  const algorithm = made(name, settings);
  let global = start;
  let state = algorithm.init(global);
  const memories = new Map<number, Groups>();
  for (const round of rounds) {
    const received = { round: 1, adapter: global, extra: algorithm.broadcast(state, 1) };
    const updates = round.map(({ client, offset, records }): [Groups, number] => {
      const kept = memories.get(client) ?? {};
      const before = algorithm.ownAdapter?.(received, kept) ?? global;
      const type = [...before.values()][0]!.data instanceof Float64Array ? double : params;
      const { update, memory } = algorithm.report(trained(before, addScaled(before, 1, type(offset))), received, kept);
      memories.set(client, memory);
      return [update, records];
    });
    ({ global, state } = await server(algorithm, { global, state, population }, updates, aggregator));
  }
  return { global, state, memories };
}

export function close(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got).toHaveLength(want.length);
  got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(tolerance));
}

interface GoldenRound {
  readonly selected: readonly number[];
  readonly global: readonly number[];
  readonly m?: readonly number[] | null;
  readonly v?: readonly number[] | null;
  readonly c?: readonly number[];
  readonly c_i?: readonly (readonly number[])[];
}

/** Numbers from OpenFedLLM's own fed_global.py, run in float64; its script's sizes, offsets and clients. */
export const golden = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "../golden/openfedllm-server-rules.json"), "utf8"),
) as {
  shard_sizes: number[];
  client_offsets: number[][];
  algs: Record<string, GoldenRound[]> & {
    scaffold: { K: number; lr: number; client_dir: number[][]; rounds: GoldenRound[] };
  };
};

/** The adapter that those numbers begin with. */
export const GOLDEN_START = double([0.1, -0.2, 0.05]);

/** Plays the original's rounds and compares adapter and moments with its own, to 1e-9. */
export async function expectGolden(name: AlgorithmName): Promise<void> {
  const rounds = golden.algs[name] as readonly GoldenRound[];
  const client = (k: number) => ({ client: k, offset: golden.client_offsets[k]!, records: golden.shard_sizes[k]! });
  for (let count = 1; count <= rounds.length; count++) {
    const played = rounds.slice(0, count).map(({ selected }) => selected.map(client));
    const { global, state } = await play(name, ORIGINAL, GOLDEN_START, played);
    const want = rounds[count - 1]!;
    close(values(global), want.global);
    if (want.m) close(values(state["momentum"]), want.m);
    if (want.v) close(values(state["variance"]), want.v);
  }
}

/** Two clients of one coordinate, moved by 0.02 (30 records) and 0.06 (10 records), in each of some rounds. */
export async function afterRounds(name: AlgorithmName, rounds: number, changes: Partial<PlaySettings> = {}) {
  const round = [
    { client: 0, offset: [0.02], records: 30 },
    { client: 1, offset: [0.06], records: 10 },
  ];
  const settings: PlaySettings = { ...SETTINGS, server: SERVER, ...changes };
  return play(
    name,
    settings,
    double([1]),
    Array.from({ length: rounds }, () => round),
    4,
  );
}

export const SERVER = { beta1: 0.9, beta2: 0.99, learningRate: 0.01, tau: 0.001 };
/** The same without η and τ. */
export const UNSET = { beta1: 0.9, beta2: 0.99 };
