import { describe, expect, it } from "vitest";
import { COMBINATIONS, notedCombinations, refusedCombinations } from "./combinations.ts";
import { CHOICES } from "./named-choices.ts";
import { parseExperiment } from "./parse.ts";

const server = { learningRate: 1, tau: 0.1 };
const federation = (settings: object): object => ({ federation: settings });
const mechanism = (name: string): object => ({ privacy: { client: { mechanism: name } } });
const aggregator = (name: string): object => federation({ aggregator: name });
const stages = (...entries: readonly object[]): object => federation({ stages: entries });

/** For each choice a configuration that makes it. */
const MAKING: Readonly<Record<keyof typeof CHOICES, object>> = {
  clientPrivacy: { privacy: { client: {} } },
  trustedPrivacy: { privacy: { client: {} } },
  coordinatorNoise: mechanism("ftrl"),
  distributedNoise: mechanism("distributed"),
  localNoise: mechanism("local"),
  recordPrivacy: { privacy: { record: {} } },
  secure: { secureAggregation: {} },
  notSecure: {},
  byRecords: federation({ weighting: "records" }),
  coordinateRules: aggregator("median"),
  singleChoice: aggregator("krum"),
  geometricMedian: aggregator("geometricMedian"),
  trustScores: aggregator("fltrust"),
  normBound: aggregator("normBound"),
  centredClipping: aggregator("centredClipping"),
  bucketless: aggregator("trimmedMean"),
  oneGroupRules: aggregator("bulyan"),
  distanceRules: aggregator("multiKrum"),
  robust: aggregator("foolsgold"),
  quantised: stages({ name: "int4" }),
  topk: stages({ name: "clip" }, { name: "topk" }),
  compressed: stages({ name: "randomk" }),
  noFeedback: stages({ name: "topk", errorFeedback: false }),
  feedback: stages({ name: "topk" }),
  downlink: federation({ downlink: {} }),
  adaptiveServer: federation({ algorithm: "fedadam" }),
  serverMomentum: federation({ algorithm: "fedavgm" }),
  controlVariates: federation({ algorithm: "scaffold" }),
  refactored: { federation: { aggregator: "flexlora" } },
  serverSteps: { federation: { algorithm: "fedavgm" } },
  factors: { federation: { factors: "ffa" } },
  alternating: { federation: { factors: "rolora" } },
  personalFactors: { federation: { factors: "fedsa" } },
  nothingSent: federation({ algorithm: "centralized" }),
  own: federation({ algorithm: "local" }),
  asynchronous: federation({ mode: "async" }),
  late: federation({ lateUpdates: "next" }),
  overSelected: federation({ overSelect: 1.5 }),
  attack: { data: { attack: { name: "labelFlip" } } },
  collusion: { data: { attack: { name: "alie" } } },
  batchReference: { objective: { name: "kto" } },
  batchLikelihood: { objective: { name: "orpo", likelihood: "sequence" } },
  recordWeights: { federation: { weighting: "records" } },
  original: { fidelity: "original" },
};

function merged(one: object, other: object): object {
  const result: Record<string, unknown> = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const before = result[key];
    result[key] =
      typeof before === "object" && typeof value === "object" && !Array.isArray(value)
        ? merged(before as object, value as object)
        : value;
  }
  return result;
}

const messages = (...parts: readonly object[]): string[] =>
  refusedCombinations(parts.reduce(merged)).map(({ message }) => message);

describe("each row of the table", () => {
  for (const { of, verdict, because, hint } of COMBINATIONS) {
    it(`${of.join(" with ")} is ${verdict}, and neither is alone`, () => {
      const [one, other] = of;
      const both = merged(MAKING[one], MAKING[other]);
      const said = verdict === "refused" ? messages(both) : notedCombinations(both);
      expect(said.some((text) => text.endsWith(`: ${because}`))).toBe(verdict !== "allowed");
      if (verdict === "refused") expect(refusedCombinations(both).map((problem) => problem.hint)).toContain(hint);
      for (const choice of of) {
        // Each of these is half of a pair whose other half is a setting left out.
        if (choice === "distributedNoise" || choice === "noFeedback") continue;
        expect([...messages(MAKING[choice]), ...notedCombinations(MAKING[choice])]).toEqual([]);
      }
    });
  }
});

describe("the sentences", () => {
  it("name both choices, the reason and a way out", () => {
    expect(refusedCombinations(merged({ privacy: { client: {} } }, federation({ weighting: "records" })))).toEqual([
      {
        message:
          "privacy.client.mechanism central needs federation.weighting uniform, got records: by records, how much one client counts depends on the others",
        hint: "Set it, or give privacy.client.weightCap.",
        path: ["federation", "weighting"],
      },
    ]);
    expect(messages({ privacy: { client: {} } }, aggregator("krum"))).toEqual([
      "privacy.client.mechanism central and federation.aggregator krum exclude each other: one client's update would be published nearly whole",
    ]);
    expect(messages({ secureAggregation: {} }, aggregator("median"))).toEqual([
      "secureAggregation and federation.aggregator median exclude each other: the coordinator sees only the sum",
    ]);
    expect(messages({ secureAggregation: {} }, stages({ name: "topk" }))).toEqual([
      "secureAggregation and federation.stages topk exclude each other: everyone keeps other coordinates",
    ]);
    expect(messages({ privacy: { client: {} } }, federation({ algorithm: "fedadam", server: { tau: 1 } }))).toEqual([
      "privacy.client and federation.algorithm fedadam without federation.server.learningRate exclude each other: unset, they would follow the noise",
    ]);
    expect(messages(mechanism("distributed"))).toEqual([
      "privacy.client.mechanism distributed needs secureAggregation, got nothing: the noise of one client alone protects nobody",
    ]);
    expect(messages({ privacy: { record: {} } }, { objective: { name: "kto" } })).toEqual([
      "privacy.record and objective.name kto exclude each other: its reference point is a mean over the batch",
    ]);
  });

  it("go away with the setting that makes the two agree", () => {
    const capped = { privacy: { client: { weightCap: 100 } } };
    expect(messages(capped, federation({ weighting: "records" }))).toEqual([]);
    expect(messages({ secureAggregation: {} }, federation({ aggregator: "median", buckets: 10 }))).toEqual([]);
    expect(messages({ privacy: { client: {} } }, federation({ algorithm: "fedadam", server }))).toEqual([]);
    expect(messages(mechanism("distributed"), { secureAggregation: {} })).toEqual([]);
    expect(messages({ secureAggregation: {} }, stages({ name: "randomk" }))).toEqual([]);
  });
});

it("a configuration is refused for them, with the place of the setting", () => {
  const config = {
    model: { base: "base" },
    data: { clients: [{ name: "a", train: "a.jsonl" }] },
    federation: { algorithm: "scaffold", aggregator: "median" },
  };
  expect(() => parseExperiment(config, (path) => `at ${path?.join(".")}`)).toThrow(
    "at federation.aggregator: federation.algorithm scaffold and federation.aggregator median exclude each other",
  );
});
