import { describe, expect, it } from "vitest";
import { algorithmOf, type AlgorithmName, ALGORITHMS } from "../algorithms/registry.ts";
import { ATTACKS } from "../attacks/registry.ts";
import type { Groups } from "../tensor/groups.ts";
import { addScaled, type Params, subtract } from "../tensor/params.ts";
import { OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";
import { AGGREGATORS, aggregatorOf } from "../updates/aggregator-registry.ts";
import { schemaAt } from "./json-schema.ts";
import { isRead, readBy } from "./read-by.ts";

const readersOf = (section: string): [string, readonly string[]][] =>
  Object.entries(readBy())
    .filter(([key, { by }]) => key.startsWith(section) && by !== "federation.aggregator")
    .map(([key, { names }]) => [key.slice(section.length), names]);

describe("who reads a setting", () => {
  it.each(Object.entries(readBy()))("%s is a setting, and its readers are there", (key, { by, names }) => {
    expect(schemaAt(key.split("."))).toBeDefined();
    const registry = {
      "objective.name": OBJECTIVES,
      "federation.algorithm": ALGORITHMS,
      "federation.aggregator": AGGREGATORS,
      "data.attack.name": ATTACKS,
    }[by];
    expect(Object.keys(registry)).toEqual(expect.arrayContaining([...names]));
  });

  it.each(Object.keys(OBJECTIVES) as ObjectiveName[])("is so for the objective %s", (name) => {
    const read = new Set<PropertyKey>();
    const settings = { labelSmoothing: 0, gamma: 0.5, desirableWeight: 1, undesirableWeight: 1 };
    const watched = new Proxy(settings, { get: (of, key) => (read.add(key), Reflect.get(of, key) as unknown) });
    OBJECTIVES[name].make(watched as never);
    const listed = readersOf("objective.").filter(([, names]) => names.includes(name));
    expect(read).toEqual(new Set(listed.map(([key]) => key)));
  });

  const params = (...data: number[]): Params =>
    new Map([["w", { shape: [data.length], data: Float32Array.from(data) }]]);

  /** The global adapter, the state and the pulls after three rounds of two clients. */
  async function outcome(name: AlgorithmName, settings: Record<string, unknown>): Promise<unknown> {
    const algorithm = algorithmOf(name, settings);
    let global = params(1, -2);
    let state = algorithm.init(global);
    const memories: Groups[] = [{}, {}];
    const pulls: unknown[] = [];
    for (const offset of [params(0.5, 0.1), params(-0.3, 0.2), params(0.1, 0.4)]) {
      const received = { round: 1, adapter: global, extra: algorithm.broadcast(state, 1) };
      const zero = params(0, 0);
      pulls.push(algorithm.localRule(received, memories[0]!).gradient?.(zero, zero).get("w")!.data);
      const updates: Groups[] = [];
      for (const client of [0, 1]) {
        const after = addScaled(global, client + 1, offset);
        const result = { before: global, after, steps: 1, learningRateSum: 1, gradientMean: subtract(global, after) };
        const { update, memory } = algorithm.report(result, received, memories[client]!);
        memories[client] = memory;
        updates.push(update);
      }
      const entries = updates.map((_, i) => ({ client: String(i), records: 3 + i }));
      const read = async (place: number): Promise<Groups> => updates[place]!;
      const groups = algorithm.update(global, 1);
      const aggregate = await aggregatorOf().combine(groups, { entries, read }, { round: 1, global });
      ({ global, state } = algorithm.apply({ round: 1, global, state, population: 2, participants: 2 }, aggregate));
    }
    return [pulls, global.get("w")!.data];
  }

  it.each(Object.keys(ALGORITHMS) as AlgorithmName[])("is so for the algorithm %s", async (name) => {
    const server = { learningRate: 0.5, beta1: 0.9, beta2: 0.99, tau: 0.1 };
    const settings = { weighting: "records", proxMu: 0.01, server };
    const before = await outcome(name, settings);
    for (const [key, names] of readersOf("federation.")) {
      const value = key === "weighting" ? "uniform" : 0.7;
      const changed = key.startsWith("server.")
        ? { ...settings, server: { ...server, [key.slice("server.".length)]: value } }
        : { ...settings, [key]: value };
      const same = expect(await outcome(name, changed), key);
      if (names.includes(name)) same.not.toEqual(before);
      else same.toEqual(before);
    }
  });

  it("is asked by key", () => {
    const of = (algorithm: string) => (key: string) => (key === "federation.algorithm" ? algorithm : undefined);
    expect(isRead("federation.proxMu", of("fedprox"))).toBe(true);
    expect(isRead("federation.proxMu", of("fedavg"))).toBe(false);
    expect(isRead("federation.rounds", of("fedavg"))).toBe(true);
    expect(isRead("toString", of("fedavg"))).toBe(true);
  });
});
