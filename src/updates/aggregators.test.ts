import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clients, inOrder, records, start } from "../../test/support/clients.ts";
import { bits, close, double, params, play, SETTINGS, values } from "../../test/support/play.ts";
import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { type AggregatorName, AGGREGATORS, aggregatorOf } from "./aggregator-registry.ts";

const groupsOf = (like: ReturnType<typeof params>): UpdateGroups => ({
  adapter: { like, weighting: "records", combined: "mean" },
  control: { like, weighting: "uniform", combined: "sum" },
});

/** Both groups of an update are `data`. */
function aggregate(name: AggregatorName, all: readonly (readonly number[])[], weights: readonly number[] = []) {
  let aggregation = aggregatorOf(name).start(groupsOf(double(all[0] ?? [])));
  for (const [i, data] of all.entries()) {
    aggregation = aggregation.add({ adapter: double(data), control: double(data) }, weights[i] ?? 1);
  }
  const { adapter, control } = aggregation.finish();
  return { adapter: values(adapter), control: values(control) };
}

describe("the mean", () => {
  it("weighs a mean by records, and sums alike: (1·1 + 3·5)/4 = 4 and 1 + 5", () => {
    expect(aggregate("mean", [[1], [5]], [1, 3])).toEqual({ adapter: [4], control: [6] });
  });
});

describe("the median", () => {
  it("is the middle of an odd number, the mean of the two middle ones of an even number, of each coordinate", () => {
    const odd = [
      [1, 30],
      [100, 20],
      [2, 10],
    ];
    expect(aggregate("median", odd)).toEqual({ adapter: [2, 20], control: [6, 60] });
    expect(aggregate("median", [...odd, [4, 0]])).toEqual({ adapter: [3, 15], control: [12, 60] });
  });

  it("sorts numbers as numbers: 9 is below 10, −10 below −9", () => {
    expect(aggregate("median", [[10], [9], [-10], [-9], [0]]).adapter).toEqual([0]);
  });

  it("counts all clients alike", () => {
    expect(aggregate("median", [[1], [2], [3]], [1, 1, 1000]).adapter).toEqual([2]);
  });

  it("stays within the range of the others, whatever fewer than half of the clients send", () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 2, maxLength: 8 }),
        fc.array(fc.double({ noNaN: true })),
        (good, bad) => {
          const few = bad.slice(0, good.length - 1);
          const [middle] = aggregate(
            "median",
            [...few, ...good].map((x) => [x]),
          ).adapter;
          expect(middle).toBeGreaterThanOrEqual(Math.min(...good));
          expect(middle).toBeLessThanOrEqual(Math.max(...good));
        },
      ),
    );
  });

  it("under FedAvg gives the middle client's adapter; under SCAFFOLD c moves by the median times the clients over N", () => {
    const round = [0.1, 0.2, 5].map((x, client) => ({ client, offset: [x], records: client + 1 }));
    close(values(play("fedavg", SETTINGS, double([1]), [round], 3, "median").global), [1.2], 1e-15);
    const { state } = play("scaffold", SETTINGS, double([1]), [round], 6, "median");
    close(values(state["control"]), [(-0.2 * 3) / 6], 1e-15);
  });
});

describe.each(Object.keys(AGGREGATORS) as AggregatorName[])("every aggregator: %s", (name) => {
  it("of equal clients is each of them, bit for bit", () => {
    fc.assert(
      fc.property(fc.array(records, { minLength: 1, maxLength: 6 }), (sizes) => {
        const like = params([-0, 0, 0.1, 1e-45]);
        let aggregation = aggregatorOf(name).start({ adapter: { like, weighting: "records", combined: "mean" } });
        for (const size of sizes) aggregation = aggregation.add({ adapter: like }, size);
        expect(bits(aggregation.finish()["adapter"]!)).toEqual(bits(like));
      }),
    );
  });

  it("does not depend on the order of clients, but for the last bit", () => {
    fc.assert(
      fc.property(clients, (list) => {
        const round = inOrder(list);
        const [one, other] = [round, [...round].reverse()].map((each) =>
          values(play("fedavg", SETTINGS, start, [each], list.length, name).global),
        );
        one!.forEach((x, i) =>
          expect(Math.abs(x - other![i]!)).toBeLessThanOrEqual(2 ** -22 * Math.max(1, Math.abs(x))),
        );
      }),
    );
  });

  it("changes no update, and names what differs", () => {
    const first = double([1, 2]);
    const aggregation = aggregatorOf(name).start({ adapter: { like: first, weighting: "records", combined: "mean" } });
    expect(() =>
      aggregation
        .add({ adapter: first }, 1)
        .add({ adapter: double([1]) }, 1)
        .finish(),
    ).toThrow(/lora_A\.weight: \[[12]\] .*\[[12]\]/);
    expect(() => aggregatorOf(name).start(groupsOf(first)).finish()).toThrow("at least one update");
    const all = [double([3, 1]), double([1, 2]), double([2, 0])];
    let several = aggregatorOf(name).start({ adapter: { like: first, weighting: "records", combined: "mean" } });
    for (const adapter of all) several = several.add({ adapter }, 2);
    several.finish();
    expect(all.map(values)).toEqual([
      [3, 1],
      [1, 2],
      [2, 0],
    ]);
  });
});
