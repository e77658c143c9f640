import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import { close, values } from "../../test/support/play.ts";
import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { addScaled, mapParams, type Params, scale, subtract, zerosLike } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { AggregationContext, Judgement, Updates } from "./aggregator.ts";
import { type AggregatorName, aggregatorOf } from "./aggregator-registry.ts";
import { combine } from "./combine.ts";
import { gramOnFactors, gramOnProducts } from "./robust/distances.ts";
import { inBuckets } from "./robust/cohort.ts";

// Made by scripts/golden/make_robust.py.
const golden = goldenJson("robust.json");

const A = "base_model.model.m.lora_A.weight";
const B = "base_model.model.m.lora_B.weight";
const tensor = (rows: readonly (readonly number[])[]) => ({
  shape: [rows.length, rows[0]!.length],
  data: Float64Array.from(rows.flat()),
});
const pair = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): Params =>
  new Map([
    [A, tensor(a)],
    [B, tensor(b)],
  ]);
const plain = (numbers: readonly number[]): Params =>
  new Map([["w", { shape: [numbers.length], data: Float64Array.from(numbers) }]]);
const updatesOf = (all: readonly Params[], group = "adapter"): Updates => ({
  entries: all.map((_, i) => ({ client: `client-${String(i).padStart(2, "0")}`, records: i + 1 })),
  read: async (place) => ({ [group]: all[place]! }),
});
const groupsOf = (like: Params, weighting: "records" | "uniform" = "uniform"): UpdateGroups => ({
  adapter: { like, weighting, combined: "mean" },
});

/** Combines adapters, and notes what was reported and kept. */
async function play(
  name: AggregatorName,
  settings: object,
  all: readonly Params[],
  global: Params,
  context: Partial<AggregationContext> = {},
) {
  const judgements: Judgement[] = [];
  let kept: Groups = {};
  const { adapter } = await combine(aggregatorOf(name, settings), groupsOf(global), updatesOf(all), {
    round: 4,
    global,
    random: (...key) => stream(7, ...key),
    report: (judgement) => judgements.push(judgement),
    keep: (groups) => (kept = groups),
    ...context,
  });
  return { adapter: adapter!, judgements, kept };
}

const zeros = plain([0, 0, 0, 0, 0, 0]);
const nine: Params[] = golden.updates.map(plain);
const weightsIn = (judgements: readonly Judgement[]): number[] => judgements.map(({ weight }) => weight);

describe("golden numbers, through the aggregators", () => {
  it.each([
    ["median", {}, golden.median],
    ["trimmedMean", {}, golden.trimmed_mean.value],
    ["multiKrum", {}, golden.multi_krum.value],
    ["krum", {}, golden.updates[golden.krum.chosen]],
    ["normBound", { normBound: 1.5 }, golden.norm_bound.value],
    ["centredClipping", { clipRadius: 0.5 }, golden.centred_clipping.value],
  ] as const)("%s", async (name, settings, expected) => {
    const { adapter } = await play(name, settings, nine, zeros);
    close(values(adapter), expected, 1e-12);
  });

  it("bulyan", async () => {
    const { adapter } = await play("bulyan", { byzantine: 0.18 }, golden.bulyan.updates.map(plain), zeros);
    close(values(adapter), golden.bulyan.value, 1e-12);
  });

  it("fltrust, with the coordinator's own training", async () => {
    const trusted = async (): Promise<Params> => plain(golden.fltrust.root);
    const { adapter } = await play("fltrust", {}, nine, zeros, { trusted });
    close(values(adapter), golden.fltrust.value, 1e-12);
  });

  it("foolsgold, from histories: the round's changes and those before", async () => {
    const { history, weights } = golden.foolsgold;
    const all: Params[] = history.map(plain);
    const half = all.map((params) => scale(params, 0.5));
    const first = await play("foolsgold", {}, half, plain([0, 0, 0, 0]));
    const { judgements } = await play("foolsgold", {}, half, plain([0, 0, 0, 0]), { kept: first.kept });
    const total = weights.reduce((sum: number, weight: number) => sum + weight, 0);
    // Histories are float32.
    close(
      weightsIn(judgements),
      weights.map((weight: number) => (weight * all.length) / total),
      1e-5,
    );
  });

  it("buckets", async () => {
    const { order, buckets } = golden.bucketing;
    const random = { ...stream(1), permutation: () => Int32Array.from(order) };
    const { updates, members } = inBuckets(updatesOf(nine), groupsOf(zeros), {
      count: buckets.length,
      weighted: false,
      random,
    });
    expect(members).toEqual([[4, 7], [1, 0], [8, 3], [6, 2], [5]]);
    for (const [i, bucket] of buckets.entries()) {
      close(values((await updates.read(i))["adapter"]), bucket, 1e-12);
    }
  });

  it("inner products of LoRA's products, and of their changes, without forming one", async () => {
    const { A: as, B: bs, A0, B0, scale: s } = golden.lora;
    const global = pair(A0, B0);
    const changes: Params[] = as.map((a: number[][], i: number) => subtract(pair(a, bs[i]), global));
    const scales = new Map([[A, s]]);
    const got = await gramOnProducts(updatesOf(changes, "delta"), "delta", global, { scales });
    const want: number[][] = golden.lora.squared_distances_of_product_changes;
    want.forEach((row, i) =>
      close(
        row.map((_, j) => got[i]![i]! + got[j]![j]! - 2 * got[i]![j]!),
        row,
        1e-12,
      ),
    );
    const zero = zerosLike(global);
    const whole = await gramOnProducts(updatesOf([...changes, global], "delta"), "delta", zero, { scales });
    expect(whole).toHaveLength(changes.length + 1);
  });
});

const number = fc.integer({ min: -32, max: 32 }).map((x) => x / 16);
const matrix = (rows: number, columns: number) =>
  fc.array(fc.array(number, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows });
const adapters = fc.array(
  fc.tuple(matrix(2, 3), matrix(4, 2)).map(([a, b]) => pair(a, b)),
  { minLength: 7, maxLength: 9 },
);
const start = pair(
  [
    [1, 0.5, -1],
    [0.25, 2, 1],
  ],
  [
    [1, 0],
    [0, 1],
    [1, 1],
    [-1, 0.5],
  ],
);
/** The same model in other factors. */
const rescaled = (adapter: Params, c: number): Params => {
  const [a, b] = [
    mapParams(new Map([[A, adapter.get(A)!]]), (x) => x / c),
    mapParams(new Map([[B, adapter.get(B)!]]), (x) => x * c),
  ];
  return new Map([...a, ...b]);
};

describe("distances", () => {
  it("on products do not change where (A, B) becomes (A/c, c·B); on factors they do", async () => {
    await fc.assert(
      fc.asyncProperty(adapters, fc.constantFrom(0.25, 0.5, 2, 8), async (all, c) => {
        const changes = (of: readonly Params[]): Updates =>
          updatesOf(
            of.map((adapter) => subtract(adapter, start)),
            "delta",
          );
        const other = all.map((adapter, i) => (i % 2 === 0 ? rescaled(adapter, c) : adapter));
        const one = await gramOnProducts(changes(all), "delta", start);
        const two = await gramOnProducts(changes(other), "delta", start);
        one.forEach((row, i) => close([...two[i]!], [...row], 1e-9));
      }),
    );
  });

  it("are the same in chunks of any size, and count tensors of no pair number by number", async () => {
    await fc.assert(
      fc.asyncProperty(adapters, fc.integer({ min: 1, max: 400 }), async (all, inMemory) => {
        const more = all.map((adapter, i) => new Map([...adapter, ...plain([i, 1, 2 * i])]));
        const like = new Map([...start, ...plain([1, 2, 3])]);
        const updates = updatesOf(more, "delta");
        const [whole, chunked] = [
          await gramOnProducts(updates, "delta", like),
          await gramOnProducts(updates, "delta", like, { inMemory }),
        ];
        whole.forEach((row, i) => close([...chunked[i]!], [...row], 1e-9));
        const [factors, parts] = [
          await gramOnFactors(updates, "delta", like),
          await gramOnFactors(updates, "delta", like, { inMemory }),
        ];
        factors.forEach((row, i) => close([...parts[i]!], [...row], 1e-9));
      }),
    );
  });
});

const RULES = [
  ["trimmedMean", {}],
  ["normBound", {}],
  ["krum", {}],
  ["multiKrum", {}],
  ["bulyan", {}],
  ["geometricMedian", {}],
  ["centredClipping", {}],
  ["fltrust", {}],
  ["foolsgold", {}],
] as const;
const trusted = async (): Promise<Params> =>
  addScaled(
    start,
    1,
    pair(
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
      [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ),
  );
const TOLERANT = { byzantine: 0.12, trusted };

describe.each(RULES)("every robust rule: %s", (name, settings) => {
  const options = { ...settings, byzantine: TOLERANT.byzantine };
  // Hardly different from `start`, so that no ratio of norms is far from the others'.
  const near = adapters.map((all) => all.map((adapter) => addScaled(start, 1 / 32, adapter)));

  it("of equal clients is each of them", async () => {
    await fc.assert(
      fc.asyncProperty(near, async ([one]) => {
        const all = Array.from({ length: 8 }, () => one!);
        // FLTrust gives changes the length and the sign of the coordinator's own.
        const { adapter } = await play(name, options, all, start, { trusted: async () => one! });
        if (name === "centredClipping") return;
        close(values(adapter), values(one), 1e-9);
      }),
    );
  });

  it("changes no update", async () => {
    const all = Array.from({ length: 8 }, (_, i) => addScaled(start, 1 / (i + 9), start));
    const before = all.map(values);
    await play(name, options, all, start, { trusted });
    expect(all.map(values)).toEqual(before);
  });

  it("cuts out, and names, a client that sends the same model in other factors", async () => {
    const all = Array.from({ length: 8 }, (_, i) => addScaled(start, 1 / (i + 9), start));
    const { judgements } = await play(name, options, [...all, rescaled(all[0]!, 64)], start, { trusted });
    expect(judgements[0]).toMatchObject({ client: "client-08", weight: 0, reason: expect.stringContaining("‖A‖/‖B‖") });
    expect(judgements).toHaveLength(9);
  });
});

describe("robust aggregators", () => {
  it("Multi-Krum without hostile clients is the mean, and everybody has weight 1", async () => {
    await fc.assert(
      fc.asyncProperty(adapters, async (all) => {
        const near = all.map((adapter) => addScaled(start, 1 / 32, adapter));
        const { adapter, judgements } = await play("multiKrum", { byzantine: 0 }, near, start);
        const mean = await play("mean", {}, near, start);
        close(values(adapter), values(mean.adapter), 1e-12);
        close(
          weightsIn(judgements),
          near.map(() => 1),
          1e-12,
        );
      }),
    );
  });

  it("do not depend on the order of clients", async () => {
    await fc.assert(
      fc.asyncProperty(adapters, async (all) => {
        const near = all.map((adapter) => addScaled(start, 1 / 32, adapter));
        for (const name of ["trimmedMean", "normBound", "geometricMedian", "centredClipping", "foolsgold"] as const) {
          const options = { byzantine: 0.12 };
          const [one, other] = [
            await play(name, options, near, start),
            await play(name, options, [...near].reverse(), start),
          ];
          close(values(one.adapter), values(other.adapter), 1e-4);
        }
      }),
    );
  });

  it("report the hostile ones with little weight", async () => {
    // The seven honest ones are near each other; the last two are far.
    for (const name of ["multiKrum", "geometricMedian", "trimmedMean", "normBound"] as const) {
      const { judgements } = await play(name, {}, nine, zeros);
      const weights = weightsIn(judgements);
      expect(weights[8]!).toBeLessThan(0.5);
      expect(judgements.map(({ client }) => client)).toEqual(updatesOf(nine).entries.map(({ client }) => client));
    }
  });

  it.each([
    ["bulyan", 12, "federation.aggregator: bulyan with f 3 needs 15 updates, round 4 has 12."],
    ["krum", 4, "federation.aggregator: krum with f 1 needs 5 updates, round 4 has 4."],
    ["trimmedMean", 2, "federation.aggregator: trimmedMean with f 1 needs 3 updates, round 4 has 2."],
  ] as const)("%s refuses a round of %i updates, with both numbers", async (name, count, message) => {
    const all = Array.from({ length: count }, (_, i) => plain([i]));
    await expect(play(name, {}, all, plain([0]))).rejects.toThrow(message);
  });

  it("count buckets where there are such, and report each member", async () => {
    const { judgements } = await play("trimmedMean", { buckets: 5, byzantine: 0.1 }, nine, zeros);
    expect(judgements).toHaveLength(9);
    await expect(play("krum", { buckets: 3 }, nine, zeros)).rejects.toThrow(
      "krum with f 2 needs 7 buckets, round 4 has 3.",
    );
  });

  it("weigh clients by their records where the mean does", async () => {
    const groups = groupsOf(plain([0]), "records");
    const updates = updatesOf([plain([1]), plain([1])]);
    const { adapter } = await combine(aggregatorOf("normBound", { normBound: 10 }), groups, updates, {
      round: 1,
      global: plain([0]),
    });
    expect(values(adapter)).toEqual([1]);
    const unlike = await combine(
      aggregatorOf("normBound", { normBound: 10 }),
      groups,
      updatesOf([plain([0]), plain([3])]),
      {
        round: 1,
        global: plain([0]),
      },
    );
    expect(values(unlike["adapter"])).toEqual([2]);
  });

  it("bound SCAFFOLD's control by its own norms, and choose it with the adapter", async () => {
    const like = plain([0]);
    const groups: UpdateGroups = { ...groupsOf(like), control: { like, weighting: "uniform", combined: "sum" } };
    const all = [1, 1, 1, 1, 100].map((x) => ({ adapter: plain([x]), control: plain([-x]) }));
    const updates: Updates = {
      entries: updatesOf(all.map(({ adapter }) => adapter)).entries,
      read: async (i) => all[i]!,
    };
    for (const name of ["normBound", "multiKrum"] as const) {
      const combined = await combine(aggregatorOf(name), groups, updates, { round: 1, global: like });
      close(values(combined["adapter"]), [1], 1e-12);
      close(values(combined["control"]), [-5], 1e-12);
    }
  });

  it("centred clipping goes on from the last round's result", async () => {
    const all = [2, 2, 2].map((x) => plain([x]));
    const first = await play("centredClipping", { clipRadius: 0.5 }, all, plain([0]));
    close(values(first.adapter), [1.5], 1e-12);
    const second = await play("centredClipping", { clipRadius: 0.5 }, all, plain([0]), { kept: first.kept });
    close(values(second.adapter), [2], 1e-6);
  });

  it.each(["multiKrum", "centredClipping", "foolsgold", "fltrust", "normBound"] as const)(
    "go on where rounds send other factors: %s",
    async (name) => {
      const partOf = (adapter: Params, tensors: readonly string[]): Params =>
        new Map([...adapter].filter(([tensor]) => tensors.includes(tensor)));
      let kept: Groups = {};
      for (const tensors of [[B], [A], [B]]) {
        const like = partOf(start, tensors);
        const all = Array.from({ length: 7 }, (_, i) => addScaled(like, 1 / (i + 9), like));
        const { adapter } = await combine(aggregatorOf(name, { byzantine: 0.12 }), groupsOf(like), updatesOf(all), {
          round: 1,
          global: start,
          trusted,
          kept,
          keep: (groups) => (kept = groups),
        });
        expect([...adapter!.keys()]).toEqual(tensors);
        expect(values(adapter).every(Number.isFinite)).toBe(true);
      }
    },
  );
});
