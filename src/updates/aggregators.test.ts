import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clients, inOrder, records, start } from "../../test/support/clients.ts";
import { bits, close, double, params, play, SETTINGS, values } from "../../test/support/play.ts";
import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { type AggregatorName, aggregatorOf } from "./aggregator-registry.ts";
import { combine } from "./combine.ts";

const groupsOf = (like: ReturnType<typeof params>): UpdateGroups => ({
  adapter: { like, weighting: "records", combined: "mean" },
  control: { like, weighting: "uniform", combined: "sum" },
});

/** Combines updates given as groups, with the clients' numbers of records. */
function combined(name: AggregatorName, groups: UpdateGroups, all: readonly Groups[], weights: readonly number[] = []) {
  const entries = all.map((_, i) => ({ client: String(i), records: weights[i] ?? 1 }));
  const like = Object.values(groups)[0]!.like;
  return combine(aggregatorOf(name), groups, { entries, read: async (i) => all[i]! }, { round: 1, global: like });
}

/** Both groups of an update are `data`. */
async function aggregate(name: AggregatorName, all: readonly (readonly number[])[], weights?: readonly number[]) {
  const groups = groupsOf(double((all[0] ?? []).map(() => 0)));
  const updates = all.map((data) => ({ adapter: double(data), control: double(data) }));
  const { adapter, control } = await combined(name, groups, updates, weights);
  return { adapter: values(adapter), control: values(control) };
}

describe("the mean", () => {
  it("weighs a mean by records, and sums alike: (1·1 + 3·5)/4 = 4 and 1 + 5", async () => {
    expect(await aggregate("mean", [[1], [5]], [1, 3])).toEqual({ adapter: [4], control: [6] });
  });
});

describe("the median", () => {
  it("is the middle of an odd number, the mean of the two middle ones of an even number, of each coordinate", async () => {
    const odd = [
      [1, 30],
      [100, 20],
      [2, 10],
    ];
    expect(await aggregate("median", odd)).toEqual({ adapter: [2, 20], control: [6, 60] });
    expect(await aggregate("median", [...odd, [4, 0]])).toEqual({ adapter: [3, 15], control: [12, 60] });
  });

  it("sorts numbers as numbers: 9 is below 10, −10 below −9", async () => {
    expect((await aggregate("median", [[10], [9], [-10], [-9], [0]])).adapter).toEqual([0]);
  });

  it("counts all clients alike", async () => {
    expect((await aggregate("median", [[1], [2], [3]], [1, 1, 1000])).adapter).toEqual([2]);
  });

  it("stays within the range of the others, whatever fewer than half of the clients send", async () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(value, { minLength: 2, maxLength: 8 }),
        fc.array(fc.double({ noNaN: true })),
        async (good, bad) => {
          const few = bad.slice(0, good.length - 1);
          const [middle] = (
            await aggregate(
              "median",
              [...few, ...good].map((x) => [x]),
            )
          ).adapter;
          expect(middle).toBeGreaterThanOrEqual(Math.min(...good));
          expect(middle).toBeLessThanOrEqual(Math.max(...good));
        },
      ),
    );
  });

  it("under FedAvg gives the middle client's adapter; under SCAFFOLD c moves by the median times the clients over N", async () => {
    const round = [0.1, 0.2, 5].map((x, client) => ({ client, offset: [x], records: client + 1 }));
    close(values((await play("fedavg", SETTINGS, double([1]), [round], 3, "median")).global), [1.2], 1e-15);
    const { state } = await play("scaffold", SETTINGS, double([1]), [round], 6, "median");
    close(values(state["control"]), [(-0.2 * 3) / 6], 1e-15);
  });
});

const adapterOf = (like: ReturnType<typeof params>): UpdateGroups => ({
  adapter: { like, weighting: "records", combined: "mean" },
});

// Rules that bear hostile updates need several: robust-aggregators.test.ts.
describe.each(["mean", "median"] as const)("of any number of updates: %s", (name) => {
  it("of equal clients is each of them, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(records, { minLength: 1, maxLength: 6 }), async (sizes) => {
        const like = params([-0, 0, 0.1, 1e-45]);
        const all = sizes.map(() => ({ adapter: like }));
        const { adapter } = await combined(name, adapterOf(like), all, sizes);
        expect(bits(adapter!)).toEqual(bits(like));
      }),
    );
  });

  it("does not depend on the order of clients, but for the last bit", async () => {
    await fc.assert(
      fc.asyncProperty(clients, async (list) => {
        const round = inOrder(list);
        const of = async (each: typeof round): Promise<number[]> =>
          values((await play("fedavg", SETTINGS, start, [each], list.length, name)).global);
        const [one, other] = [await of(round), await of([...round].reverse())];
        one.forEach((x, i) => expect(Math.abs(x - other[i]!)).toBeLessThanOrEqual(2 ** -22 * Math.max(1, Math.abs(x))));
      }),
    );
  });

  it("changes no update, and names what differs", async () => {
    const first = double([1, 2]);
    const differing = [{ adapter: first }, { adapter: double([1]) }];
    await expect(combined(name, adapterOf(first), differing)).rejects.toThrow(/lora_A\.weight: \[[12]\] .*\[[12]\]/);
    await expect(combined(name, groupsOf(first), [])).rejects.toThrow("at least one update");
    const all = [double([3, 1]), double([1, 2]), double([2, 0])];
    const several = all.map((adapter) => ({ adapter }));
    await combined(name, adapterOf(first), several, [2, 2, 2]);
    expect(all.map(values)).toEqual([
      [3, 1],
      [1, 2],
      [2, 0],
    ]);
  });
});
