import { expect, test } from "vitest";
import { OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";
import { STAGES } from "../updates/stage-registry.ts";
import { parseExperiment } from "./parse.ts";

const BASE = { model: { base: "m" }, data: { clients: [{ name: "a", train: "f" }] } };

test("the floor of the learning rate is OpenFedLLM's: 1e-6 for sft, 1e-5 for every preference objective", () => {
  for (const name of Object.keys(OBJECTIVES) as ObjectiveName[]) {
    const { training } = parseExperiment({ ...BASE, objective: { name } }, "test");
    expect(training.minLearningRate).toBe(name === "sft" ? 1e-6 : 1e-5);
  }
  expect(parseExperiment({ ...BASE, training: { minLearningRate: 0 } }, "test").training.minLearningRate).toBe(0);
});

test("of stages an unknown name, key or value is refused with what is legal", () => {
  const refusal = (...stages: unknown[]): string => {
    try {
      parseExperiment({ ...BASE, federation: { stages } }, "test");
    } catch (error) {
      const { message, hint } = error as { message: string; hint?: string };
      return `${message}; ${hint}`;
    }
    return "";
  };
  const clip = { name: "clip", maxNorm: 1 };
  const names = Object.keys(STAGES);
  const legal = names.length === 1 ? names[0]! : `one of ${names.join(", ")}`;
  const settings = new Set(Object.values(STAGES).flatMap((stage) => Object.keys(stage.settings)));
  expect(refusal(clip, clip)).toBe("");
  expect(refusal(clip, { name: "randomk" }, { name: "int8" })).toBe("");
  expect(refusal({ name: "int8" }, clip)).toBe(
    "test: federation.stages[0] is int8, which makes the bytes that are sent, and stages come after it; Put it last, and only one of its kind. Only randomk goes before another.",
  );
  expect(refusal(clip, { name: "clipp", maxNorm: 1 })).toBe(
    `test: federation.stages[1].name is "clipp", expected ${legal}; Did you mean 'clip'?`,
  );
  expect(refusal({ ...clip, maxnorm: 1 })).toBe(
    "test: unknown key 'federation.stages[0].maxnorm'; Did you mean 'federation.stages[0].maxNorm'?",
  );
  expect(refusal({ ...clip, maxNorm: 0 })).toBe(
    "test: federation.stages[0].maxNorm is 0, expected number > 0; undefined",
  );
  expect(refusal({ maxNorm: 1 })).toContain("federation.stages[0].name is missing");
  expect(refusal({ name: "clip" })).toContain("federation.stages[0].maxNorm is missing");
  expect(refusal("clip")).toBe(
    `test: federation.stages[0] is "clip", expected mapping; Its settings: ${["name", ...settings].join(", ")}.`,
  );
});

const FOUR = { model: { base: "m" }, data: { train: "f" } };

test.each([
  [{ mode: "async" }, "federation.bufferSize is missing: a round of federation.mode async closes with so many updates"],
  [
    { mode: "async", bufferSize: 5 },
    "federation.bufferSize is 5, but there are 4 clients, each with one update at a time",
  ],
  [{ mode: "async", bufferSize: 2, minClients: 3 }, "federation.minClients is 3, but a round closes with 2 updates"],
  [{ mode: "async", bufferSize: 3, concurrency: 2 }, "federation.concurrency is 2, less than federation.bufferSize 3"],
  [{ mode: "async", bufferSize: 2, overSelect: 2 }, "federation.overSelect is a setting of synchronous rounds"],
  [
    { mode: "async", bufferSize: 2, algorithm: "scaffold" },
    "federation.mode async does not work with federation.algorithm scaffold: the control variates of server and clients have to be of the same round",
  ],
  [{ mode: "async", bufferSize: 2, algorithm: "local" }, "algorithm local: its clients send no updates"],
  [{ mode: "async", bufferSize: 1, algorithm: "centralized" }, "algorithm centralized: it has one client"],
  [
    { lateUpdates: "next", algorithm: "scaffold" },
    "federation.lateUpdates next does not work with federation.algorithm scaffold",
  ],
])("of asynchrony refuses %j", (federation, message) => {
  expect(() => parseExperiment({ ...FOUR, federation: { clients: 4, ...federation } }, "test")).toThrow(message);
});

test.each(["fedavg", "fedprox", "fedavgm", "fedadagrad", "fedyogi", "fedadam"])(
  "of asynchrony takes %s",
  (algorithm) => {
    const federation = { clients: 4, algorithm, mode: "async", bufferSize: 2 };
    expect(parseExperiment({ ...FOUR, federation }, "test").federation).toMatchObject(federation);
  },
);

test("a configuration with its defaults, read again, is the same", () => {
  const config = parseExperiment(BASE, "test");
  expect(JSON.stringify(parseExperiment(config, "test"))).toBe(JSON.stringify(config));
});
