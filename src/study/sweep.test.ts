import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { planSweep, type Sweep, type SweepRun } from "./sweep.ts";

const EXPERIMENT = {
  model: { base: "model" },
  data: { clients: [{ name: "a", train: "a.jsonl" }] },
  federation: { rounds: 7, minClients: 1 },
};

const plan = (value: unknown, override?: (config: Record<string, unknown>) => void): Sweep & { runs: SweepRun[] } => {
  const options = { where: "claim.yaml", readExperiment: () => structuredClone(EXPERIMENT) };
  const planned = planSweep(value, override === undefined ? options : { ...options, override });
  return { ...planned, runs: planned.methods.flatMap(({ runs }) => runs()) };
};
const sweep = (runs: unknown, more: object = {}) => ({ experiment: EXPERIMENT, runs, ...more });

describe("a sweep", () => {
  it("is each run with each of its seeds, the configuration's where it names none", () => {
    const { runs, compare } = plan(
      sweep([
        { name: "few", set: { "training.localSteps": 2 }, seeds: [1, 2] },
        { name: "many", set: { training: { localSteps: 20 } } },
      ]),
    );
    expect(runs.map(({ folder, seed, config }) => [folder, seed, config.training.localSteps, config.seed])).toEqual([
      ["few-seed1", 1, 2, 1],
      ["few-seed2", 2, 2, 2],
      ["many-seed42", 42, 20, 42],
    ]);
    expect(runs[2]!.config.federation.rounds).toBe(7);
    expect(compare).toEqual({ names: true });
  });

  it("can have seeds in common, an experiment elsewhere, and settings from the command line", () => {
    const runs = [
      { name: "x", seeds: [9] },
      { name: "y", set: { "federation.rounds": null } },
    ];
    const planned = plan(
      { experiment: "other.yaml", runs, seeds: [1, 2] },
      (config) => void (config["runtime"] = { threads: 1 }),
    ).runs;
    expect(planned.map(({ folder }) => folder)).toEqual(["x-seed9", "y-seed1", "y-seed2"]);
    expect(planned.map(({ config }) => config.federation.rounds)).toEqual([7, 3, 3]);
    expect(planned.every(({ config }) => config.runtime.threads === 1)).toBe(true);
  });

  it("changes for all runs, then for each", () => {
    const runs = [{ name: "x" }, { name: "y", set: { "federation.rounds": 3 } }];
    const set = { federation: { rounds: 2 }, "training.localSteps": 4 };
    const planned = plan(sweep(runs, { set })).runs;
    expect(planned.map(({ config }) => [config.federation.rounds, config.training.localSteps])).toEqual([
      [2, 4],
      [3, 4],
    ]);
  });

  it("says how to compare", () => {
    const compare = { by: "training.localSteps", metric: "accuracy", matrix: true };
    const set = { "evaluation.labels": ["yes", "no"] };
    expect(plan(sweep([{ name: "x" }], { compare, set })).compare).toEqual({
      by: ["training.localSteps"],
      metric: "accuracy",
      matrix: true,
      names: false,
    });
  });

  it("does not let one run change what another begins from", () => {
    const runs = [{ name: "x", set: { "data.clients.0.name": "z" } }, { name: "y" }];
    expect(plan(sweep(runs)).runs.map(({ config }) => config.data.clients![0]!.name)).toEqual(["z", "a"]);
  });
});

describe("a sweep is refused for", () => {
  it.each<[string, unknown, string, RegExp]>([
    ["a misspelt key", { ...sweep([{ name: "x" }]), sedes: [1] }, "claim.yaml: unknown key 'sedes'", /'seeds'/],
    ["a misspelt key of a run", sweep([{ nam: "x" }]), "claim.yaml: unknown key 'runs[0].nam'", /'runs\[0\]\.name'/],
    ["no name", sweep([{ set: {} }]), "claim.yaml: runs[0].name is missing", /Name of the run/],
    [
      "another misspelt key",
      sweep([{ name: "x", sets: {} }]),
      "claim.yaml: unknown key 'runs[0].sets'",
      /'runs\[0\]\.set'/,
    ],
    ["no runs", sweep([]), "claim.yaml: runs is [], expected at least one entry", /name, set, seeds|undefined/],
    ["no experiment", { runs: [{ name: "x" }] }, "claim.yaml: experiment is missing", /configuration/],
    [
      "two runs of a name",
      sweep([{ name: "x" }, { name: "X" }]),
      "claim.yaml: runs[0] is called x and runs[1] X: case does not count",
      /its own name/,
    ],
    [
      "two runs of one name",
      sweep([{ name: "x" }, { name: "x" }]),
      "claim.yaml: runs[0] and runs[1] are both called x",
      /its own name/,
    ],
    [
      "two runs that are the same",
      sweep([{ name: "x" }, { name: "y", seeds: [3, 42] }]),
      "claim.yaml: runs x and y are the same run with seed 42",
      /^Change a setting of one/,
    ],
    [
      "two runs that differ in what has no effect",
      sweep([{ name: "x" }, { name: "y", set: { "federation.proxMu": 0.5, "output.saveEvery": 1 } }]),
      "claim.yaml: runs x and y are the same run with seed 42",
      /change no score here: federation\.proxMu, output\.saveEvery\. /,
    ],
    ["a seed twice", sweep([{ name: "x", seeds: [1, 1] }]), "claim.yaml: runs[0].seeds lists 1 twice", /same run/],
    [
      "a seed twice in common",
      sweep([{ name: "x" }], { seeds: [3, 4, 3] }),
      "claim.yaml: seeds lists 3 twice",
      /same run/,
    ],
    [
      "a seed and seeds",
      sweep([{ name: "x", set: { seed: 1 }, seeds: [2] }]),
      "claim.yaml: runs[0] (x) has both seed among its settings and seeds",
      /one of them/,
    ],
    [
      "a name that is no folder's",
      sweep([{ name: "../x" }]),
      'claim.yaml: runs[0].name is "../x", expected letters, digits, ., _ and -, a letter or digit first',
      /folder/,
    ],
    [
      "a misspelt setting",
      sweep([{ name: "x", set: { "training.localStep": 1 } }]),
      "claim.yaml, run x: unknown key 'training.localStep'",
      /'training\.localSteps'/,
    ],
    [
      "a value that is none",
      sweep([{ name: "ok" }, { name: "x", set: { "federation.rounds": 0 } }]),
      "claim.yaml, run x: federation.rounds is 0, expected integer >= 1",
      /./,
    ],
    [
      "settings at odds",
      sweep([{ name: "x", set: { "federation.minClients": 5 } }]),
      "claim.yaml, run x: federation.minClients is 5, but a round has 1 client",
      /Lower/,
    ],
    [
      "a setting inside a number",
      sweep([{ name: "x", set: { "federation.rounds.first": 1 } }]),
      "claim.yaml, run x: set federation.rounds.first: federation.rounds is 7 and has no settings inside",
      /run --help-all/,
    ],
    [
      "a label that is no setting",
      sweep([{ name: "x" }], { compare: { by: ["training.localSteps", "federation.algoritm"] } }),
      "claim.yaml: compare.by: there is no setting 'federation.algoritm' to label rows by",
      /'federation\.algorithm'/,
    ],
    [
      "a label without its section",
      sweep([{ name: "x" }], { compare: { by: "proxMu" } }),
      "claim.yaml: compare.by: there is no setting 'proxMu' to label rows by",
      /'federation\.proxMu'/,
    ],
    [
      "a label that tells no rows apart",
      sweep([{ name: "x" }], { compare: { by: "runtime.threads" } }),
      "claim.yaml: compare.by: rows cannot be labelled by 'runtime.threads'",
      /one row/,
    ],
    [
      "a misspelt metric",
      sweep([{ name: "x", set: { "objective.name": "dpo" } }], { compare: { metric: "acuracy" } }),
      "claim.yaml: compare.metric: no run measures 'acuracy'",
      /'accuracy'/,
    ],
    [
      "a metric that none of its runs measures",
      sweep([{ name: "x" }], { compare: { matrix: "accuracy" } }),
      "claim.yaml: compare.matrix: no run measures 'accuracy'",
      /measure loss; evaluation\.labels/,
    ],
    [
      "a misspelt way to compare",
      sweep([{ name: "x" }], { compare: { bye: "a" } }),
      "claim.yaml: unknown key 'compare.bye'",
      /'compare\.by'/,
    ],
  ])("%s", (_what, value, message, hint) => {
    let error: unknown;
    try {
      plan(value);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UserError);
    const { kind, message: got, hint: advice } = error as UserError;
    expect([kind, got]).toEqual(["config", message]);
    expect(String(advice)).toMatch(hint);
  });
});

describe("a sweep that tunes", () => {
  const grid = { "training.learningRate": [1e-3, 3e-4] };
  const held = { "data.heldOutRecords": 4 };
  const tuned = (runs: unknown, tune: object = { grid }, more: object = {}) =>
    sweep(runs, { set: held, tune, ...more });

  it("has a run on the validation part for each combination, and the seeds on the test part", () => {
    const runs = [
      { name: "avg" },
      {
        name: "adam",
        set: { "federation.algorithm": "fedadam" },
        tune: { "federation.server.learningRate": [1, 0.1] },
      },
      { name: "fixed", set: { "training.localSteps": 3 }, tune: false },
    ];
    const { methods, tune } = plan(tuned(runs, { grid, validation: 0.25, over: "clients" }, { seeds: [7, 8] }));
    expect(tune).toEqual({ metric: "loss", over: "clients" });
    expect(methods.map(({ candidates }) => candidates.map(({ folder }) => folder))).toEqual([
      ["tuning/avg-1e-3", "tuning/avg-3e-4"],
      ["tuning/adam-1e-3-1", "tuning/adam-1e-3-0.1", "tuning/adam-3e-4-1", "tuning/adam-3e-4-0.1"],
      [],
    ]);
    const [first] = methods[1]!.candidates;
    expect(first).toMatchObject({
      seed: 7,
      values: [
        ["training.learningRate", 1e-3],
        ["federation.server.learningRate", 1],
      ],
      config: { data: { seed: 7 }, evaluation: { validation: 0.25, part: "validation" } },
    });
    const reported = methods[0]!.runs([["training.learningRate", 3e-4]]);
    expect(reported.map(({ folder }) => folder)).toEqual(["avg-seed7", "avg-seed8"]);
    expect(reported[1]!.config).toMatchObject({
      seed: 8,
      data: { seed: 7 },
      training: { learningRate: 3e-4 },
      evaluation: { validation: 0.25, part: "test" },
    });
    expect(methods[2]!.runs()[0]!.config.evaluation).toMatchObject({ validation: 0.25, part: "test" });
  });

  it.each<[string, unknown, string]>([
    ["without a grid", tuned([{ name: "x" }], {}), "claim.yaml: tune has no grid, and no run has one of its own"],
    [
      "with a metric that is not measured",
      tuned([{ name: "x" }], { grid, metric: "acuracy" }),
      "claim.yaml: tune.metric: run x has no held-out metric 'acuracy' of which a higher or lower value is better",
    ],
    [
      "without held-out records",
      sweep([{ name: "x" }], { tune: { grid } }),
      "claim.yaml: tune: run x has no held-out records to choose by",
    ],
    [
      "over a common set that is not there",
      tuned([{ name: "x" }], { grid, over: "common" }),
      "claim.yaml: tune: run x has no common held-out records to choose by",
    ],
    [
      "with a grid of a run only",
      sweep([{ name: "x", tune: grid }]),
      "claim.yaml: runs[0].tune is set, but the sweep has no tune",
    ],
    [
      "with a misspelt setting",
      tuned([{ name: "x" }], { grid: { "training.learnRate": [1] } }),
      "claim.yaml, run x: unknown key 'training.learnRate'",
    ],
    [
      "with a value twice",
      tuned([{ name: "x" }], { grid: { "training.learningRate": [1e-3, 0.001] } }),
      "claim.yaml: runs x and x are the same run with seed 42",
    ],
  ])("is refused %s", (_what, value, message) => {
    expect(() => plan(value)).toThrow(message);
  });
});
