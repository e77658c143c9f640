import fc from "fast-check";
import { expect, test } from "vitest";
import { Places } from "./places.ts";

test("never more are taken than there are, everybody gets in, and in the order they came", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }), async (counts) => {
      const places = new Places(5);
      let taken = 0;
      const order: number[] = [];
      await Promise.all(
        counts.map(async (count, i) => {
          const leave = await places.take(count);
          order.push(i);
          taken += count;
          expect(taken).toBeLessThanOrEqual(5);
          await new Promise((resolve) => setImmediate(resolve));
          taken -= count;
          leave();
        }),
      );
      expect(order).toEqual(counts.map((_, i) => i));
    }),
    { numRuns: 50 },
  );
});

test("who is stopped while waiting takes nothing and holds nobody up", async () => {
  const places = new Places(2);
  const leave = await places.take(1);
  const stopping = new AbortController();
  const large = places.take(2, stopping.signal);
  const small = places.take(1);
  stopping.abort();
  await expect(large).rejects.toThrow(/abort/i);
  (await small)();
  leave();
  (await places.take(2))();
  await expect(places.take(1, stopping.signal)).rejects.toThrow(/abort/i);
});
