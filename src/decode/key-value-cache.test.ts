import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyValueCache } from "./key-value-cache.ts";

const [rows, heads, headDim, capacity, tensors] = [3, 2, 2, 200, 2];

/** Counts up, so that every number put into the cache is another one. */
function numbered(length: number, from: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => from + i);
}

const operations = fc.array(
  fc.oneof(
    fc.record({ move: fc.tuple(fc.nat(rows - 1), fc.nat(rows - 1)) }),
    fc.record({ clear: fc.nat(rows - 1) }),
    fc.nat(rows - 1).chain((first) =>
      fc.record({
        first: fc.constant(first),
        counts: fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: rows - first }),
      }),
    ),
  ),
  { maxLength: 12 },
);

test("holds what lists of vectors, one for each row and head, would hold", () => {
  fc.assert(
    fc.property(operations, (steps) => {
      const cache = new KeyValueCache({ tensors, rows, heads, headDim, capacity });
      let twin = Array.from({ length: rows }, () => Array.from({ length: tensors * heads }, (): number[][] => []));
      let next = 1;
      for (const step of steps) {
        if ("move" in step) {
          cache.move(...step.move);
          twin = twin.map((row, i) => (i === step.move[1] ? structuredClone(twin[step.move[0]]!) : row));
        } else if ("clear" in step) {
          cache.clear(step.clear);
          twin[step.clear] = Array.from({ length: tensors * heads }, () => []);
        } else {
          const { first, counts } = step;
          if (counts.some((count, i) => cache.lengths[first + i]! + count > capacity)) continue;
          const length = Math.max(...counts);
          const fresh = Array.from({ length: tensors }, () => {
            const data = numbered(counts.length * heads * length * headDim, next);
            next += data.length;
            return data;
          });
          fresh.forEach((data, t) =>
            counts.forEach((count, row) => {
              for (let head = 0; head < heads; head++) {
                for (let i = 0; i < count; i++) {
                  const at = ((row * heads + head) * length + i) * headDim;
                  twin[first + row]![t * heads + head]!.push([...data.subarray(at, at + headDim)]);
                }
              }
            }),
          );
          cache.append(first, Float32Array.from(fresh.flatMap((data) => [...data])), counts);
        }
      }
      expect(cache.lengths).toEqual(twin.map((row) => row[0]!.length));
      const views = cache.view(0, rows);
      views.forEach(({ shape, data }, t) => {
        const places = shape[2]!;
        twin.forEach((row, r) => {
          for (let head = 0; head < heads; head++) {
            row[t * heads + head]!.forEach((vector, i) => {
              const at = ((r * heads + head) * places + i) * headDim;
              expect([...(data as Float32Array).subarray(at, at + headDim)]).toEqual(vector);
            });
          }
        });
      });
    }),
    { numRuns: 60 },
  );
});

test("more than it has room for is refused", () => {
  const cache = new KeyValueCache({ tensors: 1, rows: 1, heads: 1, headDim: 1, capacity: 3 });
  expect(() => cache.append(0, new Float32Array(4), [4])).toThrow("a cache of 3 places cannot hold 4");
});
