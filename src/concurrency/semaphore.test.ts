import fc from "fast-check";
import { expect, test } from "vitest";
import { Semaphore } from "./semaphore.ts";

test("never more permits are out than there are, and every call gets its own, in the order of the calls", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }), async (counts) => {
      const semaphore = new Semaphore(5);
      let taken = 0;
      const order: number[] = [];
      await Promise.all(
        counts.map(async (count, i) => {
          const release = await semaphore.acquire(count);
          order.push(i);
          taken += count;
          expect(taken).toBeLessThanOrEqual(5);
          await new Promise((resolve) => setImmediate(resolve));
          taken -= count;
          release();
        }),
      );
      expect(order).toEqual(counts.map((_, i) => i));
    }),
    { numRuns: 50 },
  );
});

test("a call that is aborted while it waits takes nothing and holds no other up", async () => {
  const semaphore = new Semaphore(2);
  const release = await semaphore.acquire(1);
  const stopping = new AbortController();
  const large = semaphore.acquire(2, stopping.signal);
  const small = semaphore.acquire(1);
  stopping.abort();
  await expect(large).rejects.toThrow(/abort/i);
  (await small)();
  release();
  (await semaphore.acquire(2))();
  await expect(semaphore.acquire(1, stopping.signal)).rejects.toThrow(/abort/i);
});
