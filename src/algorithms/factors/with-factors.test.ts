import { describe, expect, it } from "vitest";
import { close } from "../../../test/support/play.ts";
import type { LocalResult } from "../../optim/local-rule.ts";
import type { Groups } from "../../tensor/groups.ts";
import { filterParams, mapParams, type Params, withTensors } from "../../tensor/params.ts";
import { aggregatorOf } from "../../updates/aggregator-registry.ts";
import { combine } from "../../updates/combine.ts";
import type { Algorithm } from "../algorithm.ts";
import { type AlgorithmName, algorithmOf } from "../registry.ts";
import { isA, isB } from "./factor-rule.ts";
import { FACTOR_RULES, type FactorRuleName } from "./registry.ts";

const A = "base_model.model.q_proj.lora_A.weight";
const B = "base_model.model.q_proj.lora_B.weight";

const adapter = (a: number, b: number): Params =>
  new Map([
    [A, { shape: [1, 2], data: Float64Array.of(a, 2 * a) }],
    [B, { shape: [2, 1], data: Float64Array.of(b, -b) }],
  ]);

const [a, b] = [A, B].map((name) => (of: Params) => of.get(name)!.data[0]!) as [
  (of: Params) => number,
  (of: Params) => number,
];

/** A client's training that adds `by` to every element that the rule lets train. */
function trained(algorithm: Algorithm, received: Parameters<Algorithm["localRule"]>[0], memory: Groups, by: number) {
  const before = algorithm.ownAdapter?.(received, memory) ?? received.adapter;
  const { frozen = () => false } = algorithm.localRule(received, memory);
  const moved = mapParams(
    filterParams(before, (name) => !frozen(name)),
    (x) => x + by,
  );
  const gradientMean = mapParams(before, () => -by);
  const result: LocalResult = { before, after: withTensors(before, moved), steps: 1, learningRateSum: 1, gradientMean };
  return algorithm.report(result, received, memory);
}

/** Rounds of two clients that move by 0.1 and 0.3, with one record each. */
async function played(name: AlgorithmName, factors: FactorRuleName, rounds: number) {
  const server = { learningRate: 1, beta1: 0, beta2: 0.9, tau: 1e3 };
  const algorithm = algorithmOf(name, { factors, server, proxMu: 0.1 });
  let global = adapter(1, 0);
  let state = algorithm.init(global);
  const memories: Groups[] = [{}, {}];
  const sent: string[][] = [];
  for (let round = 1; round <= rounds; round++) {
    const received = { round, adapter: global, extra: algorithm.broadcast(state, round) };
    const updates = [0.1, 0.3].map((by, client) => {
      const { update, memory } = trained(algorithm, received, memories[client]!, by);
      memories[client] = memory;
      return update;
    });
    sent.push([...updates[0]!["adapter"]!.keys()]);
    const entries = updates.map((_, i) => ({ client: String(i), records: 1 }));
    const read = async (place: number): Promise<Groups> => updates[place]!;
    const groups = algorithm.update(global, round);
    const aggregate = await combine(aggregatorOf(), groups, { entries, read }, { round, global });
    ({ global, state } = algorithm.apply({ round, global, state, population: 2, participants: 2 }, aggregate));
  }
  return { algorithm, global, state, memories, sent };
}

describe("ffa", () => {
  it("trains and sends B; A stays to the bit; B is the mean", async () => {
    const { global, sent } = await played("fedavg", "ffa", 2);
    expect(sent).toEqual([[B], [B]]);
    expect(a(global)).toBe(1);
    close([b(global)], [0.4], 1e-15);
  });
});

describe("rolora", () => {
  it("sends B in odd rounds and A in even ones, and moves nothing else", async () => {
    const one = await played("fedavg", "rolora", 1);
    const two = await played("fedavg", "rolora", 2);
    expect(two.sent).toEqual([[B], [A]]);
    expect([a(one.global), b(one.global)]).toEqual([1, 0.2]);
    expect(b(two.global)).toBe(b(one.global));
    close([a(two.global)], [1.2], 1e-15);
  });

  it("keeps the server's momentum of each factor apart", async () => {
    const { global, state } = await played("fedadam", "rolora", 3);
    expect(Object.keys(state).sort()).toEqual([
      "a.momentum",
      "a.scale",
      "a.variance",
      "b.momentum",
      "b.scale",
      "b.variance",
    ]);
    // Δ/(√v + τ) in rounds 1 and 3, v = 0.9·τ² and 0.81·τ² but for Δ²: round 2 was A's.
    close([b(global)], [0.2 / (1e3 * (Math.sqrt(0.9) + 1)) + 0.2 / (1e3 * 1.9)], 1e-9);
  });
});

describe("fedsa", () => {
  it("sends A, keeps each client's B, and measures a client by the common A with its own B", async () => {
    const { algorithm, global, memories, sent } = await played("fedavg", "fedsa", 2);
    expect(sent).toEqual([[A], [A]]);
    close([a(global), b(global)], [1.4, 0], 1e-15);
    const own = memories.map((memory) => algorithm.ownAdapter!({ round: 3, adapter: global, extra: {} }, memory));
    close(own.map(a), [1.4, 1.4], 1e-15);
    close(own.map(b), [0.2, 0.6], 1e-15);
  });

  it("gives a client without a round the common adapter", async () => {
    const { algorithm, global } = await played("fedavg", "fedsa", 1);
    expect(algorithm.ownAdapter!({ round: 2, adapter: global, extra: {} }, {})).toEqual(global);
  });
});

describe.each(Object.keys(FACTOR_RULES) as FactorRuleName[])("every rule: %s", (factors) => {
  it("with one factor trained, the mean of the products is the product of the means", async () => {
    if (FACTOR_RULES[factors].personal) return;
    for (const rounds of [1, 2]) {
      const before = await played("fedavg", factors, rounds - 1);
      const after = await played("fedavg", factors, rounds);
      const ends = [0.1, 0.3].map((by) => {
        const received = { round: rounds, adapter: before.global, extra: {} };
        const { update } = trained(before.algorithm, received, {}, by);
        return withTensors(before.global, update["adapter"]!);
      });
      const products = ends.map((end) => a(end) * b(end));
      close([a(after.global) * b(after.global)], [(products[0]! + products[1]!) / 2], 1e-15);
    }
  });

  it.each(["fedavg", "fedprox", "scaffold", "fedavgm", "fedyogi", "fedadam", "fedadagrad"] as const)(
    "works with %s: names of an update are as declared, and what is not sent does not move",
    async (name) => {
      const { algorithm, global, state, sent } = await played(name, factors, 4);
      for (const [i, names] of sent.entries()) {
        for (const { like } of Object.values(algorithm.update(global, i + 1))) expect([...like.keys()]).toEqual(names);
      }
      if (factors === "ffa") expect(a(global)).toBe(1);
      if (factors === "fedsa") expect(b(global)).toBe(0);
      expect(Object.values(state).every((group) => [...group.keys()].length > 0)).toBe(true);
    },
  );

  it("says its own name, and each tensor of LoRA is trained in some phase", () => {
    const { name, phases } = FACTOR_RULES[factors];
    expect(name).toBe(factors);
    const kinds = factors === "ffa" ? [isB] : [isA, isB];
    for (const kind of kinds) {
      expect(phases.some(({ trains }) => [A, B].some((tensor) => kind(tensor) && trains(tensor)))).toBe(true);
    }
  });
});
