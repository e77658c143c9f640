import { expect, it } from "vitest";
import {
  initialAdapter,
  participantOf,
  QuadraticTrainer,
  quiet,
  roster,
  scored,
  simulationOf,
  targets,
} from "../../test/support/federation.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import { Metrics } from "../experiment/results/metrics.ts";
import { encodeGroups, encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import type { RunEvent } from "./events.ts";
import { keys } from "./protocol/keys.ts";
import { PROTOCOL } from "./protocol/messages.ts";
import { adapterBytes } from "./round.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

const settings = { server: { beta1: 0.9, beta2: 0.99 } };

async function run(changes: Partial<SimulationOptions> = {}) {
  const store = memoryStore();
  const events: RunEvent[] = [];
  const outcome = await simulate(
    simulationOf(store, memoryStore(), {
      algorithm: algorithmOf("fedavg", { weighting: "uniform" }),
      evaluateEvery: 1,
      events: { ...quiet, emit: (event) => events.push(event) },
      ...changes,
    }),
  );
  return { store, events, outcome };
}

async function cell(store: Store, key: string): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(await store.read(key))) as Record<string, unknown>;
}

it("a client that keeps its figures sends its update and what it cost to send", async () => {
  const { store, events, outcome } = await run({ figures: "kept", ...scored });
  const submission = await cell(store, "round-0001/update/ann");
  expect(Object.keys(submission).sort()).toEqual(["base", "bytesDown", "bytesUp", "client", "update"]);
  const joined = await cell(store, "member/ann");
  expect(joined).toMatchObject({ records: 1, heldOut: 0, data: "not sent", figures: "kept" });
  const close = await cell(store, "round-0001/close");
  for (const entry of close["accepted"] as object[]) {
    expect(Object.keys(entry).sort()).toEqual(["client", "records", "update"]);
  }
  // Nobody's own held-out records are scored; the common set is the coordinator's.
  expect(outcome.evaluations.flatMap(({ scores }) => scores.map(({ set }) => set))).toEqual([
    "common",
    "common",
    "common",
  ]);
  expect((await store.list("")).filter((key) => key.includes("/scores/"))).toEqual([]);
  const told = events.filter(({ type }) => type === "round-end" || type === "client-update");
  expect(told.every((event) => !("loss" in event))).toBe(true);
  expect(events.find(({ type }) => type === "run-start")).toMatchObject({
    clients: roster.map(({ name }) => ({ name, records: 0, heldOut: 0 })),
  });
  const metrics = new Metrics();
  for (const event of events) metrics.fold(event);
  expect(metrics.totals()).not.toHaveProperty("supervisedTokens");
  expect(metrics.rounds().at(-1)!.loss).toBeUndefined();
});

it("a client with an adapter of its own scores it for nobody", async () => {
  const algorithm = algorithmOf("fedavg", { weighting: "uniform", factors: "fedsa" });
  const initial = new Map([
    ["w.lora_A.weight", initialAdapter.get([...initialAdapter.keys()][0]!)!],
    ["w.lora_B.weight", initialAdapter.get([...initialAdapter.keys()][0]!)!],
  ]);
  const { store, events, outcome } = await run({ algorithm, initialAdapter: initial, figures: "kept", ...scored });
  const cells = (await store.list("")).filter((key) => key.includes("/scores/"));
  expect(cells).not.toEqual([]);
  for (const key of cells) expect(await cell(store, key)).toMatchObject({ scores: [] });
  expect(outcome.evaluations.slice(1).flatMap(({ scores }) => scores)).toEqual([]);
  const told = events.flatMap((event) => (event.type === "evaluation-end" ? [event.round] : []));
  expect(told.every((round) => round === 0)).toBe(true);
});

it("a client that keeps its figures gives no scores, whoever asks", async () => {
  const store = memoryStore();
  const participant = participantOf(store, "ann", algorithmOf("fedavg"), {
    figures: "kept",
    evaluate: scored.evaluateClient("ann"),
  });
  await participant.join({ protocol: PROTOCOL, records: 4, heldOut: 2, data: "hash" });
  const adapter = await store.putBlob(adapterBytes(initialAdapter));
  const state = await store.putBlob(encodeGroups({}, { kind: "state" }));
  await store.setHead(0, encodeJson({ protocol: PROTOCOL, round: 0, adapter, state, identity: "settings" }));
  await store.create(keys.evaluationRequest(0), encodeJson({ round: 0, adapter, clients: ["ann"] }));
  expect(await participant.act()).toBe("worked");
  expect(await cell(store, keys.clientScores(0, "ann"))).toMatchObject({ scores: [], withheld: [{ set: "ann" }] });
});

it("figures change nothing: the adapter is that of clients that send them", async () => {
  const sent = await run();
  const kept = await run({ figures: "kept" });
  expect(kept.outcome.head.adapter).toBe(sent.outcome.head.adapter);
});

it.each(["fedavg", "scaffold"] as const)("training that is not finite is sent as no change: %s", async (name) => {
  const algorithm = algorithmOf(name, { ...settings, weighting: "uniform" });
  const broken = { ...targets, bob: Number.NaN };
  const { store, events, outcome } = await run({
    algorithm,
    figures: "kept",
    trainer: new QuadraticTrainer(broken),
  });
  expect(events.filter(({ type }) => type === "client-refused")).toEqual([]);
  expect(await cell(store, "round-0002/update/bob")).not.toHaveProperty("refused");
  expect(outcome.head.round).toBe(2);
  const others = { trainer: new QuadraticTrainer(broken), clients: roster.filter(({ name: who }) => who === "bob") };
  const alone = await run({ algorithm, figures: "kept", ...others, clientsPerRound: 1 });
  const still = await run({ algorithm, ...others, rounds: 0 });
  expect(alone.outcome.head.adapter).toBe(still.outcome.head.adapter);
});
