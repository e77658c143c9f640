import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../federation/events.ts";
import { Metrics } from "./metrics.ts";

function update(round: number, client: string, tokens: number): RunEvent {
  return {
    type: "client-update",
    round,
    client,
    loss: round / 2,
    count: tokens,
    metrics: {},
    steps: 3,
    examples: 12,
    supervisedTokens: tokens,
    bytesDown: 1000 * round,
    bytesUp: 10 * round,
    seconds: 100,
    update: `hash of ${client}`,
  };
}

const evaluation = (round: number, set: string, loss: number): RunEvent => ({
  type: "evaluation-end",
  round,
  set,
  records: 4,
  supervisedTokens: 40,
  count: 40,
  loss,
  seconds: 0.5,
});

const roundEnd = (round: number, loss: number): RunEvent => ({
  type: "round-end",
  round,
  accepted: ["a"],
  refused: [],
  loss,
  adapter: "hash",
  seconds: 2,
});

const roundStart = (round: number, learningRate: number): RunEvent => ({
  type: "round-start",
  round,
  clients: ["a", "b"],
  learningRate,
  adapter: "hash",
});

const RUN: RunEvent[] = [
  { type: "run-start", algorithm: "fedavg", rounds: 2, adapterParameters: 8, clients: [] },
  { type: "data-report", client: "a", records: 9, truncated: 1, dropped: 1, tokens: 90, supervisedTokens: 70 },
  evaluation(0, "common", 5),
  roundStart(1, 0.1),
  { type: "client-start", round: 1, client: "a", steps: 3 },
  update(1, "a", 7),
  update(1, "b", 5),
  roundEnd(1, 3),
  { type: "run-resume", afterRound: 1 },
  roundStart(2, 0.05),
  update(2, "b", 30),
  { type: "client-refused", round: 2, client: "a", reason: "the loss of step 1 is NaN" },
  roundEnd(2, 2),
  evaluation(2, "common", 4),
  evaluation(2, "a", 3.5),
  { type: "adapter-saved", round: 2, path: "adapters/round-0002" },
  { type: "run-end", rounds: 2, adapter: "hash", seconds: 9 },
];

function folded(events: readonly RunEvent[]): Metrics {
  const metrics = new Metrics();
  for (const event of events) metrics.fold(event);
  return metrics;
}
const own = (of: object): unknown => JSON.parse(JSON.stringify(of));

test("scores of a client's own adapter are kept by client and set, apart from the global one's", () => {
  const metrics = folded([
    evaluation(0, "a", 5),
    { ...evaluation(1, "common", 4), client: "a", metrics: { accuracy: 0.5 } } as RunEvent,
  ]);
  const [before, after] = metrics.rounds();
  expect(before).not.toHaveProperty("personal");
  expect(own(after!)).toMatchObject({
    heldOut: {},
    personal: {
      a: { common: { records: 4, supervisedTokens: 40, count: 40, loss: 4, metrics: { accuracy: 0.5 }, seconds: 0.5 } },
    },
  });
  expect(metrics.totals().seconds).toBe(1);
});

describe("a run of two rounds", () => {
  const client = { steps: 3, examples: 12, seconds: 100, metrics: {} };
  const a1 = { ...client, loss: 0.5, count: 7, supervisedTokens: 7, bytesDown: 1000, bytesUp: 10 };
  const b2 = { ...client, loss: 1, count: 30, supervisedTokens: 30, bytesDown: 2000, bytesUp: 20 };
  const score = { count: 40, records: 4, supervisedTokens: 40, seconds: 0.5 };

  test("is kept round by round", () => {
    expect(own(folded(RUN).rounds())).toEqual([
      { round: 0, learningRate: 0, seconds: 0, clients: {}, refused: {}, heldOut: { common: { ...score, loss: 5 } } },
      {
        round: 1,
        learningRate: 0.1,
        loss: 3,
        seconds: 2,
        clients: { a: a1, b: { ...a1, count: 5, supervisedTokens: 5 } },
        refused: {},
        heldOut: {},
      },
      {
        round: 2,
        learningRate: 0.05,
        loss: 2,
        seconds: 2,
        clients: { b: b2 },
        refused: { a: "the loss of step 1 is NaN" },
        heldOut: { common: { ...score, loss: 4 }, a: { ...score, loss: 3.5 } },
      },
    ]);
  });

  test("adds up: updates of all rounds, time of rounds and evaluations", () => {
    expect(folded(RUN).totals()).toEqual({
      supervisedTokens: 7 + 5 + 30,
      bytesUp: 10 + 10 + 20,
      bytesDown: 1000 + 1000 + 2000,
      seconds: 2 + 2 + 3 * 0.5,
    });
    expect(folded([]).totals()).toEqual({ supervisedTokens: 0, bytesUp: 0, bytesDown: 0, seconds: 0 });
  });

  test("folded again, whole or event by event, it is the same", () => {
    const once = folded(RUN);
    for (const events of [[...RUN, ...RUN], RUN.flatMap((event) => [event, event])]) {
      expect(own(folded(events).rounds())).toEqual(own(once.rounds()));
      expect(folded(events).totals()).toEqual(once.totals());
    }
  });

  test("rounds come in their order, however the events did", () => {
    const rounds = folded([roundStart(10, 1), roundStart(9, 1), evaluation(0, "a", 1), roundStart(2, 1)]).rounds();
    expect(rounds.map(({ round }) => round)).toEqual([0, 2, 9, 10]);
  });
});

describe.each(["__proto__", "constructor", "10"])("a client called %s", (name) => {
  test("is kept as any other", () => {
    const metrics = folded([
      update(1, name, 7),
      update(1, "b", 5),
      { type: "client-refused", round: 2, client: name, reason: "no" },
      evaluation(2, name, 3),
    ]);
    expect(metrics.totals()).toEqual({ supervisedTokens: 12, bytesUp: 20, bytesDown: 2000, seconds: 0.5 });
    const [first, second] = metrics.rounds();
    expect(Object.keys(first!.clients).sort()).toEqual([name, "b"].sort());
    // As metrics.json holds it.
    const entries = (of: object): [string, unknown][] => Object.entries(own(of) as object);
    expect(entries(first!.clients).find(([client]) => client === name)?.[1]).toMatchObject({ supervisedTokens: 7 });
    expect(entries(second!.refused)).toEqual([[name, "no"]]);
    expect(entries(second!.heldOut)).toEqual([
      [name, { loss: 3, records: 4, supervisedTokens: 40, count: 40, seconds: 0.5 }],
    ]);
  });
});

test("a score that is withheld is a reason, and no number", () => {
  const metrics = new Metrics();
  metrics.fold(evaluation(0, "a", 5));
  metrics.fold({ type: "evaluation-withheld", round: 0, set: "b", reason: "few" });
  metrics.fold({ type: "evaluation-withheld", round: 0, set: "b", client: "b", reason: "own" });
  metrics.fold({ type: "evaluation-withheld", round: 0, set: "b", client: "a", reason: "cross" });
  const [round] = metrics.rounds();
  expect(round!.withheld).toEqual({ b: "own", "b, adapter of a": "cross" });
  expect(Object.keys(round!.heldOut)).toEqual(["a"]);
  const given = new Metrics();
  given.fold(evaluation(0, "a", 5));
  expect(given.rounds()[0]).not.toHaveProperty("withheld");
});
