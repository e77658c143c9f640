import { expect, test } from "vitest";
import { memoryStore } from "../../store/memory-store.ts";
import type { Example } from "../../data/example.ts";
import type { PairExample } from "../../data/items/pair.ts";
import type { RatedExample } from "../../data/items/rated.ts";
import type { TrainingItem } from "../../data/items/registry.ts";
import { referenceCache } from "./reference-cache.ts";

const example = (id: string): Example => ({ id, tokens: Int32Array.of(1, 2), supervised: Uint8Array.of(0, 1) });
const pair = (i: number): PairExample => ({ id: `p${i}`, chosen: example(`c${i}`), rejected: example(`r${i}`) });
const rated = (i: number): RatedExample => ({
  id: `a${i}`,
  answer: example(`a${i}`),
  desirable: i % 2 === 0,
  mismatched: example(`m${i}`),
});

/** A base that gives each item numbers of its own, tells which it was asked for, and can fail at one. */
function base(failAt?: string) {
  const asked: string[] = [];
  const told: string[] = [];
  return {
    asked,
    told,
    options: {
      async measure<T extends TrainingItem>(items: readonly T[]): Promise<T[]> {
        if (items.some(({ id }) => id === failAt)) throw new Error("killed");
        asked.push(...items.map(({ id }) => id));
        return items.map((item) => {
          const value = -Number(item.id.slice(1)) - 0.1;
          return "chosen" in item
            ? { ...item, reference: { chosen: value, rejected: value / 3 } }
            : { ...item, reference: { answer: value, mismatched: value / 7 } };
        });
      },
      onCount: (_: unknown, done: number, of: number) => told.push(`${done}/${of}`),
      onDone: (_: unknown, records: number) => told.push(`done ${records}`),
    },
  };
}

const items = Array.from({ length: 150 }, (_, i) => pair(i));
const whose = { client: "Zürich", set: "train" } as const;

test("asks the base once a record, in chunks, and gives the same numbers after a restart to the last bit", async () => {
  const store = memoryStore();
  const first = base();
  const cache = referenceCache({ needed: true, store, ...first.options });
  const filled = await cache.of(whose, items);
  expect(await cache.of(whose, items)).toBe(filled);
  expect(first.asked).toEqual(items.map(({ id }) => id));
  expect(first.told).toEqual(["0/150", "64/150", "64/150", "128/150", "128/150", "150/150", "done 150"]);
  expect(filled[149]!.reference).toEqual({ chosen: -149.1, rejected: -149.1 / 3 });

  const second = base();
  expect(await referenceCache({ needed: true, store, ...second.options }).of(whose, items)).toEqual(filled);
  expect(second.asked).toEqual([]);
});

test("of a validation part, which may be another at the next start, the base is asked at each", async () => {
  const store = memoryStore();
  const part = { client: "Zürich", set: "validation" } as const;
  const [first, second] = [base(), base()];
  const filled = await referenceCache({ needed: true, store, ...first.options }).of(part, items);
  expect(filled[149]!.reference).toEqual({ chosen: -149.1, rejected: -149.1 / 3 });
  const others = items.map((item, i) => ({ ...item, id: `p${i + 1}` }));
  const again = await referenceCache({ needed: true, store, ...second.options }).of(part, others);
  expect(again[149]!.reference).toEqual({ chosen: -150.1, rejected: -150.1 / 3 });
  expect(second.told).toEqual(["done 150"]);
});

test("what a crash left out is all that is asked for again", async () => {
  const store = memoryStore();
  const dying = base("p100");
  const cache = referenceCache({ needed: true, store, ...dying.options });
  await expect(cache.of(whose, items)).rejects.toThrow("killed");
  // The same process may try again, too.
  await expect(cache.of(whose, items)).rejects.toThrow("killed");
  const next = base();
  const filled = await referenceCache({ needed: true, store, ...next.options }).of(whose, items);
  expect(dying.asked).toHaveLength(64);
  expect(next.asked).toEqual(items.slice(64).map(({ id }) => id));
  expect(filled.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
});

test("gives back the items themselves where the objective has no reference", async () => {
  const { options, asked } = base();
  const cache = referenceCache({ needed: false, store: memoryStore(), ...options });
  expect(await cache.of(whose, items)).toBe(items);
  expect(asked).toEqual([]);
});

test("keeps clients, sets and kinds of items apart", async () => {
  const store = memoryStore();
  const { options, asked } = base();
  const cache = referenceCache({ needed: true, store, ...options });
  await cache.of(whose, items.slice(0, 2));
  const heldOut = await cache.of({ ...whose, set: "heldOut" }, [rated(8)]);
  const other = await cache.of({ ...whose, client: "Bern" }, [pair(9)]);
  expect(heldOut[0]!.reference).toEqual({ answer: -8.1, mismatched: -8.1 / 7 });
  expect(other[0]!.reference!.chosen).toBe(-9.1);
  expect(asked).toEqual(["p0", "p1", "a8", "p9"]);
});
