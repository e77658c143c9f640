import { expect, test } from "vitest";
import { inertSettings } from "./inert-settings.ts";
import { parseExperiment } from "./parse.ts";

const notes = (settings: object): string[] =>
  inertSettings(
    parseExperiment(
      {
        model: { base: "m" },
        data: {
          clients: [
            { name: "a", train: "f" },
            { name: "b", train: "g" },
          ],
        },
        ...settings,
      },
      "test",
    ),
  );

test("says of settings that nobody reads who would", () => {
  expect(notes({})).toEqual([]);
  expect(notes({ federation: { proxMu: 1 } })).toEqual([
    'federation.proxMu (1) has no effect: only fedprox reads it, and federation.algorithm is "fedavg"',
  ]);
  expect(notes({ federation: { proxMu: 1, algorithm: "fedprox" } })).toEqual([]);
  expect(notes({ objective: { beta: 0.3 } })).toEqual([
    'objective.beta (0.3) has no effect: only dpo, ipo, hinge, … read it, and objective.name is "sft"',
  ]);
  expect(notes({ objective: { name: "kto", labelSmoothing: 0.1 }, adapter: { dropout: 0.1 } })).toEqual([
    'adapter.dropout (0.1) has no effect: only sft reads it, and objective.name is "kto"',
    'objective.labelSmoothing (0.1) has no effect: only dpo reads it, and objective.name is "kto"',
  ]);
});

test("says what goes further than there is", () => {
  expect(notes({ federation: { clientsPerRound: 3 } })).toEqual([
    "federation.clientsPerRound is 3, but there are 2 clients: all take part in every round",
  ]);
  const clients = [{ name: "a", train: "f" }];
  expect(notes({ objective: { name: "dpo" }, data: { clients, maxLength: 64, maxPromptLength: 64 } })).toEqual([
    "data.maxPromptLength (64) leaves no tokens of data.maxLength (64) for an answer",
  ]);
  expect(notes({ federation: { algorithm: "local" }, evaluation: { prompts: ["Hello?"] } })).toHaveLength(1);
});

test("says of stages, aggregator and weighting where nothing is sent or all count alike", () => {
  const stages = [{ name: "clip", maxNorm: 1 }];
  expect(notes({ federation: { stages, aggregator: "median" } })).toEqual([]);
  for (const algorithm of ["local", "centralized"]) {
    expect(notes({ federation: { algorithm, stages, aggregator: "median" } })).toEqual([
      `federation.stages has no effect: ${algorithm} sends no updates`,
      `federation.aggregator has no effect: ${algorithm} sends no updates`,
    ]);
  }
  expect(notes({ federation: { aggregator: "mean", weighting: "uniform" } })).toEqual([]);
  expect(notes({ federation: { aggregator: "median", weighting: "uniform" } })).toEqual([
    "federation.weighting has no effect: federation.aggregator median gives all clients the same weight",
  ]);
});

test("says of deadlines and staleness where nothing is late", () => {
  expect(notes({ federation: { mode: "async", bufferSize: 2, staleness: "inverse", maxStaleness: 3 } })).toEqual([]);
  expect(notes({ federation: { lateUpdates: "next", roundDeadline: 9, extendDeadline: 1, maxStaleness: 3 } })).toEqual(
    [],
  );
  expect(notes({ federation: { staleness: "sqrt", bufferSize: 2, extendDeadline: 1, overSelect: 1.5 } })).toEqual([
    "federation.staleness has no effect without federation.mode async or federation.lateUpdates next",
    "federation.bufferSize has no effect without federation.mode async",
    "federation.extendDeadline has no effect without federation.roundDeadline",
    "federation.overSelect has no effect without federation.clientsPerRound: all clients take part in every round",
  ]);
});
