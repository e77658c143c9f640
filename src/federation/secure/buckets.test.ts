import { describe, expect, it } from "vitest";
import { type Fate, playSecure, RULES, type SecurePlay } from "../../../test/support/secure.ts";
import type { Store } from "../../store/store.ts";
import type { Groups } from "../../tensor/groups.ts";
import type { Params } from "../../tensor/params.ts";
import type { Aggregator, Judgement, Updates } from "../../updates/aggregator.ts";
import { aggregatorOf } from "../../updates/aggregator-registry.ts";
import type { RunEvent } from "../events.ts";
import { keys } from "../protocol/keys.ts";

const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
const rules = { ...RULES, buckets: 3 };
const valuesOf = (of: Params): number[] => [...of.values()].flatMap(({ data }) => [...data]);

/** The mean, and what it was given: one update a bucket. */
function watched(seen: { entries: Updates["entries"]; updates: Groups[]; clients: number | undefined }[]): Aggregator {
  const mean = aggregatorOf("mean");
  return {
    ...mean,
    async combine(groups, updates, context) {
      const all: Groups[] = [];
      for (const place of updates.entries.keys()) all.push(await updates.read(place));
      seen.push({ entries: updates.entries, updates: all, clients: context.clients });
      for (const { client } of updates.entries) context.report?.({ client, weight: 1 } satisfies Judgement);
      return mean.combine(groups, updates, context);
    },
  };
}

const play = (aggregator: Aggregator, changes: Partial<SecurePlay> = {}) =>
  playSecure({ names, rules, ...changes, options: { aggregator, ...changes.options } });

/** The neighbours that each client sealed shares for. */
async function neighboursIn(store: Store): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const client of names) {
    const cell = JSON.parse(new TextDecoder().decode(await store.read(keys.clientShares(1, client)))) as object;
    found.set(client, Object.keys((cell as { envelopes: object }).envelopes).sort());
  }
  return found;
}

describe("buckets over secure aggregation", () => {
  it("open the sum of each bucket: the rule sees their means, and the mean of them is the mean of all", async () => {
    const seen: Parameters<typeof watched>[0] = [];
    const { outcome } = await play(watched(seen));
    const plain = await playSecure({ names });
    valuesOf(outcome.adapter).forEach((value, i) =>
      expect(Math.abs(value - valuesOf(plain.outcome.adapter)[i]!)).toBeLessThan(2e-6),
    );
    const [{ entries, updates, clients }] = seen as [(typeof seen)[number]];
    expect(clients).toBe(10);
    expect(entries.map(({ client }) => client)).toEqual(["bucket 1", "bucket 2", "bucket 3"]);
    expect(entries.reduce((sum, { records }) => sum + records, 0)).toBe(550);
    expect(new Set(updates.map(({ delta }) => JSON.stringify(valuesOf(delta!)))).size).toBe(3);
  });

  it("no client shares a secret with one of another bucket", async () => {
    const { store } = await play(watched([]));
    const neighbours = await neighboursIn(store);
    const groups = new Set([...neighbours].map(([client, others]) => [client, ...others].sort().join("")));
    expect([...groups].map((group) => group.length).sort((one, other) => one - other)).toEqual([3, 3, 4]);
    expect([...groups].join("").length).toBe(10);
  });

  it("tell each client the part of its bucket", async () => {
    const told: RunEvent[] = [];
    const events = { emit: (event: RunEvent) => told.push(event), flush: async () => undefined };
    await play(watched([]), { options: { events } });
    const weighed = told.flatMap((event) => (event.type === "update-weighed" ? [event.client] : []));
    expect(weighed.sort()).toEqual(names);
  });

  it("a hostile client moves its bucket alone: the median of buckets stays near the honest mean", async () => {
    const poisoned: Partial<SecurePlay> = {
      participant: (client) =>
        client === "c"
          ? {
              trainer: {
                async train(task) {
                  const after = new Map(
                    [...task.adapter].map(([name, { shape, data }]) => [name, { shape, data: data.map((x) => x + 4) }]),
                  );
                  const figures = { loss: 1, count: 1, metrics: {}, examples: 1, supervisedTokens: 1, seconds: 0 };
                  task.onStart(0);
                  return { ...figures, before: task.adapter, after, steps: 1, learningRateSum: 0.1 };
                },
              },
            }
          : {},
    };
    const honest = valuesOf((await play(aggregatorOf("median"))).outcome.adapter);
    const median = valuesOf((await play(aggregatorOf("median"), poisoned)).outcome.adapter);
    const mean = valuesOf((await playSecure({ names, ...poisoned })).outcome.adapter);
    const distance = (from: readonly number[]): number => Math.max(...from.map((x, i) => Math.abs(x - honest[i]!)));
    expect(distance(median)).toBeLessThan(distance(mean) / 2);
  });

  it.each(["keys", "shares", "update", "unmask"] as const)(
    "bear a client that is gone in the phase %s, or fail the round where its bucket is too small",
    async (fate: Fate) => {
      for (const lost of ["a", "e"]) {
        const seen: Parameters<typeof watched>[0] = [];
        const { close } = await play(watched(seen), { lostIn: { [lost]: fate } });
        if (close.failed !== undefined) {
          expect(close.failed).toMatch(
            /a bucket of the round has \d clients left, expected 3|expected 9 or more|do not open the masks/,
          );
          expect(close.accepted).toEqual([]);
          expect(seen).toEqual([]);
        } else {
          const { entries, updates } = seen[0]!;
          expect(entries).toHaveLength(3);
          expect(updates.every(({ delta }) => valuesOf(delta!).every((x) => Math.abs(x) < 1))).toBe(true);
        }
      }
    },
  );
});
