import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stream } from "../tensor/random.ts";
import type { Example } from "../train/example.ts";
import { batchAt, type ClientExamples } from "./batches.ts";

function client(name: string, count: number, seed: number): ClientExamples {
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
