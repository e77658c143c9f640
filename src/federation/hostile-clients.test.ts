import { describe, expect, it } from "vitest";
import { Life, roster, initialAdapter, simulationOf } from "../../test/support/federation.ts";
import { memoryStore } from "../store/memory-store.ts";
import { type Params, scale } from "../tensor/params.ts";
import { stagesOf } from "../updates/stage-registry.ts";
import type { Hostile } from "./hostile.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

interface Seen {
  readonly honest: readonly Params[];
  readonly clients: number;
  readonly hostile: number;
}

function hostileOf(clients: readonly string[], seen: Seen[] = [], colludes = true): Hostile {
  return {
    clients: new Set(clients),
    colludes,
    change(own, { random, ...what }) {
      seen.push(what);
      random.normal();
      return scale(own, -1);
    },
  };
}

const play = (changes: Partial<SimulationOptions>) => simulate(simulationOf(memoryStore(), memoryStore(), changes));

describe("hostile clients of a simulation", () => {
  it("send another change than they trained, and the others do not", async () => {
    const honest = await play({ rounds: 1 });
    const one = await play({ rounds: 1, hostile: hostileOf(["ann"]) });
    expect(one.head.adapter).not.toBe(honest.head.adapter);
    // All sign-flipped: the mean change is.
    const all = await play({
      rounds: 1,
      hostile: hostileOf(
        roster.map(({ name }) => name),
        [],
        false,
      ),
    });
    for (const [name, { data }] of honest.adapter) {
      const [begin, flipped] = [initialAdapter.get(name)!.data, all.adapter.get(name)!.data];
      data.forEach((x, i) => expect(flipped[i]! - begin[i]!).toBeCloseTo(begin[i]! - x, 5));
    }
  });

  it.each([[undefined], [[{ name: "clip", maxNorm: 100 }] as never]])(
    "see what every honest client sent in the round, whoever is drawn first: stages %o",
    async (stages) => {
      const seen: Seen[] = [];
      await play({ hostile: hostileOf(["ann", "cy"], seen), stages: stagesOf(stages) });
      expect(seen).toHaveLength(4);
      for (const { honest, clients, hostile } of seen) {
        expect(honest).toHaveLength(2);
        expect([clients, hostile]).toEqual([4, 2]);
      }
      // Both of a round see the same.
      expect(seen[0]!.honest).toEqual(seen[1]!.honest);
    },
  );

  it("send what they trained in a round without an honest client", async () => {
    const seen: Seen[] = [];
    const all = roster.map(({ name }) => name);
    const { head } = await play({ hostile: hostileOf(all, seen) });
    expect(seen).toEqual([]);
    expect(head.adapter).toBe((await play({})).head.adapter);
  });

  it("end with the same bytes when the run is killed anywhere", async () => {
    const hostile = hostileOf(["bob"]);
    const counting = new Life();
    const expected = await simulate(simulationOf(counting.wrap(memoryStore()), memoryStore(), { hostile }));
    for (let at = 1; at <= counting.operations; at++) {
      const [store, own] = [memoryStore(), memoryStore()];
      await expect(simulate(simulationOf(new Life(at, true).wrap(store), own, { hostile }))).rejects.toThrow("killed");
      expect((await simulate(simulationOf(store, own, { hostile }))).head).toEqual(expected.head);
    }
  });
});
