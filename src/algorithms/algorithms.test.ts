import { readFileSync } from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LocalResult } from "../optim/local-rule.ts";
import { addScaled, type Params, subtract } from "../tensor/params.ts";
import type { Algorithm } from "./algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { ALGORITHMS, type AlgorithmName } from "./registry.ts";
import type { AlgorithmSettings } from "./settings.ts";
import { addWeighted, mean } from "./weighted-sum.ts";

const SETTINGS: AlgorithmSettings = { fidelity: "paper", proxMu: 0.01, server: { beta1: 0.9, beta2: 0.99 } };
const ORIGINAL: AlgorithmSettings = { ...SETTINGS, fidelity: "original" };
const NAMES = Object.keys(ALGORITHMS) as AlgorithmName[];
const FEDERATED = NAMES.filter((name) => name !== "local");

function params(values: ArrayLike<number>, Storage: typeof Float32Array | typeof Float64Array = Float32Array): Params {
  return new Map([["lora_A.weight", { shape: [values.length], data: Storage.from(values) }]]);
}

const double = (values: ArrayLike<number>): Params => params(values, Float64Array);
const values = (of: Params | undefined): number[] => [...of!.values()].flatMap(({ data }) => [...data]);

/** Bits, so that −0 is not 0. */
function bits(of: Params): number[] {
  return [...of.values()].flatMap(({ data }) => [...new Uint32Array(Float32Array.from(data).buffer)]);
}

/** The server's half of one round. */
function server(
  algorithm: Algorithm,
  round: { global: Params; state: Groups; population: number },
  updates: readonly (readonly [Groups, number])[],
): { global: Params; state: Groups } {
  let sum = algorithm.start(round);
  for (const [update, records] of updates) sum = algorithm.absorb(sum, update, records);
  return algorithm.finish(sum);
}

/** What a client did: its adapter after, from what it received; gradients and step sizes as SGD would have had them. */
function trained(before: Params, after: Params): LocalResult {
  return { before, after, steps: 1, learningRateSum: 1, gradientMean: subtract(before, after) };
}

/** Rounds of clients that end at fixed offsets from what they begin with, from a fresh state. */
function play(
  name: AlgorithmName,
  settings: AlgorithmSettings,
  start: Params,
  rounds: readonly (readonly { client: number; offset: readonly number[]; records: number }[])[],
  population = 3,
): { global: Params; state: Groups; memories: ReadonlyMap<number, Groups> } {
  const algorithm = ALGORITHMS[name](settings);
  let global = start;
  let state = algorithm.init(global);
  const memories = new Map<number, Groups>();
  for (const round of rounds) {
    const received = { adapter: global, extra: algorithm.broadcast(state) };
    const updates = round.map(({ client, offset, records }): [Groups, number] => {
      const kept = memories.get(client) ?? {};
      const before = algorithm.ownAdapter?.(received, kept) ?? global;
      const type = [...before.values()][0]!.data instanceof Float64Array ? double : params;
      const { update, memory } = algorithm.report(trained(before, addScaled(before, 1, type(offset))), received, kept);
      memories.set(client, memory);
      return [update, records];
    });
    ({ global, state } = server(algorithm, { global, state, population }, updates));
  }
  return { global, state, memories };
}

interface GoldenRound {
  readonly selected: readonly number[];
  readonly global: readonly number[];
  readonly m?: readonly number[] | null;
  readonly v?: readonly number[] | null;
  readonly c?: readonly number[];
  readonly c_i?: readonly (readonly number[])[];
}

const golden = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "../../test/golden/openfedllm-server-rules.json"), "utf8"),
) as {
  shard_sizes: number[];
  client_offsets: number[][];
  algs: Record<string, GoldenRound[]> & {
    scaffold: { K: number; lr: number; client_dir: number[][]; rounds: GoldenRound[] };
  };
};

function close(got: readonly number[], want: readonly number[], tolerance = 1e-9): void {
  expect(got).toHaveLength(want.length);
  got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThanOrEqual(tolerance));
}

/** Numbers from OpenFedLLM's own fed_global.py, run in float64; its script's sizes, offsets and clients. */
describe("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => {
  const start = double([0.1, -0.2, 0.05]);
  const client = (k: number) => ({ client: k, offset: golden.client_offsets[k]!, records: golden.shard_sizes[k]! });

  it.each(["fedavg", "fedprox", "fedavgm", "fedadagrad", "fedyogi", "fedadam"] as const)("%s", (name) => {
    const rounds = golden.algs[name]!;
    for (let count = 1; count <= rounds.length; count++) {
      const played = rounds.slice(0, count).map(({ selected }) => selected.map(client));
      const { global, state } = play(name, ORIGINAL, start, played);
      const want = rounds[count - 1]!;
      close(values(global), want.global);
      if (want.m) close(values(state["momentum"]), want.m);
      if (want.v) close(values(state["variance"]), want.v);
    }
  });

  it("local: the adapter of client 1 goes on alone", () => {
    const algorithm = ALGORITHMS.local(ORIGINAL);
    const received = { adapter: start, extra: {} };
    let memory: Groups = {};
    for (const { global } of golden.algs["local1"]!) {
      const before = algorithm.ownAdapter!(received, memory);
      ({ memory } = algorithm.report(
        trained(before, addScaled(before, 1, double(golden.client_offsets[1]!))),
        received,
        memory,
      ));
      close(values(algorithm.ownAdapter!(received, memory)), global);
    }
    expect(server(algorithm, { global: start, state: {}, population: 3 }, [[{}, 10]]).global).toBe(start);
  });

  it("scaffold, both halves: c, every client's c_i, and the adapter", () => {
    const { K, lr, client_dir, rounds } = golden.algs.scaffold;
    const algorithm = ALGORITHMS.scaffold(ORIGINAL);
    let global = start;
    let state = algorithm.init(global);
    const memories = new Map<number, Groups>();
    for (const want of rounds) {
      const received = { adapter: global, extra: algorithm.broadcast(state) };
      const updates = want.selected.map((k): [Groups, number] => {
        const kept = memories.get(k) ?? {};
        const { correction } = algorithm.localTerm(received, kept);
        let after = global;
        // Their stand-in for AdamW moves by a fixed direction; the correction comes after each step.
        for (let step = 0; step < K; step++) {
          after = addScaled(addScaled(after, -lr, double(client_dir[k]!)), -lr, correction!);
        }
        const { update, memory } = algorithm.report(
          { before: global, after, steps: K, learningRateSum: K * lr },
          received,
          kept,
        );
        memories.set(k, memory);
        return [update, golden.shard_sizes[k]!];
      });
      ({ global, state } = server(algorithm, { global, state, population: 3 }, updates));
      close(values(global), want.global);
      close(values(state["control"]), want.c!);
      want.c_i!.forEach((c, k) => close(memories.has(k) ? values(memories.get(k)!["control"]) : [0, 0, 0], c));
    }
  });
});

/** One coordinate, worked out from the papers' formulas. Two clients, moved by 0.02 (30 records) and 0.06 (10 records). */
describe("fidelity paper, by hand", () => {
  const server = { beta1: 0.9, beta2: 0.99, learningRate: 0.01, tau: 0.001 };
  const settings: AlgorithmSettings = { ...SETTINGS, server };
  const round = [
    { client: 0, offset: [0.02], records: 30 },
    { client: 1, offset: [0.06], records: 10 },
  ];
  const after = (name: AlgorithmName, rounds: number, changes: Partial<AlgorithmSettings> = {}) =>
    play(
      name,
      { ...settings, ...changes },
      double([1]),
      Array.from({ length: rounds }, () => round),
      4,
    );

  it("fedavg: (30·1.02 + 10·1.06)/40 = 1.03; with uniform weights 1.04", () => {
    close(values(after("fedavg", 1).global), [1.03], 1e-15);
    close(values(after("fedavg", 1, { weighting: "uniform" }).global), [1.04], 1e-15);
  });

  it("fedavgm: Δ = 0.03 each round; m = 0.03, then 0.9·0.03 + 0.03 = 0.057; w = 1 + η·0.03 + η·0.057", () => {
    const unit: Partial<AlgorithmSettings> = { server: { ...server, learningRate: 1 } };
    close(values(after("fedavgm", 1, unit).global), [1.03], 1e-15);
    close(values(after("fedavgm", 2, unit).global), [1.087], 1e-15);
    // η not set is 1 − 0.9.
    const unset: Partial<AlgorithmSettings> = { server: { beta1: 0.9, beta2: 0.99 } };
    close(values(after("fedavgm", 2, unset).global), [1.0087], 1e-15);
    // η 0.01: 1 + 0.01·0.03 + 0.01·0.057.
    close(values(after("fedavgm", 2).global), [1.00087], 1e-15);
  });

  it("fedadagrad: Δ = 0.04; v = 1e-6 + 0.0016, then + 0.0016; w += 0.01·0.04/(√v + 0.001)", () => {
    const first = 0.0004 / (Math.sqrt(0.001601) + 0.001);
    close(values(after("fedadagrad", 1).global), [1 + first], 1e-15);
    close(values(after("fedadagrad", 2).global), [1 + first + 0.0004 / (Math.sqrt(0.003201) + 0.001)], 1e-15);
  });

  it("fedadam: m = 0.004, then 0.0076; v = 0.99e-6 + 0.01·0.0016 = 1.699e-5, then 0.99·1.699e-5 + 1.6e-5", () => {
    const first = (0.01 * 0.004) / (Math.sqrt(1.699e-5) + 0.001);
    const second = (0.01 * 0.0076) / (Math.sqrt(0.99 * 1.699e-5 + 1.6e-5) + 0.001);
    close(values(after("fedadam", 1).global), [1 + first], 1e-14);
    close(values(after("fedadam", 2).global), [1 + first + second], 1e-14);
  });

  it("fedyogi: v = 1e-6 + 0.01·0.0016 = 1.7e-5, then 3.3e-5, for v is below Δ²", () => {
    const first = (0.01 * 0.004) / (Math.sqrt(1.7e-5) + 0.001);
    const second = (0.01 * 0.0076) / (Math.sqrt(3.3e-5) + 0.001);
    close(values(after("fedyogi", 1).global), [1 + first], 1e-14);
    close(values(after("fedyogi", 2).global), [1 + first + second], 1e-14);
  });

  it("fedyogi: v falls where it is above Δ²: τ 0.1 gives v₋₁ = 0.01, v = 0.01 − 0.01·0.0016", () => {
    const { state } = after("fedyogi", 1, { server: { ...server, tau: 0.1 } });
    close(values(state["variance"]), [0.009984], 1e-15);
  });

  it("adaptive rules without η and τ go by the first delta: rms 0.04, so τ 0.004 and η 0.04, with momentum 0.012", () => {
    const scaled: Partial<AlgorithmSettings> = { server: { beta1: 0.9, beta2: 0.99 } };
    // FedAdagrad: v = 1.6e-5 + 1.6e-3; step = 0.04·0.04/(√v + 0.004), close to Δ itself.
    close(values(after("fedadagrad", 1, scaled).global), [1 + 0.0016 / (Math.sqrt(0.001616) + 0.004)], 1e-14);
    // FedAdam: m = 0.004, v = 0.99·1.6e-5 + 0.01·1.6e-3 = 3.184e-5.
    close(values(after("fedadam", 1, scaled).global), [1 + (0.012 * 0.004) / (Math.sqrt(3.184e-5) + 0.004)], 1e-14);
    const { state } = after("fedadam", 3, scaled);
    close(values(state["scale"]), [0.04], 1e-15);
  });

  it("scaffold: y uniform; c = Σ(c_i⁺ − c_i)/N with N = 4; the next round's drift is c − c_i", () => {
    const algorithm = ALGORITHMS.scaffold(SETTINGS);
    // gradientMean is −offset here, so c_i = −0.02 and −0.06, and c = (−0.02 − 0.06)/4 = −0.02.
    const { global, state, memories } = after("scaffold", 1, { server: { beta1: 0.9, beta2: 0.99 } });
    close(values(global), [1.04], 1e-15);
    close(values(state["control"]), [-0.02], 1e-15);
    const received = { adapter: global, extra: algorithm.broadcast(state) };
    close(values(algorithm.localTerm(received, memories.get(1)!).drift), [0.04], 1e-15);
    // η_g = 0.5 goes half the way.
    close(values(after("scaffold", 1, { server: { ...server, learningRate: 0.5 } }).global), [1.02], 1e-15);
  });

  it("fedprox: pulls towards what was received", () => {
    const received = { adapter: double([1]), extra: {} };
    expect(ALGORITHMS.fedprox(settings).localTerm(received, {})).toEqual({
      proximal: { mu: 0.01, anchor: received.adapter },
    });
  });
});

const floats = fc.float32Array({
  minLength: 4,
  maxLength: 4,
  noNaN: true,
  noDefaultInfinity: true,
  min: Math.fround(-8),
  max: Math.fround(8),
});
const records = fc.integer({ min: 1, max: 100_000 });
const clients = fc.array(fc.record({ offset: floats, records }), { minLength: 1, maxLength: 8 });
const inOrder = (list: readonly { offset: Float32Array; records: number }[]) =>
  list.map(({ offset, records: n }, client) => ({ client, offset: [...offset], records: n }));
const start = params([0.5, -0.25, 2, 1e-3]);

describe("limiting cases", () => {
  it("μ = 0 is FedAvg: the same server, and a pull of no strength", () => {
    fc.assert(
      fc.property(clients, (list) => {
        const rounds = [inOrder(list), inOrder(list)];
        const fedavg = play("fedavg", SETTINGS, start, rounds).global;
        expect(bits(play("fedprox", { ...SETTINGS, proxMu: 0 }, start, rounds).global)).toEqual(bits(fedavg));
      }),
    );
    const term = ALGORITHMS.fedprox({ ...SETTINGS, proxMu: 0 }).localTerm({ adapter: start, extra: {} }, {});
    expect(term.proximal!.mu).toBe(0);
  });

  it.each([
    ["paper", "uniform"],
    ["original", "records"],
  ] as const)("SCAFFOLD's first round is FedAvg's (%s, weights %s): no drift, the same mean", (fidelity, weighting) => {
    fc.assert(
      fc.property(clients, (list) => {
        const rounds = [inOrder(list)];
        const { global } = play("scaffold", { ...SETTINGS, fidelity }, start, rounds);
        expect(bits(global)).toEqual(bits(play("fedavg", { ...SETTINGS, weighting }, start, rounds).global));
      }),
    );
    const algorithm = ALGORITHMS.scaffold({ ...SETTINGS, fidelity });
    const received = { adapter: start, extra: algorithm.broadcast(algorithm.init(start)) };
    const { drift, correction } = algorithm.localTerm(received, {});
    expect(values(drift ?? correction)).toEqual([0, 0, 0, 0]);
  });

  it("without momentum and with step 1 FedAvgM is FedAvg, but for the last bit", () => {
    const settings: AlgorithmSettings = { ...SETTINGS, server: { ...SETTINGS.server, beta1: 0 } };
    fc.assert(
      fc.property(clients, (list) => {
        const rounds = [inOrder(list), inOrder(list).slice(0, 1)];
        for (const fidelity of ["paper", "original"] as const) {
          const got = values(play("fedavgm", { ...settings, fidelity }, start, rounds).global);
          const want = values(play("fedavg", SETTINGS, start, rounds).global);
          got.forEach((x, i) =>
            expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(2 ** -22 * Math.max(1e-2, Math.abs(want[i]!))),
          );
        }
      }),
    );
  });

  it("τ far above Δ makes the adaptive rules a scaled FedAvg: η/2τ·(1 − β₁)·Δ in round one", () => {
    const tau = 1e6;
    const settings: AlgorithmSettings = { ...SETTINGS, server: { ...SETTINGS.server, learningRate: 2 * tau, tau } };
    const rounds = [[{ client: 0, offset: [0.5, -1, 2, 4], records: 3 }]];
    const step = (name: AlgorithmName): number[] =>
      values(subtract(play(name, settings, double([0, 0, 0, 0]), rounds).global, double([0, 0, 0, 0])));
    close(step("fedadagrad"), [0.5, -1, 2, 4], 1e-9);
    close(
      step("fedadam"),
      [0.05, -0.1, 0.2, 0.4].map((x) => (x * 2) / (1 + Math.sqrt(0.99))),
      1e-9,
    );
    close(step("fedyogi"), [0.05, -0.1, 0.2, 0.4], 1e-9);
  });

  it.each(FEDERATED)("%s: as many equal clients as you like are one client, bit for bit", (name) => {
    fc.assert(
      fc.property(floats, fc.array(records, { minLength: 1, maxLength: 6 }), (offset, sizes) => {
        const alike = sizes.map((n, client) => ({ client, offset: [...offset], records: n }));
        const many = play(name, SETTINGS, start, [alike, alike], sizes.length);
        const one = play(name, SETTINGS, start, [alike.slice(0, 1), alike.slice(0, 1)], 1);
        expect(bits(many.global)).toEqual(bits(one.global));
      }),
    );
  });

  it.each(NAMES)("%s: clients that did not move leave everything where it is", (name) => {
    for (const fidelity of ["paper", "original"] as const) {
      const still = [{ client: 0, offset: [0, 0, 0, 0], records: 3 }];
      expect(bits(play(name, { ...SETTINGS, fidelity }, start, [still, still]).global)).toEqual(bits(start));
    }
  });

  it("FedAvg gives a client alone its own adapter, bit for bit, the sign of zeros too", () => {
    const fedavg = ALGORITHMS.fedavg(SETTINGS);
    const alone = (after: Params, n: number): Params =>
      server(fedavg, { global: start, state: {}, population: 1 }, [[{ adapter: after }, n]]).global;
    fc.assert(
      fc.property(floats, records, (after, n) => {
        expect(bits(alone(params(after), n))).toEqual(bits(params(after)));
      }),
    );
    expect(bits(alone(params([-0, 0, 1e-45, -0]), 7))).toEqual(bits(params([-0, 0, 1e-45, -0])));
  });

  it.each(NAMES)("%s keeps the adapter in float32, and says its own name", (name) => {
    const algorithm = ALGORITHMS[name](SETTINGS);
    expect(algorithm.name).toBe(name);
    const { global } = play(name, SETTINGS, start, [[{ client: 0, offset: [1, 2, 3, 4], records: 3 }]]);
    expect(global.get("lora_A.weight")!.data).toBeInstanceOf(Float32Array);
  });
});

describe("a weighted sum", () => {
  it("names the tensor and both shapes where updates differ", () => {
    const sum = addWeighted(undefined, params([1, 2]), 1);
    expect(() => addWeighted(sum, params([1, 2, 3]), 1)).toThrow("lora_A.weight: [3] in one update, [2] in another");
    expect(() => addWeighted(sum, new Map(), 1)).toThrow("lora_A.weight: missing in an update");
  });

  it("has no mean without updates", () => {
    expect(() => mean(undefined)).toThrow("at least one update");
    expect(() => mean(addWeighted(undefined, params([1]), 0))).toThrow("positive weight");
  });
});
