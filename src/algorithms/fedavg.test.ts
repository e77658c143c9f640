import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Params } from "../tensor/params.ts";
import type { Groups } from "./groups.ts";
import { fedavg } from "./fedavg.ts";
import { addWeighted, mean } from "./weighted-sum.ts";

const { absorb, finish, report, start } = fedavg();

function params(values: ArrayLike<number>): Params {
  return new Map([["lora_A.weight", { shape: [values.length], data: Float32Array.from(values) }]]);
}

function aggregate(global: Params, clients: readonly (readonly [Params, number])[]): Params {
  const updates = clients.map(([after, records]): [Groups, number] => [
    report({ before: global, after, steps: 1, learningRateSum: 1 }, { adapter: global, extra: {} }, {}).update,
    records,
  ]);
  let sum = start({ global, state: {}, population: clients.length });
  for (const [update, weight] of updates) sum = absorb(sum, update, weight);
  return finish(sum).global;
}

/** Bits, so that −0 is not 0. */
function bits(of: Params): number[] {
  return [...of.values()].flatMap(({ data }) => [...new Uint32Array(Float32Array.from(data).buffer)]);
}

const values = fc.float32Array({ minLength: 5, maxLength: 5, noNaN: true, noDefaultInfinity: true });
const records = fc.integer({ min: 1, max: 100_000 });
const zero = params([0, 0, 0, 0, 0]);

describe("fedavg", () => {
  it("leaves equal clients as they are, bit for bit", () => {
    fc.assert(
      fc.property(values, fc.array(records, { minLength: 1, maxLength: 20 }), (after, sizes) => {
        const result = aggregate(
          zero,
          sizes.map((n) => [params(after), n]),
        );
        expect(bits(result)).toEqual(bits(params(after)));
      }),
    );
  });

  it("gives a client alone its own adapter, bit for bit, the sign of zeros too", () => {
    fc.assert(
      fc.property(values, records, (after, n) => {
        expect(bits(aggregate(zero, [[params(after), n]]))).toEqual(bits(params(after)));
      }),
    );
    expect(bits(aggregate(zero, [[params([-0, 0, 1e-45, -0, 3]), 7]]))).toEqual(bits(params([-0, 0, 1e-45, -0, 3])));
  });

  it("weights by records, and the weights add up to one", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(values, records), { minLength: 1, maxLength: 10 }), (clients) => {
        const result = aggregate(
          zero,
          clients.map(([after, n]) => [params(after), n]),
        );
        const total = clients.reduce((sum, [, n]) => sum + n, 0);
        for (const [i, got] of [...result.get("lora_A.weight")!.data].entries()) {
          const byHand = clients.reduce((sum, [after, n]) => sum + (n / total) * after[i]!, 0);
          const magnitude = clients.reduce((largest, [after]) => Math.max(largest, Math.abs(after[i]!)), 1e-30);
          expect(Math.abs(got - byHand)).toBeLessThanOrEqual(1e-6 * magnitude);
        }
      }),
    );
  });

  it("gives what OpenFedLLM gives, three rounds of its golden vectors", () => {
    const sizes = [10, 30, 60];
    const deltas = [
      [1e-3, -2e-3, 0],
      [4e-4, 5e-4, -1e-3],
      [-2e-4, 3e-3, 2e-3],
    ];
    const golden = [
      [0.10055, -0.200125, 0.04925],
      [0.10055, -0.19795833333333335, 0.05025],
      [0.10052142857142857, -0.19567261904761907, 0.05196428571428572],
    ];
    // Their arithmetic is float64; ours keeps the adapter in float32.
    let global = params([0.1, -0.2, 0.05]);
    const rounds = [
      [0, 1],
      [1, 2],
      [0, 2],
    ];
    for (const [round, clients] of rounds.entries()) {
      const before = global.get("lora_A.weight")!.data;
      global = aggregate(
        global,
        clients.map((k) => [params(deltas[k]!.map((d, i) => before[i]! + d)), sizes[k]!]),
      );
      for (const [i, value] of [...global.get("lora_A.weight")!.data].entries()) {
        expect(Math.abs(value - golden[round]![i]!)).toBeLessThan(5e-8);
      }
    }
  });

  it("returns float32", () => {
    expect(aggregate(zero, [[params([1, 2, 3, 4, 5]), 3]]).get("lora_A.weight")!.data).toBeInstanceOf(Float32Array);
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
