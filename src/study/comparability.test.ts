import { describe, expect, it } from "vitest";
import { inventedRun, inventedRuns, PREFERENCES } from "../../test/support/invented-runs.ts";
import { classify } from "../evaluation/metrics/classification.ts";
import { betterWay, measurableMetrics } from "../settings/metric-names.ts";
import { parseExperiment } from "../settings/parse.ts";
import { pairMetrics } from "../train/pair-objective.ts";
import { compareRuns, defaultMetric, metricFacts } from "./comparison.ts";
import { figure } from "./figures.ts";
import { matrixOf } from "./matrix.ts";

describe("warnings", () => {
  const run = (name: string, more: object) =>
    inventedRun({ name, rounds: [{ heldOut: { a: 2 } }, { heldOut: { a: 1 } }], ...more });

  it("name runs with another base, other data or other held-out sets", () => {
    expect(compareRuns([run("x", {}), run("y", { seed: 2 })]).warnings).toEqual([]);
    const { warnings, bases } = compareRuns([
      run("x", {}),
      run("y", { model: "other", settings: { model: { base: "other" } } }),
    ]);
    expect(warnings).toEqual([expect.stringMatching(/^runs\/y: a different base model from runs\/x/)]);
    expect(bases.map(({ label }) => label)).toEqual(["base (model)", "base (other)"]);
    expect(compareRuns([run("x", {}), run("y", { data: "other", settings: { data: { limit: 3 } } })]).warnings).toEqual(
      [expect.stringMatching(/^runs\/y: different data from runs\/x/)],
    );
    const others = { rounds: [{ heldOut: { b: 2 } }], settings: { training: { localSteps: 3 } } };
    expect(compareRuns([run("x", {}), run("y", others)]).warnings).toEqual([
      expect.stringMatching(/^runs\/y: different held-out sets from runs\/x/),
    ]);
  });

  it("are not given where the seed deals the records", () => {
    const dealt = { settings: { data: { train: "all.jsonl" } } };
    const runs = [run("x", { ...dealt, data: "one" }), run("y", { ...dealt, seed: 2, data: "two" })];
    expect(compareRuns(runs).warnings).toEqual([]);
    const again = run("z", {
      ...dealt,
      seed: 2,
      data: "three",
      settings: { ...dealt.settings, training: { localSteps: 2 } },
    });
    expect(compareRuns([...runs, again]).warnings).toEqual([expect.stringMatching(/^runs\/z: different data/)]);
  });

  it("are not given, and rows not told apart, where the same records lie elsewhere", () => {
    const here = run("x", { settings: { data: { train: "a.jsonl" } } });
    const there = run("y", { seed: 2, settings: { data: { train: "../a.jsonl" } } });
    const { warnings, groups } = compareRuns([here, there]);
    expect([warnings, groups.length]).toEqual([[], 1]);
  });
});

describe("runs of different objectives", () => {
  const comparison = compareRuns(PREFERENCES.map(inventedRun));

  it("have bases called by their objective, and a warning that names them all", () => {
    expect(comparison.bases.map(({ label }) => label)).toEqual(["base (dpo)", "base (ipo)", "base (simpo)"]);
    expect(comparison.columns).toEqual(["algorithm", "objective"]);
    expect(comparison.warnings).toEqual([
      "runs/ipo-local-seed1 and 1 more train with ipo, runs/simpo-local-seed1 and 1 more with simpo, runs/dpo-local-seed1 and 1 more with dpo: their losses, rewards and margins are different quantities; compare accuracy",
    ]);
    const [dpo, ipo] = [PREFERENCES[1]!, PREFERENCES[3]!].map(inventedRun);
    expect(compareRuns([dpo!, ipo!]).warnings).toEqual([
      "runs/ipo-fedavg-seed1 trains with ipo, runs/dpo-fedavg-seed1 with dpo: their losses, rewards and margins are different quantities; compare accuracy",
    ]);
  });

  it("are shown by their accuracy, and nothing else has a best", () => {
    expect(defaultMetric(comparison)).toBe("accuracy");
    expect(metricFacts(comparison, "accuracy")).toBe("higher is better");
    expect(metricFacts(comparison, "loss")).toBe("of each row's own objective, lower is better");
    expect(metricFacts(comparison, "chosenReward")).toBe("of each row's own objective");
    expect(matrixOf(comparison, "loss").best).toEqual([-1, -1]);
    expect(matrixOf(comparison, "accuracy").best).toEqual([1 + 2, 2 + 2]);
  });

  it("have nothing to compare where accuracies are of labels here and of preferences there", () => {
    const sft = inventedRun({
      name: "sft",
      rounds: [
        { heldOut: { a: { loss: 3, accuracy: 0.5, macroF1: 0.4 } } },
        { heldOut: { a: { loss: 2, accuracy: 0.9, macroF1: 0.8 } } },
      ],
    });
    const { warnings, incomparable } = compareRuns([inventedRun(PREFERENCES[1]!), sft]);
    expect(warnings.at(-1)).toMatch(/are different quantities; do not compare them$/);
    expect(incomparable).toContain("accuracy");
  });

  it("and of one objective with another strength are told apart as well, once", () => {
    const of = (settings: object, name: string) =>
      inventedRun({ ...PREFERENCES[5]!, name, settings: { objective: { name: "simpo", ...settings } } });
    const beta = compareRuns([of({}, "a"), of({ beta: 4 }, "b"), of({ beta: 8 }, "c")]);
    expect(beta.warnings).toEqual([
      "objective.beta differs between runs of simpo: their losses, rewards and margins are different quantities; compare accuracy",
    ]);
    expect(beta.bases.map(({ label }) => label)).toEqual(["base (beta default)", "base (beta 4)", "base (beta 8)"]);
    const gamma = compareRuns([of({ gamma: 0.2 }, "a"), of({ gamma: 0.8 }, "b")]);
    expect([...gamma.incomparable]).toEqual(["loss"]);
    expect(gamma.warnings[0]).toMatch(/^objective\.gamma differs .*: their losses are different quantities/);
  });

  it("are in nats only where they all learn answers", () => {
    expect(metricFacts(compareRuns(inventedRuns()), "loss")).toBe("nats, lower is better");
    const dpo = compareRuns(PREFERENCES.slice(0, 2).map(inventedRun));
    expect(metricFacts(dpo, "loss")).toBe("lower is better");
    expect(metricFacts(dpo, "rejectedReward")).toBe("");
    expect(figure(dpo.groups[1]!, "rejectedReward", "worst", "final")).toBeUndefined();
  });
});

describe("metrics", () => {
  it("are those that the objective and the labels measure", () => {
    const of = (more: object) =>
      measurableMetrics(
        parseExperiment({ model: { base: "m" }, data: { clients: [{ name: "a", train: "a" }] }, ...more }, "x"),
      );
    expect(of({})).toEqual(["loss"]);
    expect(of({ objective: { name: "kto" } }).sort()).toEqual(["loss", ...Object.keys(pairMetrics(1, 0))].sort());
    expect(of({ evaluation: { labels: ["a", "b"] } }).sort()).toEqual(
      ["loss", ...Object.keys(classify([0], [0]))].sort(),
    );
  });

  it("are better lower, higher, or neither", () => {
    expect(["loss", "accuracy", "margin", "macroF1", "chosenReward", "rejectedReward"].map(betterWay)).toEqual([
      "lower",
      "higher",
      "higher",
      "higher",
      undefined,
      undefined,
    ]);
  });
});
