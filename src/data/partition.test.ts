import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stream } from "../tensor/random.ts";
import {
  describePartition,
  PARTITIONERS,
  type Partitionable,
  type PartitionName,
  type PartitionStreams,
  type Shard,
} from "./partition.ts";

const seeded =
  (seed: number): PartitionStreams =>
  (...key) =>
    stream(seed, ...key);

/** Records with the given topic each. */
function topics(values: readonly unknown[]): Partitionable[] {
  return values.map((topic, i) => ({
    id: `f#${i + 1}`,
    source: { file: "f.jsonl", line: i + 1, record: i + 1 },
    fields: { meta: { topic }, text: "x" },
  }));
}
const sizes = (shards: readonly Shard[]): number[] => shards.map(({ records }) => records.length);

describe.each(Object.keys(PARTITIONERS) as PartitionName[])("%s", (name) => {
  it("gives every record to exactly one client, ascending, and the same for the same seed", () => {
    const labels = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { minLength: 40, maxLength: 80 });
    fc.assert(
      fc.property(
        labels,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(0.3, 1, 100),
        fc.integer(),
        (values, clients, alpha, seed) => {
          fc.pre(new Set(values).size >= clients);
          const options = { clients, alpha, field: "meta.topic" };
          const shards = PARTITIONERS[name](topics(values), options, seeded(seed));
          expect(shards).toHaveLength(clients);
          expect(new Set(shards.map(({ client }) => client)).size).toBe(clients);
          for (const { records } of shards) expect([...records]).toEqual([...records].toSorted((a, b) => a - b));
          expect(shards.flatMap(({ records }) => [...records]).toSorted((a, b) => a - b)).toEqual(
            values.map((_, i) => i),
          );
          expect(PARTITIONERS[name](topics(values), options, seeded(seed))).toEqual(shards);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("iid", () => {
  it("deals evenly, differently for another seed", () => {
    const shards = PARTITIONERS.iid(topics(Array(11).fill("a")), { clients: 3 }, seeded(1));
    expect(sizes(shards)).toEqual([4, 4, 3]);
    expect(PARTITIONERS.iid(topics(Array(11).fill("a")), { clients: 3 }, seeded(2))).not.toEqual(shards);
  });

  it("refuses more clients than records", () => {
    expect(() => PARTITIONERS.iid(topics(["a", "b"]), { clients: 3 }, seeded(1))).toThrow(
      expect.objectContaining({
        kind: "data",
        message: "2 records cannot give 3 clients at least 1 each",
      }),
    );
  });
});

describe("dirichlet", () => {
  const values = Array.from({ length: 3000 }, (_, i) => "abc"[i % 3]!);
  /** Mean over clients of the largest label's share: 1/3 is even, 1 is one label a client. */
  const skew = (alpha: number): number => {
    const records = topics(values);
    const shards = PARTITIONERS.dirichlet(records, { clients: 6, alpha, field: "meta.topic" }, seeded(5));
    const { clients } = describePartition(shards, records, "meta.topic");
    return clients.reduce((sum, { counts, records: n }) => sum + Math.max(...counts) / n, 0) / clients.length;
  };

  it("tends to an even mix for a large alpha and to one label a client for a small one", () => {
    expect(skew(1e5)).toBeLessThan(0.36);
    expect(skew(0.01)).toBeGreaterThan(0.9);
    expect(skew(1)).toBeGreaterThan(skew(100));
  });

  it("draws again until every client has minRecords", () => {
    const first = PARTITIONERS.dirichlet(
      topics(values),
      { clients: 10, alpha: 0.1, field: "meta.topic", minRecords: 0 },
      seeded(3),
    );
    expect(Math.min(...sizes(first))).toBeLessThan(50);
    const again = PARTITIONERS.dirichlet(
      topics(values),
      { clients: 10, alpha: 0.1, field: "meta.topic", minRecords: 50 },
      seeded(3),
    );
    expect(Math.min(...sizes(again))).toBeGreaterThanOrEqual(50);
  });

  it("gives up with the name of a client left with nothing, and what to do", () => {
    const records = topics([...Array<string>(6).fill("a"), "b"]);
    expect(() =>
      PARTITIONERS.dirichlet(records, { clients: 6, alpha: 1e-3, field: "meta.topic", maxTries: 5 }, seeded(1)),
    ).toThrow(
      expect.objectContaining({
        kind: "data",
        message: expect.stringMatching(
          /^the partition dirichlet \(alpha 0\.001, 5 draws\) leaves client client-\d with no data, expected at least 1$/,
        ) as string,
        hint: "Raise alpha, ask for fewer clients, or lower minRecords.",
      }),
    );
    expect(() =>
      PARTITIONERS.dirichlet(records, { clients: 6, alpha: 1, field: "meta.topic", minRecords: 2 }, seeded(1)),
    ).toThrow("7 records cannot give 6 clients at least 2 each");
  });
});

describe("field", () => {
  const records = topics(["law", "bank", "law", "law", "bank", "care", "law", 3]);

  it("makes one client a value, named after it", () => {
    expect(PARTITIONERS.field(records, { field: "meta.topic" }, seeded(1))).toEqual([
      { client: "3", records: Int32Array.of(7) },
      { client: "bank", records: Int32Array.of(1, 4) },
      { client: "care", records: Int32Array.of(5) },
      { client: "law", records: Int32Array.of(0, 2, 3, 6) },
    ]);
  });

  it("deals values to fewer clients, the largest first", () => {
    const shards = PARTITIONERS.field(records, { field: "meta.topic", clients: 2 }, seeded(1));
    expect(shards).toEqual([
      { client: "client-1", records: Int32Array.of(0, 2, 3, 6) },
      { client: "client-2", records: Int32Array.of(1, 4, 5, 7) },
    ]);
  });

  it("refuses more clients than values, and records without the field", () => {
    expect(() => PARTITIONERS.field(records, { field: "meta.topic", clients: 5 }, seeded(1))).toThrow(
      '5 clients need 5 values of "meta.topic", got 4',
    );
    expect(() => PARTITIONERS.field(records, { field: "txt" }, seeded(1))).toThrow(
      expect.objectContaining({
        message: 'f.jsonl line 1: nothing under "txt", expected a label to partition by (and 7 more)',
        hint: 'Did you mean "text"?',
      }),
    );
  });
});

describe("quantity", () => {
  it("has sizes that spread as Dirichlet proportions do", () => {
    // The variance of a share of Dirichlet(α, …, α) over n is (n − 1)/(n²(nα + 1)).
    const records = topics(Array(1000).fill("a"));
    const clients = 4;
    for (const alpha of [0.5, 5]) {
      const options = { clients, alpha, minRecords: 0 };
      const shares = Array.from(
        { length: 400 },
        (_, seed) => PARTITIONERS.quantity(records, options, seeded(seed))[0]!.records.length / 1000,
      );
      const variance = shares.reduce((sum, share) => sum + (share - 1 / clients) ** 2, 0) / shares.length;
      expect(variance / ((clients - 1) / (clients ** 2 * (clients * alpha + 1)))).toBeGreaterThan(0.75);
      expect(variance / ((clients - 1) / (clients ** 2 * (clients * alpha + 1)))).toBeLessThan(1.3);
    }
  });
});

it("describes a partition by counts that add up", () => {
  const records = topics(["x", "y", "x", "z"]);
  const shards: Shard[] = [
    { client: "one", records: Int32Array.of(0, 1, 2) },
    { client: "two", records: Int32Array.of(3) },
  ];
  expect(describePartition(shards, records, "meta.topic")).toEqual({
    labels: ["x", "y", "z"],
    clients: [
      { client: "one", records: 3, counts: [2, 1, 0] },
      { client: "two", records: 1, counts: [0, 0, 1] },
    ],
  });
  expect(describePartition(shards, records).clients.map(({ records }) => records)).toEqual([3, 1]);
});

it("names a partition's missing settings", () => {
  const records = topics(["x", "y"]);
  expect(() => PARTITIONERS.dirichlet(records, { clients: 2, field: "meta.topic" }, seeded(1))).toThrow(
    /needs alpha, a number above 0, got none/,
  );
  expect(() => PARTITIONERS.field(records, {}, seeded(1))).toThrow(/needs a field/);
  expect(() => PARTITIONERS.iid(records, { clients: 1.5 }, seeded(1))).toThrow(/needs a number of clients, got 1.5/);
});
