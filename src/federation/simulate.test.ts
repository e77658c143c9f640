import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Algorithm } from "../algorithms/algorithm.ts";
import { algorithmOf } from "../algorithms/registry.ts";
import {
  FIGURES,
  initialAdapter,
  Life,
  QuadraticTrainer,
  quiet,
  roster,
  scored,
  targets,
} from "../../test/support/federation.ts";
import { directoryStore } from "../node/store/directory-store.ts";
import { openEventLog } from "../node/store/event-log.ts";
import { globalNorm, mapParams, type Params, subtract } from "../tensor/params.ts";
import { encodeSafetensors } from "../tensor/safetensors.ts";
import type { LocalTrainer } from "./local-trainer.ts";
import { Participant } from "./participant.ts";
import type { Aggregator } from "../updates/aggregator.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import { downlinkOf, stagesOf } from "../updates/stage-registry.ts";
import { clientMemory } from "./client-memory.ts";
import { decodeGroups, encodeGroups, encodeJson } from "../store/codec.ts";
import { decideRound, Judge } from "./decision.ts";
import { aggregate, beginRun, closeRound, openRound, readAdapter, receive } from "./round.ts";
import type { EventSink, RunEvent } from "./events.ts";
import type { Store } from "../store/store.ts";
import { memoryStore } from "../store/memory-store.ts";
import { createMessage, readHead, readMessage } from "./protocol/cells.ts";
import { text } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import { type Member, PROTOCOL, submission, type SubmittedUpdate } from "./protocol/messages.ts";
import { eventsThatHold } from "./resume.ts";
import { simulate, type SimulationOptions } from "./simulate.ts";

const temporary = mkdtempSync(path.join(tmpdir(), "federation-"));
afterAll(() => rmSync(temporary, { recursive: true }), 60_000);
let folders = 0;
const newPath = (name: string): string => path.join(temporary, String(++folders), name);

const settings = { proxMu: 0.1, server: { beta1: 0.9, beta2: 0.99 } };

/** Without state, with the server's, with both the server's and the clients', and with adapters of the clients' own. */
const CRASHING: readonly Algorithm[] = [
  algorithmOf("fedavg", settings),
  algorithmOf("fedadam", settings),
  algorithmOf("scaffold", settings),
  algorithmOf("local", settings),
];

/** What a client has not sent, and the adapter that it holds, lie in its own store; the difference lies in the exchange. */
const COMPRESSED = {
  algorithm: CRASHING[2]!,
  stages: stagesOf([{ name: "clip", maxNorm: 1 } as never, { name: "int4" }]),
  downlink: downlinkOf({ name: "topk", share: 0.4 } as never),
};

function options(store: Store, changes: Partial<SimulationOptions> = {}): SimulationOptions {
  return {
    store,
    algorithm: algorithmOf("fedavg"),
    trainer: new QuadraticTrainer(targets),
    memory: clientMemory(memoryStore(), store),
    initialAdapter,
    identity: "settings",
    seed: 7,
    rounds: 4,
    clients: roster,
    clientsPerRound: 2,
    minClients: 1,
    learningRate: (round) => 0.1 / round,
    evaluateEvery: 2,
    events: quiet,
    ...changes,
  };
}

async function finalAdapter(changes: Partial<SimulationOptions>): Promise<string> {
  return (await simulate(options(memoryStore(), changes))).head.adapter;
}

describe("a run", () => {
  it("tells in events what it did", async () => {
    const exchange = memoryStore();
    const events: RunEvent[] = [];
    const sink = { ...quiet, emit: (event: RunEvent) => events.push(event) };
    const { head, adapter, evaluations } = await simulate(options(exchange, { events: sink, ...scored, rounds: 2 }));
    const training = ["client-start", "client-step", "client-step", "client-step", "client-update"];
    const round = ["round-start", ...training, ...training, "round-end"];
    const evaluation = ["ann", "cy", "common"].map(() => "evaluation-end");
    const all = ["run-start", ...evaluation, ...round, ...round, ...evaluation, "run-end"];
    expect(events.map(({ type }) => type)).toEqual(all);
    expect(head.round).toBe(2);
    expect(evaluations.map(({ round, scores }) => [round, scores[0]!.loss])).toEqual([
      [0, 0.25],
      [2, 2.25],
    ]);
    expect(await exchange.putBlob(encodeSafetensors(adapter, { format: "pt" }))).toBe(head.adapter);
    for (const event of events) {
      // Those of earlier rounds are forgotten.
      if (event.type === "client-update" && event.round < 2)
        await expect(exchange.blob(event.update)).rejects.toThrow();
      else if (event.type === "client-update") expect(event.bytesUp).toBe((await exchange.blob(event.update)).length);
      if (event.type === "client-update") expect(event.bytesDown).toBe((await exchange.blob(head.adapter)).length);
    }
    expect(events.at(-2)).toMatchObject({ round: 2 });
    expect(events.at(-1)).toMatchObject({ type: "run-end", rounds: 2, adapter: head.adapter });
  });

  it("says of a site that gives no scores that it withholds them", async () => {
    const exchange = memoryStore();
    const events: RunEvent[] = [];
    const sink = { ...quiet, emit: (event: RunEvent) => events.push(event) };
    const { evaluations } = await simulate(
      options(exchange, {
        ...scored,
        evaluateClient: (client) => (client === "ann" ? undefined : scored.evaluateClient(client)),
        events: sink,
        rounds: 1,
      }),
    );
    for (const { scores, withheld } of evaluations) {
      expect(scores.map(({ set }) => set)).toEqual(["cy", "common"]);
      expect(withheld).toEqual([{ set: "ann", reason: "this site gives no scores" }]);
    }
    expect(events.filter(({ type }) => type === "evaluation-withheld")).toHaveLength(2);
  });

  it("of one client is that client's local training, bit for bit", async () => {
    const clients = [roster[1]!];
    const trainer = new QuadraticTrainer(targets);
    let alone = initialAdapter;
    for (let round = 1; round <= 4; round++) {
      const task = {
        round,
        client: "bob",
        adapter: alone,
        learningRate: 0.1 / round,
        localRule: {},
        earlierRounds: 0,
        sent: "",
      };
      alone = (await trainer.train({ ...task, onStart: () => undefined, onStep: () => undefined })).after;
    }
    const { adapter } = await simulate(options(memoryStore(), { clients }));
    expect(encodeSafetensors(adapter)).toEqual(encodeSafetensors(alone));
  });

  it("of equal clients is the run of one of them, bit for bit", async () => {
    const same = new QuadraticTrainer({ ann: 1, bob: 1, cy: 1, dee: 1 });
    const all = await finalAdapter({ trainer: same, clientsPerRound: 4 });
    expect(await finalAdapter({ trainer: same, clients: [roster[0]!] })).toBe(all);
  });

  it("does not depend on the order of the clients, but on the seed", async () => {
    const ordered = await finalAdapter({});
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(roster, { minLength: 4 }), async (clients) => {
        expect(await finalAdapter({ clients })).toBe(ordered);
      }),
      { numRuns: 24 },
    );
    expect(await finalAdapter({ seed: 8 })).not.toBe(ordered);
  });

  it("that is finished does nothing again, and one with other settings is refused", async () => {
    const exchange = memoryStore();
    const first = await simulate(options(exchange));
    const trainer = new QuadraticTrainer(targets);
    expect((await simulate(options(exchange, { trainer }))).head).toEqual(first.head);
    expect(trainer.trained).toEqual([]);
    await expect(simulate(options(exchange, { identity: "other" }))).rejects.toMatchObject({
      kind: "config",
      message: "The run folder holds a run with other settings, 4 rounds of it done.",
    });
  });

  it("of another version is refused by name", async () => {
    const store = memoryStore();
    await store.setHead(0, encodeJson({ round: 2, adapter: "a", state: "b", config: "settings" }));
    await expect(simulate(options(store))).rejects.toMatchObject({
      kind: "storage",
      message: "The run was begun with version 0.1 of this software; this version works with protocol 1.",
    });
    const newer = memoryStore();
    await newer.setHead(0, encodeJson({ protocol: 99 }));
    await expect(simulate(options(newer))).rejects.toMatchObject({ hint: "Update this software to continue the run." });
  });

  it.each([
    [[], "There are no clients to train with."],
    [[roster[0]!, roster[0]!], 'Two clients are called "ann".'],
    [[{ name: "", records: 1, heldOut: 0 }], 'A client cannot be called ""'],
    [[{ name: "eve", records: 0, heldOut: 0 }], 'Client "eve" has 0 records to train on'],
  ])("refuses an unusable list of clients %#", async (clients, message) => {
    await expect(finalAdapter({ clients })).rejects.toThrow(message);
  });
});

/** The log as a multiset of lines, without what a restart may change. */
function lines(log: string): string[] {
  return readFileSync(log, "utf8")
    .trimEnd()
    .split("\n")
    .filter((line) => !line.includes('"run-resume"'))
    .map((line) => line.replace(/"seconds":[^,}]*/, ""))
    .sort();
}

interface Workplace {
  readonly exchange: Store;
  readonly own: Store;
  readonly log: string;
}

/** Runs as one process would: opens the log, goes on with the run, and dying leaves half of what was not flushed. */
async function live(place: Workplace, life: Life, changes: Partial<SimulationOptions> = {}): Promise<string> {
  const log = await openEventLog(place.log, await eventsThatHold(place.exchange));
  let durable = statSync(place.log).size;
  const events: EventSink = {
    emit: log.emit,
    flush: () =>
      life.operation(async () => {
        await log.flush();
        durable = statSync(place.log).size;
      }),
  };
  const exchange = life.wrap(place.exchange);
  const memory = clientMemory(life.wrap(place.own), exchange);
  try {
    return JSON.stringify((await simulate(options(exchange, { memory, events, ...changes }))).head);
  } catch (error) {
    truncateSync(place.log, durable + Math.ceil((statSync(place.log).size - durable) / 2));
    throw error;
  } finally {
    log.close();
  }
}

/** Removes the folder of a place: the crash tests make one for each operation. */
function leave({ log }: Workplace): void {
  rmSync(path.dirname(log), { recursive: true });
}

function memoryPlace(): Workplace {
  return { exchange: memoryStore(), own: memoryStore(), log: newPath("events.jsonl") };
}

// Thousands of short runs: on a busy machine they take minutes.
describe("after a crash", { timeout: 600_000 }, () => {
  const fragile = { ...targets, dee: Number.NaN };

  it.each([
    ...CRASHING.map((algorithm) => ({ name: algorithm.name, algorithm })),
    { name: "scaffold, compressed both ways", ...COMPRESSED },
  ])("at any operation the same call ends with the same bytes and events: $name", async ({ name: _name, ...how }) => {
    const changes = { ...how, ...scored, rounds: 3, clientsPerRound: 3, seed: 0 };
    const undisturbed = memoryPlace();
    const counting = new Life();
    const expected = await live(undisturbed, counting, { ...changes, trainer: new QuadraticTrainer(fragile) });

    const expectedLines = lines(undisturbed.log);
    expect(expectedLines.some((line) => line.includes("client-refused"))).toBe(true);

    for (let at = 1; at <= counting.operations; at++) {
      // To die after a read is to die before the next operation.
      for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
        const place = memoryPlace();
        await expect(
          live(place, new Life(at, afterwards), { ...changes, trainer: new QuadraticTrainer(fragile) }),
        ).rejects.toThrow("killed");
        const next = new QuadraticTrainer(fragile);
        const submitted = new Set((await place.exchange.list("")).filter((key) => key.includes("/update/")));
        expect(await live(place, new Life(), { ...changes, trainer: next })).toBe(expected);
        expect(lines(place.log), `operation ${at}, ${afterwards ? "after" : "before"}`).toEqual(expectedLines);
        for (const trained of next.trained) {
          const [round, client] = trained.split("/");
          expect(submitted).not.toContain(keys.update(Number(round), client!));
        }
        leave(place);
      }
    }
  });

  it("at any operation around an early stop, too", async () => {
    const stop: SimulationOptions["stop"] = (evaluations) =>
      evaluations.length < 3 ? undefined : { metric: "loss", patience: 2, minDelta: 0, best: { round: 0, value: 0.5 } };
    const changes = { ...scored, evaluateEvery: 1, rounds: 4, stop };
    const undisturbed = memoryPlace();
    const counting = new Life();
    const expected = await live(undisturbed, counting, changes);
    expect(JSON.parse(expected)).toMatchObject({ round: 2 });
    const expectedLines = lines(undisturbed.log);
    expect(expectedLines.filter((line) => /early-stop|run-end/.test(line))).toHaveLength(2);
    for (let at = 1; at <= counting.operations; at++) {
      // To die after a read is to die before the next operation.
      for (const afterwards of counting.reads.has(at) ? [false] : [false, true]) {
        const place = memoryPlace();
        await expect(live(place, new Life(at, afterwards), changes)).rejects.toThrow("killed");
        expect(await live(place, new Life(), changes)).toBe(expected);
        expect(lines(place.log), `operation ${at}, ${afterwards ? "after" : "before"}`).toEqual(expectedLines);
        leave(place);
      }
    }
  });

  it("and another, and another, in a folder", async () => {
    const expected = await live(memoryPlace(), new Life());
    const folder = newPath("run");
    const open = (): Workplace => ({
      exchange: directoryStore(path.join(folder, "exchange")),
      own: directoryStore(path.join(folder, "clients")),
      log: path.join(folder, "events.jsonl"),
    });
    let head: string | undefined;
    let lives = 0;
    while (head === undefined) {
      lives++;
      head = await live(open(), new Life(15 + lives, lives % 2 === 0)).catch(() => undefined);
    }
    expect(head).toBe(expected);
    expect(lives).toBeGreaterThan(4);
  });

  it("an evaluation that is stored is not made again", async () => {
    const place = memoryPlace();
    const evaluated: number[] = [];
    const evaluate: SimulationOptions["evaluate"] = async (what) => {
      evaluated.push(what.round);
      return scored.evaluate(what);
    };
    for (const at of [30, 60, 90, Number.POSITIVE_INFINITY]) {
      await live(place, new Life(at, true), { evaluate }).catch(() => undefined);
    }
    expect(evaluated).toEqual([0, 2, 4]);
  });
});

describe("a client whose training is not finite", () => {
  it("is refused, and the round goes on with the others", async () => {
    const events: RunEvent[] = [];
    const sink = { ...quiet, emit: (event: RunEvent) => events.push(event) };
    const trainer = new QuadraticTrainer({ ...targets, bob: Number.POSITIVE_INFINITY });
    const changes = { trainer, clientsPerRound: 4, rounds: 1, events: sink };
    const adapter = await finalAdapter(changes);
    expect(events.find(({ type }) => type === "client-refused")).toEqual({
      type: "client-refused",
      round: 1,
      client: "bob",
      reason: "the loss of step 1 is Infinity",
    });
    const others = roster.filter(({ name }) => name !== "bob");
    expect(await finalAdapter({ clients: others, clientsPerRound: 3, rounds: 1 })).toBe(adapter);
    expect(events.find(({ type }) => type === "round-end")).toMatchObject({
      accepted: ["ann", "cy", "dee"],
      refused: ["bob"],
    });
  });

  it("refuses itself, too, where all that is bad is what it would keep for itself", async () => {
    const memory = clientMemory(memoryStore(), memoryStore());
    const exchange = memoryStore();
    const trainer: LocalTrainer = {
      async train(task) {
        const result = await new QuadraticTrainer(targets).train(task);
        return { ...result, after: mapParams(result.after, () => Number.NaN) };
      },
    };
    const alone = options(exchange, { algorithm: algorithmOf("local", settings), trainer, memory, rounds: 1 });
    await expect(simulate(alone)).rejects.toMatchObject({
      kind: "training",
      message: expect.stringContaining("has a value that is not finite") as string,
    });
  });

  it("stops the run where too few are left; what is done stays, and the same call says the same", async () => {
    const exchange = memoryStore();
    await simulate(options(exchange, { clientsPerRound: 4, rounds: 1 }));
    const trainer = new QuadraticTrainer({ ann: Number.NaN, bob: Number.NaN, cy: Number.NaN, dee: 1 });
    const again = (): Promise<unknown> => simulate(options(exchange, { trainer, clientsPerRound: 4, minClients: 2 }));
    const message =
      /^Round 2 has 1 usable updates and needs 2 \(ann: the loss of step 1 is NaN; bob: .*\); 1 finished round is kept\.$/;
    await expect(again()).rejects.toMatchObject({
      kind: "training",
      message: expect.stringMatching(message) as string,
    });
    await expect(again()).rejects.toThrow(message);
    expect(trainer.trained).toHaveLength(4);
    expect((await exchange.head())?.revision).toBe(2);
  });
});

it("Ctrl-C stops after the step; the same call goes on to the same end", async () => {
  const undisturbed = await finalAdapter({});
  const place = memoryPlace();
  const stop = new AbortController();
  const trainer = new QuadraticTrainer(targets);
  const impatient: LocalTrainer = {
    train: (task) =>
      trainer.train({
        ...task,
        onStep(report) {
          if (task.round === 3 && report.step === 2) stop.abort();
          task.onStep(report);
        },
      }),
  };
  await expect(live(place, new Life(), { trainer: impatient, signal: stop.signal })).rejects.toMatchObject({
    kind: "interrupted",
    message: "Stopped in round 3; 2 finished rounds are kept, and so are the updates that clients have sent since.",
    hint: "Run the same command again to continue.",
  });
  expect(trainer.trained).toHaveLength(5);
  expect(JSON.parse(await live(place, new Life()))).toMatchObject({ round: 4, adapter: undisturbed });
});

const members = (clients: readonly string[]): Member[] =>
  clients.map((client, i) => ({ protocol: PROTOCOL, client, records: 10 * (i + 1), heldOut: 0, data: "" }));

/** A round opened by hand. */
async function opened(store: Store, clients: readonly string[]) {
  const algorithm = algorithmOf("fedavg");
  await beginRun(store, algorithm, initialAdapter, "settings");
  const { head } = (await readHead(store))!;
  const task = { clients, earlierRounds: clients.map(() => 0), learningRate: 0.1 };
  const opening = await openRound(store, algorithm, head, task);
  return { algorithm, head, opening, global: (await receive(store, opening)).received.adapter };
}

describe("a round", () => {
  it("is what its close names: a late update does not count, nor does a second one", async () => {
    const store = memoryStore();
    const clients = ["ann", "bob"];
    const { algorithm, head, opening } = await opened(store, clients);
    const memory = clientMemory(memoryStore(), store);
    const takePart = (client: string, pulls: Record<string, number>): Promise<string> =>
      new Participant({
        store,
        seed: 7,
        client,
        algorithm,
        memory,
        events: quiet,
        trainer: new QuadraticTrainer(pulls),
      }).act();
    expect(await takePart("ann", targets)).toBe("worked");
    const decision = await decideRound(store, algorithm, opening, members(clients));
    const close = await closeRound(store, decision);
    expect(await takePart("bob", targets)).toBe("worked");
    expect(await takePart("ann", { ann: 99 })).toBe("idle");

    const late = await decideRound(store, algorithm, opening, members(clients));
    expect(late).toEqual(close);
    expect(await closeRound(store, { ...close, accepted: [] })).toEqual(close);
    const next = await aggregate(store, algorithm, head, late, 2, { seed: 7 });
    expect(next.adapter).toBe(await finalAdapter({ clients: [roster[0]!], rounds: 1 }));
  });

  it("refuses an update of other shapes, of another adapter, or that is no update", async () => {
    const store = memoryStore();
    const clients = ["foreign", "group", "hole", "junk", "malformed", "name", "nan", "other", "shape"];
    const { algorithm, opening, global: good } = await opened(store, clients);
    const submit = async (client: string, bytes: Uint8Array, changes: Partial<SubmittedUpdate> = {}): Promise<void> => {
      const update = await store.putBlob(bytes);
      const message = { client, base: opening.adapter, update, ...FIGURES, ...changes };
      await store.create(keys.update(1, client), encodeJson(message));
    };
    const replaced = (data: Float32Array, shape = [data.length]): Params =>
      new Map([...good, ["lora_B.weight", { shape, data }]]);
    await submit("foreign", encodeGroups({ adapter: good }, {}), { base: "other" });
    await submit("group", encodeGroups({ adapter: good, extra: good }, {}));
    await submit("hole", encodeGroups({ adapter: new Map([...good].slice(1)) }, {}));
    await submit("junk", new Uint8Array(5));
    await submit("malformed", encodeGroups({ adapter: good }, {}), { steps: -1 });
    await submit("name", encodeGroups({ adapter: new Map([...good, ["x", good.get("lora_B.weight")!]]) }, {}));
    await submit("nan", encodeGroups({ adapter: replaced(Float32Array.of(0, Number.NaN, 0)) }, {}));
    await submit("other", encodeGroups({ adapter: good }, {}), { client: "ann" });
    await submit("shape", encodeGroups({ adapter: replaced(new Float32Array(2)) }, {}));
    const { accepted, refused } = await decideRound(store, algorithm, opening, members(clients));
    expect(accepted).toEqual([]);
    expect(refused.map(({ client, refused: reason }) => `${client}: ${reason}`)).toEqual([
      "foreign: it was trained from another adapter (other)",
      "group: an unknown group extra",
      "hole: adapter lacks the tensor lora_A.weight",
      expect.stringContaining("junk: the update is not a safetensors file"),
      "malformed: its message is malformed: steps is -1, expected a whole number",
      "name: adapter has an unknown tensor x",
      "nan: adapter: lora_B.weight has a value that is not finite",
      "other: its message names another client",
      "shape: adapter: lora_B.weight is [2], expected [3]",
    ]);
  });

  it("with stages refuses an update that skipped them, and takes the change of one that passed them", async () => {
    const store = memoryStore();
    const stages = stagesOf([{ name: "clip", maxNorm: 0.5 } as never]);
    const clients = ["ann", "skipped"];
    const { algorithm, head, opening, global } = await opened(store, clients);
    const far = mapParams(global, (x) => x + 100);
    const update = await store.putBlob(encodeGroups({ adapter: far }, {}));
    const message = { client: "skipped", base: opening.adapter, update, ...FIGURES };
    await store.create(keys.update(1, "skipped"), encodeJson(message));
    const memory = clientMemory(memoryStore(), store);
    const half = { store, seed: 7, client: "ann", algorithm, stages, memory, events: quiet };
    await new Participant({ ...half, trainer: new QuadraticTrainer({ ann: 1000 }) }).act();
    const decision = await decideRound(store, algorithm, opening, members(clients), {
      judge: new Judge(store, algorithm, opening, stages),
    });
    expect(decision.refused).toEqual([{ client: "skipped", refused: "an unknown group adapter" }]);
    const next = await aggregate(store, algorithm, head, decision, 2, { stages, seed: 7 });
    const change = subtract(await readAdapter(store, next.adapter), global);
    expect(globalNorm(change)).toBeLessThanOrEqual(0.5);
    expect(globalNorm(change)).toBeGreaterThan(0.4999);
  });

  it("of 1000 clients is aggregated one update at a time, in sorted order", async () => {
    const inner = memoryStore();
    const names = Array.from({ length: 1000 }, (_, i) => `c${i}`);
    const roster = members(names).map((member, i) => ({ ...member, records: i + 1 }));
    const { algorithm, head, opening, global } = await opened(inner, names);
    for (const [i, client] of names.entries()) {
      const adapter = mapParams(global, (x) => x + i);
      const update = await inner.putBlob(encodeGroups({ adapter }, { client }));
      await createMessage(inner, keys.update(1, client), submission, {
        client,
        base: opening.adapter,
        update,
        ...FIGURES,
      });
    }
    const close = await closeRound(inner, await decideRound(inner, algorithm, opening, roster));
    expect(close.accepted.map(({ client }) => client)).toEqual([...names].sort());

    const trace: string[] = [];
    const traced: Store = {
      ...inner,
      async blob(hash) {
        const owner = close.accepted.find(({ update }) => update === hash)?.client;
        if (owner !== undefined) trace.push(`fetch ${owner}`);
        return inner.blob(hash);
      },
    };
    const mean = aggregatorOf("mean");
    const aggregator: Aggregator = {
      ...mean,
      combine: (groups, { entries, read }, context) =>
        mean.combine(
          groups,
          {
            entries,
            async read(place) {
              trace.push(`read ${entries[place]!.client}`);
              return read(place);
            },
          },
          context,
        ),
    };
    const next = await aggregate(traced, algorithm, head, close, names.length, { aggregator, seed: 7 });
    expect(trace).toEqual([...names].sort().flatMap((name) => [`read ${name}`, `fetch ${name}`]));
    // Σ n·(x + n − 1) / Σ n over n = 1 … 1000 is x + 666.
    const result = (await readAdapter(inner, next.adapter)).get("lora_B.weight")!.data;
    expect([...result]).toEqual([666, 666, 666]);
  });
});

function value(x: number): Params {
  return new Map([["w", { shape: [1], data: Float32Array.of(x) }]]);
}

const hashes = Array.from({ length: 11 }, (_, i) => i.toString(16).repeat(64));

describe("a client's memory", () => {
  it("is that of its latest update that entered a round", async () => {
    const [exchange, own] = [memoryStore(), memoryStore()];
    const memory = clientMemory(own, exchange);
    const close = (round: number, update: string): Promise<unknown> => {
      const entry = { client: "ann", update, records: 1, loss: 1, count: 1 };
      return closeRound(exchange, { round, accepted: [entry], refused: [] });
    };
    expect(await memory.load("ann", 1)).toEqual({});
    await memory.save("ann", 1, hashes[1]!, { control: value(1) });
    expect(await memory.load("ann", 2)).toEqual({});
    await close(1, hashes[1]!);
    await memory.save("ann", 1, hashes[1]!, { control: value(1) });
    await memory.save("ann", 2, hashes[2]!, { control: value(2) });
    await closeRound(exchange, { round: 2, accepted: [], refused: [{ client: "ann", refused: "late" }] });
    await memory.save("ann", 10, hashes[10]!, { control: value(10) });
    expect(await memory.load("ann", 10)).toEqual({ control: value(1) });
    await close(10, hashes[10]!);
    expect(await memory.load("ann", 10)).toEqual({ control: value(1) });
    expect(await memory.load("ann", 11)).toEqual({ control: value(10) });
    expect(await memory.load("bob", 11)).toEqual({});
  });

  it("that is not where the client goes on is told, and not taken for none", async () => {
    const exchange = memoryStore();
    const memory = clientMemory(memoryStore(), exchange);
    await closeRound(exchange, {
      round: 2,
      accepted: [{ client: "ann", update: hashes[2]!, records: 1, loss: 1, count: 1 }],
      refused: [],
    });
    await memory.save("ann", 2, hashes[3]!, { control: value(3) });
    await expect(memory.load("ann", 3)).rejects.toMatchObject({
      kind: "data",
      message: "Client ann took part in round 2, and its memory of that is not here.",
    });
    expect(await memory.load("ann", 2)).toEqual({});
  });

  it("keeps the mean of SCAFFOLD's cᵢ equal to the server's c where everyone takes part", async () => {
    const exchange = memoryStore();
    const own = memoryStore();
    const memory = clientMemory(own, exchange);
    const { head } = await simulate(
      options(exchange, { algorithm: algorithmOf("scaffold", settings), clientsPerRound: 4, memory }),
    );
    const controls = await Promise.all(roster.map(async ({ name }) => (await memory.load(name, 5))["control"]!));
    const server = await exchange.blob(head.state);
    const { control } = decodeGroups(server, "state");
    for (const [name, { data }] of control!) {
      for (let i = 0; i < data.length; i++) {
        const average = controls.reduce((sum, c) => sum + c.get(name)!.data[i]!, 0) / 4;
        expect(data[i]).toBeCloseTo(average, 5);
      }
    }
    expect(await readMessage(own, (await own.list("memory/ann/"))[0]!, text)).toMatch(/^[0-9a-f]{64}$/);
  });
});
