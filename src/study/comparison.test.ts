import { describe, expect, it } from "vitest";
import { INVENTED, inventedFiles, inventedRun, inventedRuns } from "../../test/support/invented-runs.ts";
import { compareRuns } from "./comparison.ts";
import { comparisonCsv, scoresCsv } from "./csv.ts";
import { costOf, figure, partsOf, trajectory } from "./figures.ts";
import { matrixOf } from "./matrix.ts";
import { spreadOf } from "./spread.ts";
import { storedRun } from "./stored-run.ts";

describe("a spread", () => {
  it("is the mean, the sample standard deviation and the ends", () => {
    // Squares about 5: 9 + 1 + 1 + 1 + 0 + 0 + 4 + 16 = 32; 32 / 7.
    const spread = spreadOf([2, 4, 4, 4, 5, 5, 7, 9])!;
    expect(spread).toMatchObject({ n: 8, mean: 5, min: 2, max: 9 });
    expect(spread.sd).toBeCloseTo(Math.sqrt(32 / 7), 12);
    expect(spreadOf([3])).toEqual({ n: 1, mean: 3, sd: undefined, min: 3, max: 3 });
    expect(spreadOf([])).toBeUndefined();
    expect(spreadOf([1, Number.NaN])!.mean).toBeNaN();
  });
});

describe("figures of a group", () => {
  const { groups, bases } = compareRuns(inventedRuns());
  const [fedavg, local] = groups as [(typeof groups)[0], (typeof groups)[0]];

  it("on the common set: mean and deviation over seeds, change run by run", () => {
    const common = figure(fedavg, "loss", "common", "final")!;
    expect(common).toMatchObject({ n: 2, min: 3, max: 3.2, over: "runs", clients: [] });
    expect(common.mean).toBeCloseTo(3.1, 12);
    expect(common.sd).toBeCloseTo(Math.sqrt(0.02), 12);
    // 3 and 3.2 after 4.
    expect(common.change).toBeCloseTo(-0.225, 12);
  });

  it("on the clients' own sets: each client weighs the same", () => {
    const own = figure(fedavg, "loss", "own", "final")!;
    // 3.5 and 3.8, after 4.5.
    expect(own.mean).toBeCloseTo(3.65, 12);
    expect(own.sd).toBeCloseTo(Math.sqrt(0.045), 12);
    expect(own.change).toBeCloseTo((-1 / 4.5 - 0.7 / 4.5) / 2, 12);
  });

  it("of the worst client: the highest loss, but the lowest accuracy", () => {
    expect(figure(fedavg, "loss", "worst", "final")).toMatchObject({ mean: 4.1, clients: ["b"] });
    // 0.5 of b with seed 1, 0.4 of a with seed 2.
    const accuracy = figure(fedavg, "accuracy", "worst", "final")!;
    expect(accuracy.mean).toBeCloseTo(0.45, 12);
    expect(accuracy.clients).toEqual(["b", "a"]);
  });

  it("of local training: the adapters' mean and range on the common set, each on its own set", () => {
    expect(local.personal).toBe(true);
    expect(figure(local, "loss", "common", "final")).toMatchObject({
      n: 1,
      mean: 3.8,
      min: 3.6,
      max: 4,
      over: "adapters",
    });
    expect(figure(local, "loss", "own", "final")).toMatchObject({ mean: 3 });
    expect(figure(local, "loss", "worst", "final")).toMatchObject({ mean: 3.5, clients: ["b"] });
    expect(figure(local, "accuracy", "own", "final")).toBeUndefined();
    expect(figure(local, "loss", "own", "final")!.change).toBeCloseTo(3 / 4.5 - 1, 12);
    expect(partsOf(local, "loss", "common")).toEqual([
      { name: "a", value: 3.6 },
      { name: "b", value: 4 },
    ]);
  });

  it("of the base: one row, from round 0", () => {
    expect(bases).toHaveLength(1);
    expect(figure(bases[0]!, "loss", "common", "base")).toMatchObject({ n: 2, mean: 4, sd: 0, change: undefined });
    expect(figure(bases[0]!, "loss", "own", "base")).toMatchObject({ mean: 4.5 });
  });

  it("by round, and what a run costs", () => {
    expect(trajectory(fedavg, "loss", "own").map(({ round, spread }) => [round, spread.min, spread.max])).toEqual([
      [0, 4.5, 4.5],
      [1, 4, 4.1],
      [2, 3.5, expect.closeTo(3.8, 12)],
    ]);
    // Not every run measured accuracy after round 1.
    expect(trajectory(fedavg, "accuracy", "common").map(({ round }) => round)).toEqual([0, 2]);
    // Two rounds of 11 and of 12 seconds; two clients send 200 bytes each in each.
    expect(costOf(local)).toMatchObject({ bytesUp: { mean: 0 }, bytesDown: { mean: 0 } });
    expect(costOf(fedavg)).toMatchObject({
      seconds: { mean: 23, min: 22, max: 24 },
      bytesUp: { mean: 800, sd: 0 },
      bytesDown: { mean: 400 },
    });
  });

  it("names clients in the order of how often they are the worst", () => {
    const run = (seed: number, a: number, b: number) => inventedRun({ seed, rounds: [{}, { heldOut: { a, b } }] });
    const [group] = compareRuns([run(1, 1, 2), run(2, 3, 2), run(3, 3, 2)]).groups;
    expect(figure(group!, "loss", "worst", "final")!.clients).toEqual(["a", "b"]);
  });

  it("does not hide a loss that is no number", () => {
    const { config, metrics } = inventedFiles({ rounds: [{}, { heldOut: { a: 2, b: Number.NaN } }] });
    // JSON has no NaN: it becomes null.
    const lost = storedRun("f", "f", config, JSON.parse(JSON.stringify(metrics)));
    const [group] = compareRuns([lost]).groups;
    expect(figure(group!, "loss", "own", "final")!.mean).toBeNaN();
    expect(figure(group!, "loss", "worst", "final")).toMatchObject({ mean: Number.NaN, clients: ["b"] });
  });
});

describe("rows", () => {
  const simple = (seed: number, settings: object, more: object = {}) =>
    inventedRun({
      name: `r${seed}`,
      seed,
      settings: settings as Record<string, unknown>,
      rounds: [{ heldOut: { a: 2 } }, { heldOut: { a: 1 } }],
      ...more,
    });
  const other = (seed: number, momentum: number) =>
    simple(seed, { federation: { algorithm: "other" }, training: { momentum } });
  const avg = (seed: number) => simple(seed, {});

  it("are runs that differ in the seed, or in what changes no score", () => {
    const indifferent = { output: { saveEvery: 3 }, runtime: { threads: 2 }, evaluation: { every: 2, prompts: ["x"] } };
    const { groups, columns } = compareRuns([avg(1), simple(2, indifferent), other(1, 0)]);
    expect(groups.map(({ runs }) => runs.length)).toEqual([2, 1]);
    expect(columns).toEqual(["algorithm"]);
    expect(groups.map(({ label }) => label)).toEqual(["fedavg", "other"]);
  });

  it("show every setting that differs, the algorithm first, or what `by` says first", () => {
    const steps = (batchSize: number) => simple(1, { training: { batchSize } });
    const byDefault = compareRuns([steps(5), other(1, 0.1), other(1, 0.5)]);
    expect(byDefault.columns).toEqual(["algorithm", "batchSize", "momentum"]);
    expect(byDefault.groups.map(({ cells }) => cells)).toEqual([
      ["fedavg", "5", "0"],
      ["other", "16", "0.1"],
      ["other", "16", "0.5"],
    ]);
    expect(byDefault.groups[1]!.label).toBe("other, batchSize 16, momentum 0.1");
    const { columns, groups } = compareRuns([avg(1), other(1, 0.1), other(2, 0.1)], { by: ["training.momentum"] });
    expect(columns).toEqual(["momentum", "algorithm"]);
    expect(groups.map(({ label }) => label)).toEqual(["momentum 0", "momentum 0.1"]);
    expect(compareRuns([steps(5), steps(10)]).groups.map(({ label }) => label)).toEqual([
      "batchSize 5",
      "batchSize 10",
    ]);
    expect(() => compareRuns([avg(1)], { by: ["federation.algoritm"] })).toThrow(
      /there is no setting 'federation\.algoritm' to label rows by/,
    );
    expect(() => compareRuns([avg(1)], { by: ["seed"] })).toThrow(/rows cannot be labelled by 'seed'/);
  });

  it("show no setting where it has no effect", () => {
    const prox = (proxMu: number) => simple(1, { federation: { algorithm: "fedprox", proxMu } });
    const { columns, groups } = compareRuns([avg(1), prox(0.01), prox(0.1)]);
    expect(columns).toEqual(["algorithm", "proxMu"]);
    expect(groups.map(({ cells }) => cells[1])).toEqual(["–", "0.01", "0.1"]);
    expect(groups.map(({ label }) => label)).toEqual(["fedavg", "fedprox, proxMu 0.01", "fedprox, proxMu 0.1"]);
    // One fedprox does not differ from another; one fedavg with another mu is the same run.
    expect(compareRuns([avg(1), prox(0.1)]).columns).toEqual(["algorithm"]);
    const idle = simple(2, { federation: { proxMu: 0.5 } });
    expect(compareRuns([avg(1), idle]).groups.map(({ runs }) => runs.length)).toEqual([2]);
    const dpo = (settings: object) => simple(1, { objective: { name: "dpo", ...settings } });
    expect(compareRuns([dpo({}), dpo({ beta: 0.5 })]).groups.map(({ cells }) => cells)).toEqual([["default"], ["0.5"]]);
  });

  it("show the gist of a list, and letters where two would look alike", () => {
    const clients = (...names: string[]) => ({
      clients: names.map((name) => ({ name, train: `${name}.jsonl` })),
    });
    const of = (data: object, name = "x") => simple(1, { data }, { data: JSON.stringify(data), name });
    const two = clients("clinic", "bank");
    const many = clients(..."abcdefghij".split("").map((letter) => letter.repeat(6)));
    const shown = compareRuns([of(two), of(many)]);
    expect(shown.columns).toEqual(["clients"]);
    expect(shown.groups.map(({ cells }) => cells[0])).toEqual([
      "2 clients (clinic, bank)",
      "10 clients (aaaaaa, bbbbbb, cccccc, dddddd, …)",
    ]);
    expect(shown.groups[0]!.label).toBe("2 clients (clinic, bank)");
    expect(shown.bases.map(({ label }) => label)).toEqual([
      "base of 2 clients (clinic, bank)",
      "base of 10 clients (aaaaaa, bbbbbb, cccccc, dddddd, …)",
    ]);
    expect(shown.legend).toEqual([]);
    const elsewhere = { clients: two.clients.map((each) => ({ ...each, heldOut: "spare.jsonl" })) };
    const alike = compareRuns([of(two, "x"), of(elsewhere, "y")]);
    expect(alike.groups.map(({ cells }) => cells[0])).toEqual(["A", "B"]);
    expect(alike.groups[1]!.label).toBe("clients B");
    expect(alike.legend).toEqual(["clients: A as in runs/x, B as in runs/y."]);
    const adapters = ["all-linear", ["q_proj"], ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj"]];
    const targets = adapters.map((each) => simple(1, { adapter: { targets: each } }));
    expect(compareRuns(targets).groups.map(({ cells }) => cells[0])).toEqual(["all-linear", "q_proj", "5 entries"]);
    const fields = [{ fields: { response: "answer" } }, { fields: { response: "reply" } }].map((each) => of(each));
    expect(JSON.stringify(compareRuns(fields).groups.map(({ cells }) => cells))).toBe(
      '[["response: answer"],["response: reply"]]',
    );
  });

  it("have headings that say what is meant", () => {
    const two = [
      simple(1, { training: { beta1: 0.5 }, federation: { algorithm: "fedadam", server: { beta1: 0.5 } } }),
      simple(
        1,
        { federation: { algorithm: "fedadam" }, objective: { name: "dpo" }, data: { partition: { by: "field" } } },
        { data: "other" },
      ),
    ];
    expect(compareRuns(two).columns).toEqual(
      expect.arrayContaining(["objective", "partition", "training.beta1", "server.beta1"]),
    );
  });

  it("can be called by their folders", () => {
    const { columns, groups } = compareRuns(inventedRuns(), { names: true });
    expect(columns).toEqual(["run"]);
    expect(groups.map(({ label }) => label)).toEqual(["fedavg", "local"]);
    const both = compareRuns(inventedRuns(), { names: true, by: ["training.batchSize"] });
    expect([both.columns, both.groups[0]!.cells]).toEqual([
      ["batchSize", "run"],
      ["16", "fedavg"],
    ]);
    const elsewhere = [avg(1), { ...other(1, 0.5), folder: "elsewhere/r1" }];
    expect(compareRuns(elsewhere, { names: true }).groups.map(({ label }) => label)).toEqual([
      "runs/r1",
      "elsewhere/r1",
    ]);
  });

  it("keep an unfinished run out of the mean, and mark it", () => {
    const part = simple(3, { federation: { rounds: 8 } }, { finished: false });
    const whole = [1, 2].map((seed) => simple(seed, { federation: { rounds: 8 } }));
    const { groups } = compareRuns([...whole, part]);
    expect(groups.map(({ label, state }) => [label, state])).toEqual([
      ["fedavg", undefined],
      ["fedavg (round 1 of 8)", "unfinished, round 1 of 8"],
    ]);
    const nothing = compareRuns([inventedRun({ finished: false, rounds: [], plannedRounds: 4 })]);
    expect(nothing.groups[0]).toMatchObject({ state: "unfinished, round 0 of 4" });
    expect(nothing.metrics).toEqual([]);
    const { config } = inventedFiles(INVENTED[0]!);
    const [lost] = compareRuns([storedRun("f", "f", config)]).groups;
    expect(lost).toMatchObject({ state: "metrics.json is missing", label: "fedavg (metrics.json is missing)" });
    expect(costOf(lost!)).toBeUndefined();
  });

  it("count a seed once", () => {
    const { groups, warnings } = compareRuns([avg(1), { ...avg(1), folder: "runs/again" }]);
    expect(groups.map(({ runs }) => runs.length)).toEqual([1]);
    expect(warnings).toEqual(["runs/again has the same settings and seed as runs/r1 and is left out"]);
  });
});

describe("the matrix", () => {
  it("has every adapter and every set, and the best of each column", () => {
    const { sets, rows, best } = matrixOf(compareRuns(inventedRuns()), "loss");
    expect(sets).toEqual(["a", "b", "common"]);
    expect(rows.map(({ adapter, values }) => [adapter, ...values])).toEqual([
      ["base", 4, 5, 4],
      ["fedavg", expect.closeTo(3.2, 12), expect.closeTo(4.1, 12), expect.closeTo(3.1, 12)],
      ["local: a", 2.5, 5.5, 3.6],
      ["local: b", 5, 3.5, 4],
    ]);
    expect(best).toEqual([2, 3, 1]);
  });

  it("leaves out whom nothing was measured of, and lets the base not win", () => {
    const { rows, best } = matrixOf(compareRuns(inventedRuns()), "accuracy");
    expect(rows.map(({ adapter }) => adapter)).toEqual(["base", "fedavg"]);
    expect(best).toEqual([1, 1, 1]);
    const untrained = compareRuns([inventedRun({ rounds: [{ heldOut: { a: 1 } }], finished: false })]);
    expect(matrixOf(untrained, "loss").best).toEqual([-1]);
  });
});

describe("CSV", () => {
  it("has a line for each number", () => {
    const lines = comparisonCsv(compareRuns(inventedRuns())).split("\r\n");
    expect(lines[0]).toBe("algorithm,state,seeds,quantity,over,n,mean,sd,min,max,change,worstClient");
    const local = lines.find((line) => line.startsWith("local,finished,1,loss,own"))!.split(",");
    expect(local.slice(5, 10)).toEqual(["1", "3", "", "3", "3"]);
    expect(Number(local[10])).toBeCloseTo(-1 / 3, 12);
    expect(lines).toContain("fedavg,finished,1 2,bytesUp,,2,800,0,800,800,,");
    expect(lines.find((line) => line.startsWith("base,,1 2,loss,worst"))).toBe("base,,1 2,loss,worst,2,5,0,5,5,,b");
  });

  it("has a line for each score, and quotes what has to be", () => {
    const lines = scoresCsv(compareRuns(inventedRuns())).split("\r\n");
    expect(lines[0]).toBe("run,group,seed,round,adapter,set,records,metric,value");
    expect(lines).toContain("runs/local-seed1,local,1,2,b,a,8,loss,5");
    expect(lines).toContain("runs/fedavg-seed2,fedavg,2,2,global,common,8,accuracy,0.5");
    expect(lines).toContain("runs/fedavg-seed1,fedavg,1,0,base,b,8,loss,5");
    const odd = inventedRun({ rounds: [{}, { heldOut: { 'a "b", c': 1 } }] });
    expect(scoresCsv(compareRuns([odd]))).toContain(',"a ""b"", c",');
  });
});

describe("what a folder holds", () => {
  const { config, metrics } = inventedFiles(INVENTED[0]!);

  it("is a run whose rounds may lack what older versions did not measure", () => {
    expect(storedRun("f", "f", config, { rounds: [{ round: 1, heldOut: { a: { loss: null } } }] }).rounds).toEqual([
      expect.objectContaining({ round: 1, seconds: 0, bytesUp: 0 }),
    ]);
    expect(storedRun("f", "f", config).rounds).toEqual([]);
    expect(storedRun("f", "f", config, metrics)).toMatchObject({ finished: true, totalSeconds: 60, seed: 1 });
    const odd = JSON.parse('{"rounds":[{"round":1,"heldOut":{"__proto__":{"loss":2}}}]}') as unknown;
    expect([...storedRun("f", "f", config, odd).rounds[0]!.heldOut.keys()]).toEqual(["__proto__"]);
  });

  it.each([
    ["no configuration", {}, metrics, /config\.json of f is damaged/],
    ["a list of rounds that is none", config, { rounds: 3 }, /metrics\.json of f is damaged: it holds no list/],
    ["a document that is none", config, [], /metrics\.json of f is damaged/],
    ["a round without its number", config, { rounds: [{}] }, /a round has no number/],
  ])("is refused with %s", (_what, configJson, metricsJson, message) =>
    expect(() => storedRun("f", "f", configJson, metricsJson)).toThrow(message),
  );
});

it("names a set whose score was withheld, and has no value for it", () => {
  const withheld = { b: "fewer than 5 held-out records" };
  const rounds = [
    { heldOut: { a: 4 }, withheld },
    { heldOut: { a: 2 }, withheld },
  ];
  const comparison = compareRuns([inventedRun({ rounds })]);
  const lines = scoresCsv(comparison).trimEnd().split("\r\n");
  expect(lines.slice(1)).toEqual([
    "runs/run,fedavg,1,0,base,a,8,loss,4",
    "runs/run,fedavg,1,0,,b,,withheld,fewer than 5 held-out records",
    "runs/run,fedavg,1,1,global,a,8,loss,2",
    "runs/run,fedavg,1,1,,b,,withheld,fewer than 5 held-out records",
  ]);
  expect(figure(comparison.groups[0]!, "loss", "own", "final")!.mean).toBe(2);
});
