import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stream } from "../tensor/random.ts";
import type { Example } from "./example.ts";
import { batchAt, type ClientExamples, originalSample } from "./batches.ts";

function client(name: string, count: number, seed: number): ClientExamples<Example> {
  const examples = Array.from({ length: count }, (_, i): Example => ({
    id: String(i),
    tokens: Int32Array.of(i),
    supervised: Uint8Array.of(0),
  }));
  return { client: name, examples, random: (...key) => stream(seed, ...key) };
}
const ids = (examples: readonly Example[]): number[] => examples.map(({ id }) => Number(id));

describe("a client's order", () => {
  it("is one endless sequence, however it is cut, and each epoch holds every example once", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 6 }),
        fc.integer(),
        (count, sizes, seed) => {
          const data = client("a", count, seed);
          let at = 0;
          const pieces = sizes.flatMap((size) => ids(batchAt(data, (at += size) - size, size)));
          expect(pieces).toEqual(ids(batchAt(data, 0, at)));
          for (let epoch = 0; (epoch + 1) * count <= at; epoch++) {
            const members = pieces.slice(epoch * count, (epoch + 1) * count);
            expect(members.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
          }
        },
      ),
    );
  });

  it("differs between epochs, clients and seeds", () => {
    const orders = [
      ids(batchAt(client("a", 50, 1), 0, 50)),
      ids(batchAt(client("a", 50, 1), 50, 50)),
      ids(batchAt(client("b", 50, 1), 0, 50)),
      ids(batchAt(client("a", 50, 2), 0, 50)),
    ];
    expect(new Set(orders.map(String)).size).toBe(4);
    expect(ids(batchAt(client("a", 50, 1), 0, 50))).toEqual(orders[0]);
  });
});

describe("the original's records of a client-round", () => {
  const numbers = Array.from({ length: 1000 }, (_, i) => i);

  it("are what Python's random.seed(round); random.sample(range(1000), 160) gives, batch after batch", () => {
    // Round 4 is the original's round 3.
    const batch = originalSample(numbers, 4, 160);
    expect(batch(0, 4)).toEqual([243, 606, 557, 133]);
    expect(batch(4, 4)).toEqual([378, 937, 618, 485]);
  });

  it("are all of them, again and again, where a client has fewer", () => {
    const batch = originalSample(numbers.slice(0, 5), 5, 160);
    // random.seed(4); random.sample(range(5), 5) is [1, 2, 0, 4, 3].
    expect(batch(0, 8)).toEqual([1, 2, 0, 4, 3, 1, 2, 0]);
  });
});
