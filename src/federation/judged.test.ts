import { describe, expect, it } from "vitest";
import { Life, quiet, roster, simulationOf } from "../../test/support/federation.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { decodeGroups } from "../store/codec.ts";
import { type AggregatorName, aggregatorOf } from "../updates/aggregator-registry.ts";
import type { RunEvent } from "./events.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

const settings = { byzantine: 0.2, buckets: undefined };

const options = (store: Store, own: Store, aggregator: AggregatorName, changes: Partial<SimulationOptions> = {}) =>
  simulationOf(store, own, { aggregator: aggregatorOf(aggregator, settings), ...changes });

describe("a round whose rule judges its updates", () => {
  it("tells the part of each client, before the end of the round", async () => {
    const events: RunEvent[] = [];
    const sink = { ...quiet, emit: (event: RunEvent) => events.push(event) };
    const store = memoryStore();
    await simulate(options(store, memoryStore(), "trimmedMean", { events: sink }));
    const told = events.filter(({ type }) => type === "update-weighed" || type === "round-end");
    expect(told.map(({ type }) => type)).toEqual(
      Array.from({ length: 2 }, () => [...roster.map(() => "update-weighed"), "round-end"]).flat(),
    );
    // Of each coordinate the lowest and the highest of four values are cut.
    const weights = told.flatMap((event) =>
      event.type === "update-weighed" && event.round === 1 ? [event.weight] : [],
    );
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(4, 9);
  });

  it.each(["foolsgold", "centredClipping"] as const)("keeps what the rule remembers in the state: %s", async (name) => {
    const store = memoryStore();
    const { head } = await simulate(options(store, memoryStore(), name));
    const state = decodeGroups(await store.blob(head.state), "state");
    const own = name === "foolsgold" ? roster.map((client) => `aggregator.${client.name}`) : ["aggregator.centre"];
    expect(Object.keys(state).sort()).toEqual(own.sort());
  });

  it.each(["foolsgold", "centredClipping"] as const)(
    "ends with the same bytes when it is killed anywhere: %s",
    async (name) => {
      const counting = new Life();
      const expected = await simulate(options(counting.wrap(memoryStore()), memoryStore(), name));
      for (let at = 1; at <= counting.operations; at++) {
        const [store, own] = [memoryStore(), memoryStore()];
        await expect(simulate(options(new Life(at, true).wrap(store), own, name))).rejects.toThrow("killed");
        const { head } = await simulate(options(store, own, name));
        expect(head).toEqual(expected.head);
      }
    },
  );
});
