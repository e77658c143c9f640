import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { RunEvent } from "../src/federation/events.ts";
import { readConfigFile } from "../src/node/config-file.ts";
import { stateOf } from "../src/node/sweep-file.ts";
import { cliIn, eventsOf, killedAfterEvents, startRun } from "./support/cli.ts";
import { type Ran, adapterHash, runIn } from "./support/experiment.ts";
import { curvesOf } from "./support/tensorboard.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

// A learning rate at which the held-out loss goes up and down: 4.77 after round 1, above that until 4.67 after round 5.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-while-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const env = { ...process.env, NO_COLOR: "1" };
const cli = cliIn(folder, env);
const CLIENTS = ["apples", "bolts", "candles"];

function config(evaluation: object = {}, more: Record<string, unknown> = {}): object {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, targets: "all-linear" },
    data: {
      maxLength: 128,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 4, localSteps: 3, learningRate: 5e-2, schedule: "constant" },
    federation: { rounds: 10 },
    evaluation: { every: 1, ...evaluation },
    output: { saveEvery: 1 },
    runtime: { threads: 1 },
    ...more,
  };
}

const patient = (patience: number, minDelta = 0): object => config({ earlyStopping: { patience, minDelta } });
const savedRound = (run: Ran, round: number): string =>
  adapterHash(run.folder, "adapters", `round-${String(round).padStart(4, "0")}`);
const bestHash = (run: Ran): string => adapterHash(run.folder, "best");
const json = (run: Ran, file: string) => JSON.parse(readFileSync(path.join(run.folder, file), "utf8"));

type Scored = Extract<RunEvent, { type: "evaluation-end" }>;

/** The clients' mean held-out loss by round. */
function losses({ events }: Pick<Ran, "events">, of: (event: Scored) => boolean = () => true) {
  const byRound: number[][] = [];
  for (const event of events)
    if (event.type === "evaluation-end" && of(event)) (byRound[event.round] ??= []).push(event.loss);
  return byRound.map((all) => all.reduce((sum, loss) => sum + loss, 0) / all.length);
}

const argmin = (values: readonly number[]): number => values.indexOf(Math.min(...values));

let whole: Ran;
let mean: number[];

beforeAll(async () => {
  writeTinyModel(path.join(folder, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 12 + 5 * i);
    writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  whole = await runIn(folder, config({ best: { metric: "loss" } }), { name: "whole" });
  mean = losses(whole);
}, 60_000);

describe("the best round", () => {
  test("is kept as the adapter it was, and told of", async () => {
    expect(argmin(mean)).toBe(5);
    expect(bestHash(whole)).toBe(savedRound(whole, 5));
    expect(bestHash(whole)).not.toBe(adapterHash(whole.folder, "adapter"));
    expect(whole.summary.best).toEqual({
      metric: "loss",
      over: "clients",
      chosenOn: "reported",
      round: 5,
      value: mean[5],
      adapter: "best",
    });
    expect(json(whole, "metrics.json").best).toEqual(whole.summary.best);
    expect(json({ ...whole, folder: path.join(whole.folder, "best") }, "adapter_config.json").r).toBe(4);
  });

  test("changes nothing but what is kept, and by default there is none", async () => {
    const plain = await runIn(folder, config());
    expect(plain.summary.adapter).toBe(whole.summary.adapter);
    expect(plain.summary.best).toBeUndefined();
    expect(readdirSync(plain.folder).sort()).toEqual(
      readdirSync(whole.folder)
        .filter((name) => name !== "best")
        .sort(),
    );
    expect(eventsOf(plain.folder)).toEqual(eventsOf(whole.folder));
  });

  test("may be asked for when the run is done: nothing is trained, the engine stays shut", async () => {
    const { folder: run } = await runIn(folder, config(), { name: "later" });
    const before = readFileSync(path.join(run, "events.jsonl"), "utf8");
    const shut = () => ({ load: () => Promise.reject(new Error("the engine was opened")) });
    const later = await runIn(folder, config({ best: { metric: "loss" } }), { name: "later", runtime: shut });
    expect(later.summary.best).toEqual(whole.summary.best);
    expect(bestHash(later)).toBe(bestHash(whole));
    expect(readFileSync(path.join(run, "events.jsonl"), "utf8")).toBe(before);
  });

  test("is the base where no round was better", async () => {
    // Clients learn to prefer the opposite of what is measured.
    const rows = (chosen: string, rejected: string, count: number) =>
      Array.from({ length: count }, (_, i) => JSON.stringify({ prompt: `Item ${i}?`, chosen, rejected })).join("\n");
    writeFileSync(path.join(folder, "noughts.jsonl"), rows("000000", "xxxxxx", 12));
    writeFileSync(path.join(folder, "crosses.jsonl"), rows("xxxxxx", "000000", 4));
    const clients = [{ name: "opposed", train: "noughts.jsonl", heldOut: "crosses.jsonl" }];
    const settings = { objective: { name: "dpo" }, data: { maxLength: 128, clients }, federation: { rounds: 2 } };
    const run = await runIn(folder, config({ best: { metric: "loss" } }, settings));
    const [before, ...after] = losses(run);
    expect(Math.min(...after)).toBeGreaterThan(before!);
    expect(run.summary.best).toMatchObject({ round: 0, value: before });
    expect(bestHash(run)).toBe(savedRound(run, 0));
  });

  test("by a common set is that set's, and by accuracy the highest, the earliest of equals", async () => {
    const data = { ...(config() as { data: object }).data, heldOut: "common.jsonl" };
    writeTinyData(path.join(folder, "common.jsonl"), "dates", 5);
    const by = (best: object) => runIn(folder, config({ best }, { data, federation: { rounds: 4 } }));
    const run = await by({ metric: "loss" });
    const common = losses(run, ({ set }) => set === "common");
    expect(run.summary.best).toMatchObject({ over: "common", round: argmin(common), value: Math.min(...common) });
    expect((await by({ metric: "loss", over: "clients" })).summary.best!.value).toBeCloseTo(
      Math.min(...losses(run, ({ set }) => set !== "common")),
      12,
    );

    const labelled = ["kind", "cruel"].map((label, i) => ({ instruction: `Is word ${i} kind?`, response: label }));
    writeFileSync(path.join(folder, "labels.jsonl"), labelled.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const labels = await runIn(
      folder,
      config(
        { best: { metric: "accuracy" }, labels: ["kind", "cruel"] },
        { data: { ...data, heldOut: "labels.jsonl" }, federation: { rounds: 3 } },
      ),
    );
    const accuracies = labels.events.flatMap((event) =>
      event.type === "evaluation-end" && event.set === "common" ? event.metrics!["accuracy"]! : [],
    );
    const highest = Math.max(...accuracies);
    expect(labels.summary.best).toMatchObject({
      metric: "accuracy",
      over: "common",
      round: accuracies.indexOf(highest),
      value: highest,
    });
  });

  test("where each client has an adapter of its own, is each client's", async () => {
    const local = await runIn(
      folder,
      config({ best: { metric: "loss" } }, { federation: { rounds: 6, algorithm: "local" } }),
    );
    expect(local.summary.best).toBeUndefined();
    const rounds = CLIENTS.map((name) => {
      const own = losses(local, ({ set }) => set === name);
      const { round, value, adapter } = local.summary.clientBests![name]!;
      expect([round, value, adapter]).toEqual([argmin(own), Math.min(...own), `best/${name}`]);
      return round;
    });
    expect(new Set(rounds).size).toBeGreaterThan(1);
    // A client alone up to its best round ends with that adapter.
    const [name, round] = [CLIENTS[1]!, rounds[1]!];
    const short = await runIn(folder, config({}, { federation: { rounds: round, algorithm: "local" } }));
    expect(adapterHash(local.folder, "best", name)).toBe(adapterHash(short.folder, "client-adapters", name));
  });
});

describe("the validation parts", () => {
  const VALIDATION = "evaluation.validation=0.5";
  const BEST = "evaluation.best.metric=loss";
  const run = (name: string, ...set: readonly string[]) => {
    const ended = cli("run", "parts.yaml", "--out", name, ...set.flatMap((each) => ["--set", each]));
    expect(ended.status).toBe(0);
    return { folder: path.join(folder, name), ...ended };
  };
  const eventsIn = ({ folder: at }: { folder: string }): RunEvent[] => eventsOf(at).map((line) => JSON.parse(line));
  const metricsIn = ({ folder: at }: { folder: string }) =>
    JSON.parse(readFileSync(path.join(at, "metrics.json"), "utf8"));
  const isScored = ({ type }: RunEvent): boolean => type === "evaluation-end";
  const isChoosing = ({ type }: RunEvent): boolean => type === "validation-end";
  let plain: ReturnType<typeof run>;
  let chosen: ReturnType<typeof run>;

  beforeAll(() => {
    const data = { ...(config() as { data: object }).data, heldOut: "parts.jsonl" };
    writeTinyData(path.join(folder, "parts.jsonl"), "figs", 8);
    writeFileSync(path.join(folder, "parts.yaml"), stringify(config({}, { data, federation: { rounds: 4 } })));
    plain = run("parts-plain", VALIDATION);
    chosen = run("parts-chosen", VALIDATION, BEST);
  }, 120_000);

  test("choose the best round; the rest is what it would be without", () => {
    const events = eventsIn(chosen);
    expect(events.filter((event) => !isChoosing(event))).toEqual(eventsIn(plain));
    expect(adapterHash(chosen.folder, "adapter")).toBe(adapterHash(plain.folder, "adapter"));
    // A run that is scored on the validation parts measures the same numbers.
    const on = run("parts-on", VALIDATION, "evaluation.part=validation");
    const numbers = (all: RunEvent[]) => all.map(({ type: _type, ...score }) => score);
    expect(numbers(events.filter(isChoosing))).toEqual(numbers(eventsIn(on).filter(isScored)));
    const common = eventsIn(on).flatMap((event) =>
      event.type === "evaluation-end" && event.set === "common" ? event.loss : [],
    );
    expect(common).toHaveLength(5);
    const round = argmin(common);
    const best = {
      metric: "loss",
      over: "common",
      chosenOn: "validation",
      round,
      value: common[round],
      adapter: "best",
    };
    expect(metricsIn(chosen).best).toEqual(best);
    expect(chosen.stdout).toContain(`round ${round}: validation loss ${common[round]!.toFixed(3)}, on the common set`);
    expect(chosen.stderr).not.toContain("best round was chosen");
    const page = readFileSync(path.join(chosen.folder, "report.html"), "utf8");
    expect(page).not.toContain("best round was chosen");
  }, 60_000);

  test("are not scored later in a run that was begun without them, and a note says so", () => {
    const later = run("parts-plain", VALIDATION, BEST);
    expect(eventsIn(later)).toEqual(eventsIn(plain));
    expect(metricsIn(later).best).toMatchObject({ chosenOn: "reported" });
    const sentence = "The best round was chosen on the records that are reported: its score is too good.";
    expect(later.stderr).toContain(`note: ${sentence}\n`);
    const before = "note: the best round is chosen on the records that are reported; a run with evaluation.validation";
    expect(later.stderr).not.toContain(before);
    expect(run("parts-none", BEST).stderr).toContain(before);
    expect(readFileSync(path.join(later.folder, "report.html"), "utf8")).toContain(sentence);
  }, 60_000);

  test("stop a run, of each client's own adapter too, as if it had never been killed", async () => {
    for (const algorithm of ["fedavg", "local"]) {
      const settings = config(
        { validation: 0.5, earlyStopping: { patience: 2 } },
        { federation: { rounds: 6, algorithm } },
      );
      const whole = await runIn(folder, settings);
      const name = `parts-killed-${algorithm}`;
      const stopAt = (event: RunEvent): boolean => event.type === "validation-end" && event.round === 2;
      await expect(runIn(folder, settings, { name, stopAt })).rejects.toMatchObject({ kind: "interrupted" });
      const again = await runIn(folder, settings, { name });
      expect(eventsOf(again.folder)).toEqual(eventsOf(whole.folder));
      const bests = [whole.summary.best ?? [], Object.values(whole.summary.clientBests ?? {})].flat();
      expect(bests.map(({ chosenOn }) => chosenOn)).toEqual(
        (algorithm === "local" ? CLIENTS : [0]).map(() => "validation"),
      );
      expect(again.summary).toEqual({ ...whole.summary, seconds: again.summary.seconds });
      const sets = whole.events.flatMap((event) =>
        event.type === "validation-end" && event.round === 1 ? event.set : [],
      );
      expect(sets).toEqual(CLIENTS);
    }
  }, 60_000);

  test("of preferences are measured against the base as held-out records are", async () => {
    const rows = Array.from({ length: 12 }, (_, i) => ({
      prompt: `Item ${i}?`,
      chosen: `yes ${i}`,
      rejected: `no ${i}`,
    }));
    const written = (some: readonly object[]): string => some.map((row) => `${JSON.stringify(row)}\n`).join("");
    writeFileSync(path.join(folder, "pairs.jsonl"), written(rows.slice(0, 6)));
    writeFileSync(path.join(folder, "pairs.heldout.jsonl"), written(rows.slice(6)));
    const clients = [{ name: "pairs", train: "pairs.jsonl", heldOut: "pairs.heldout.jsonl" }];
    const more = { objective: { name: "kto" }, data: { maxLength: 128, clients }, federation: { rounds: 1 } };
    const chosenBy = await runIn(folder, config({ validation: 0.5, best: { metric: "accuracy" } }, more));
    const on = await runIn(folder, config({ validation: 0.5, part: "validation" }, more));
    const values = (all: readonly RunEvent[], type: string) =>
      all.flatMap((event) => (event.type === type && "metrics" in event ? [event.metrics] : []));
    expect(values(chosenBy.events, "validation-end")).toEqual(values(on.events, "evaluation-end"));
    expect(values(on.events, "evaluation-end")[1]).toHaveProperty("accuracy");
    expect(chosenBy.summary.best).toMatchObject({ metric: "accuracy", chosenOn: "validation" });
  });

  test("with fewer records than evaluation.minRecords are not scored", async () => {
    // Of 4 held-out records the test part has 3.
    const settings = config(
      { validation: 0.25, minRecords: 2, best: { metric: "loss" } },
      { federation: { rounds: 1 } },
    );
    const few = await runIn(folder, settings);
    expect(few.events.some(isChoosing)).toBe(false);
    expect(few.summary).toMatchObject({ best: { chosenOn: "reported" } });
    expect(few.summary.withheld).toBeUndefined();
  });
});

describe("a large held-out set", () => {
  const large = (evaluation: object, more: Record<string, unknown> = {}): object => {
    const data = {
      maxLength: 128,
      clients: [{ name: "apples", train: "apples.jsonl", heldOut: "apples.large.jsonl" }],
    };
    return config(evaluation, { data, federation: { rounds: 6 }, ...more });
  };
  const recordsIn = ({ events }: Ran, type: "evaluation-end" | "validation-end"): number[] => [
    ...new Set(events.flatMap((event) => (event.type === type ? event.records : []))),
  ];

  test("is dealt in two where a best round or an early stop asks for it, and the run stays the same run", async () => {
    writeTinyData(path.join(folder, "apples.large.jsonl"), "apples spare", 21);
    const plain = await runIn(folder, large({}), { name: "large-plain" });
    const stopping = large({ earlyStopping: { patience: 1, minDelta: 100 } });
    const stopped = await runIn(folder, stopping, { name: "large-stopped" });
    expect([recordsIn(plain, "evaluation-end"), recordsIn(plain, "validation-end")]).toEqual([[21], []]);
    expect([recordsIn(stopped, "evaluation-end"), recordsIn(stopped, "validation-end")]).toEqual([[11], [10]]);
    expect(stopped.summary).toMatchObject({ rounds: 1, best: { chosenOn: "validation" } });
    expect(stopped.events.find(({ type }) => type === "early-stop")).toMatchObject({ chosenOn: "validation" });
    expect(savedRound(stopped, 1)).toBe(savedRound(plain, 1));
    for (const key of ["data", "model", "validation"]) {
      expect(json(stopped, "config.json")[key]).toEqual(json(plain, "config.json")[key]);
    }
    // A run that was begun without goes on as it began.
    const later = await runIn(folder, large({ best: { metric: "loss" } }), { name: "large-plain" });
    expect(recordsIn(later, "evaluation-end")).toEqual([]);
    expect(later.summary).toMatchObject({ adapter: plain.summary.adapter, best: { chosenOn: "reported" } });
  }, 60_000);

  test("stays whole where a half would be withheld, and is dealt by the share that is named", async () => {
    for (const evaluation of [
      { minRecords: 11, best: { metric: "loss" } },
      { best: { metric: "loss" }, limit: 5, validation: 0.2 },
    ]) {
      const run = await runIn(folder, large(evaluation, { federation: { rounds: 1 } }));
      const few = "limit" in evaluation;
      expect(recordsIn(run, "evaluation-end")).toEqual([few ? 5 : 21]);
      expect(recordsIn(run, "validation-end")).toEqual(few ? [4] : []);
      expect(run.summary.best?.chosenOn).toBe(few ? "validation" : "reported");
      expect("validation" in json(run, "config.json")).toBe(few);
    }
  }, 60_000);

  test("that was changed in its validation part is another run's", async () => {
    const settings = large({ validation: 0.5, best: { metric: "loss" } }, { federation: { rounds: 1 } });
    await runIn(folder, settings, { name: "large-changed" });
    const bound = path.join(folder, "large-changed", "config.json");
    const stored = JSON.parse(readFileSync(bound, "utf8"));
    writeFileSync(bound, JSON.stringify({ ...stored, validation: "0".repeat(64) }));
    await expect(runIn(folder, settings, { name: "large-changed" })).rejects.toThrow(
      "the records of the validation parts have changed",
    );
    writeFileSync(bound, JSON.stringify({ ...stored, validation: undefined }));
    await runIn(folder, settings, { name: "large-changed" });
  }, 60_000);
});

describe("stopping early", () => {
  test.each([
    [1, 2, 1],
    [2, 3, 1],
    [3, 4, 1],
    [4, 9, 5],
  ])(
    "patience %i stops after round %i, the best being %i, with the adapter of that round",
    async (patience, at, best) => {
      const run = await runIn(folder, patient(patience));
      expect(run.summary).toMatchObject({ rounds: at, plannedRounds: 10, best: { round: best, value: mean[best] } });
      expect(adapterHash(run.folder, "adapter")).toBe(savedRound(whole, at));
      expect(bestHash(run)).toBe(savedRound(whole, best));
      expect(losses(run)).toEqual(mean.slice(0, at + 1));
      expect(run.events.at(-2)).toEqual({
        type: "early-stop",
        round: at,
        metric: "loss",
        patience,
        minDelta: 0,
        bestRound: best,
        bestValue: mean[best],
      });
      expect(run.events.at(-1)).toMatchObject({ type: "run-end", rounds: at });
      expect(run.summary.heldOut.map(({ after }) => after)).toEqual(
        run.events.flatMap((event) => (event.type === "evaluation-end" && event.round === at ? event.loss : [])),
      );
    },
  );

  test("a patience that is never used up leaves the run what it was", async () => {
    const run = await runIn(folder, patient(9));
    expect(run.summary).toMatchObject({ rounds: 10, adapter: whole.summary.adapter });
    expect(run.summary.plannedRounds).toBeUndefined();
    expect(eventsOf(run.folder)).toEqual(eventsOf(whole.folder));
  });

  test("a minDelta that no round reaches stops after patience evaluations", async () => {
    expect((await runIn(folder, patient(2, 100))).summary).toMatchObject({ rounds: 2, best: { round: 1 } });
  });

  test("typed again it stays finished; with more patience it goes on as if it had had that from the start", async () => {
    const stopped = await runIn(folder, patient(2), { name: "patient" });
    const log = readFileSync(path.join(stopped.folder, "events.jsonl"), "utf8");
    const again = await runIn(folder, patient(2), { name: "patient" });
    expect(again.summary).toEqual(stopped.summary);
    expect(readFileSync(path.join(stopped.folder, "events.jsonl"), "utf8")).toBe(log);

    const more = await runIn(folder, patient(4), { name: "patient" });
    const direct = await runIn(folder, patient(4));
    expect(more.events).toContainEqual({ type: "run-resume", afterRound: 3 });
    expect(more.summary).toMatchObject({ rounds: 9, adapter: direct.summary.adapter, best: direct.summary.best });
    expect(eventsOf(more.folder)).toEqual(eventsOf(direct.folder));
    expect(json(more, "config.json").config.evaluation.earlyStopping.patience).toBe(4);

    // Less patience than was had: the run is as long as it is.
    expect((await runIn(folder, patient(1), { name: "patient" })).summary).toMatchObject({ rounds: 9 });
    // None at all: to the end.
    expect((await runIn(folder, config(), { name: "patient" })).summary.adapter).toBe(whole.summary.adapter);
  });

  test("a sweep takes a stopped run for finished, and for begun where it asks for more patience", async () => {
    const { folder: stopped } = await runIn(folder, patient(1), { name: "swept" });
    const stateUnder = (patience: number) => {
      const file = path.join(folder, `swept-${patience}.yaml`);
      writeFileSync(file, stringify(patient(patience)));
      return stateOf({ name: "swept", seed: 42, folder: "swept", config: readConfigFile(file) }, stopped);
    };
    expect(stateUnder(1)).toMatchObject({ state: "finished" });
    expect(stateUnder(2)).toEqual({ state: "begun", round: 2, rounds: 10 });
  });

  test("a round that was begun under more patience is played to its end", async () => {
    const stopAt = (event: RunEvent): boolean => event.type === "client-update" && event.round === 5;
    await expect(runIn(folder, patient(9), { name: "begun", stopAt })).rejects.toMatchObject({ kind: "interrupted" });
    expect((await runIn(folder, patient(1), { name: "begun" })).summary).toMatchObject({ rounds: 5 });
    expect(adapterHash(folder, "begun", "adapter")).toBe(savedRound(whole, 5));
  });
});

describe("killed again and again", () => {
  test.each(["fedavg", "local"])(
    "%s: around the stop too it ends with the same bytes, events and curves",
    async (algorithm) => {
      const file = `killed-${algorithm}.yaml`;
      const settings = config(
        { earlyStopping: { patience: 2, minDelta: 0.2 } },
        { federation: { rounds: 10, algorithm }, output: { tensorboard: true } },
      );
      writeFileSync(path.join(folder, file), stringify(settings));
      const [one, other] = ["whole", "killed"].map((name) => path.join(folder, `${algorithm}-${name}`)) as [
        string,
        string,
      ];
      expect(cli("run", file, "--out", one).status).toBe(0);
      const count = readFileSync(path.join(one, "events.jsonl"), "utf8").trim().split("\n").length;
      let kills = 0;
      for (let seed = 1; kills < 8 && seed < 40; seed++) {
        const child = startRun(folder, env, file, "--out", other);
        // A start tells again what is known: towards the end only some of these counts are reached.
        if (await killedAfterEvents(child, 6 + ((seed * 7919) % Math.floor(count / 4)))) kills++;
        else break;
      }
      expect(kills).toBeGreaterThanOrEqual(3);
      expect(cli("run", file, "--out", other).status).toBe(0);
      const adapters = algorithm === "local" ? CLIENTS.map((name) => `client-adapters/${name}`) : ["adapter"];
      const bests = algorithm === "local" ? CLIENTS.map((name) => `best/${name}`) : ["best"];
      for (const name of [...adapters, ...bests]) expect(adapterHash(other, name)).toBe(adapterHash(one, name));
      expect(eventsOf(other)).toEqual(eventsOf(one));
      expect(eventsOf(one).some((line) => line.includes('"early-stop"'))).toBe(true);
      const points = (run: string) =>
        Object.fromEntries(
          [...curvesOf(run)]
            .filter(([tag]) => !tag.startsWith("seconds/"))
            .map(([tag, curve]) => [tag, curve.map(({ step, value }) => [step, value])]),
        );
      expect(points(other)).toEqual(points(one));
    },
    240_000,
  );
});

describe("TensorBoard's event file", () => {
  let board: Ran;
  const fileOf = (run: string): string => path.join(run, "tensorboard", readdirSync(path.join(run, "tensorboard"))[0]!);

  beforeAll(async () => {
    board = await runIn(
      folder,
      config({}, { federation: { rounds: 3, clientsPerRound: 2 }, output: { tensorboard: true } }),
      { name: "board" },
    );
  }, 60_000);

  test("holds every number of the events, by round, and a client's steps counted on", () => {
    const curves = curvesOf(board.folder);
    const expected = new Map<string, (readonly [number, number])[]>();
    const add = (tag: string, step: number, value: number): void => {
      expected.set(tag, [...(expected.get(tag) ?? []), [step, Math.fround(value)]]);
    };
    const steps: Record<string, number> = {};
    for (const event of board.events) {
      if (event.type === "evaluation-end") add(`heldOut/loss/${event.set}`, event.round, event.loss);
      if (event.type === "round-start") add("train/learningRate", event.round, event.learningRate);
      if (event.type === "round-end") add("train/loss", event.round, event.loss!);
      if (event.type === "client-update") add(`train/loss/${event.client}`, event.round, event.loss!);
      if (event.type !== "client-step") continue;
      steps[event.client] = (steps[event.client] ?? 0) + 1;
      add(`step/loss/${event.client}`, steps[event.client]!, event.loss!);
      add(`step/gradientNorm/${event.client}`, steps[event.client]!, event.gradientNorm!);
    }
    expect(expected.size).toBeGreaterThan(13);
    for (const [tag, points] of expected) {
      expect(
        curves.get(tag)?.map(({ step, value }) => [step, value]),
        tag,
      ).toEqual(points);
    }
    const up = board.events.reduce((sum, event) => sum + (event.type === "client-update" ? event.bytesUp : 0), 0);
    expect(curves.get("bytes/up")!.reduce((sum, { value }) => sum + value, 0)).toBe(up);
    const times = curves.get("train/loss")!.map(({ wallTime }) => wallTime);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.abs(times[0]! - Date.now() / 1000)).toBeLessThan(3600);
  });

  test("is the same again where the run is typed again, and where it is asked for when the run is done", async () => {
    const before = readFileSync(fileOf(board.folder));
    await runIn(folder, config({}, { federation: { rounds: 3, clientsPerRound: 2 }, output: { tensorboard: true } }), {
      name: "board",
    });
    expect(readFileSync(fileOf(board.folder)).equals(before)).toBe(true);
    expect(readdirSync(path.join(board.folder, "tensorboard"))).toHaveLength(1);

    const plain = { federation: { rounds: 3, clientsPerRound: 2 }, output: {} };
    const off = await runIn(folder, config({}, plain), { name: "off" });
    expect(existsSync(path.join(off.folder, "tensorboard"))).toBe(false);
    await runIn(folder, config({}, { ...plain, output: { tensorboard: true } }), { name: "off" });
    expect([...curvesOf(off.folder).keys()].sort()).toEqual([...curvesOf(board.folder).keys()].sort());
  });
});

describe("bad input", () => {
  const refused = async (evaluation: object, more: Record<string, unknown> = {}) =>
    runIn(folder, config(evaluation, { federation: { rounds: 1 }, ...more }));

  test.each([
    [
      "a metric that is misspelt",
      { best: { metric: "los" } },
      "which this run does not measure",
      "Did you mean 'loss'?",
    ],
    [
      "one that is not measured here",
      { best: { metric: "macroF1" } },
      'evaluation.best.metric is "macroF1"',
      "Metrics of this run: loss.",
    ],
    [
      "a benchmark that does not run",
      { best: { metric: "riddles/accuracy" } },
      "which this run does not measure",
      "Metrics of this run: loss.",
    ],
    [
      "a common set that is not there",
      { best: { metric: "loss", over: "common" } },
      "no common held-out set",
      "clients",
    ],
    ["patience without evaluations", { every: 0, earlyStopping: { patience: 2 } }, "evaluation.every is 0", "every: 1"],
    ["patience of 0", { earlyStopping: { patience: 0 } }, "earlyStopping.patience is 0, expected integer >= 1", ""],
  ])("%s: one sentence and what to do", async (_title, evaluation, message, hint) => {
    const error = await refused(evaluation).catch((caught: unknown) => caught as { hint?: string });
    expect(error).toMatchObject({ kind: "config", message: expect.stringContaining(message) });
    expect((error as { hint?: string }).hint ?? "").toContain(hint);
  });

  test("rewards have no better way; and without held-out records there is nothing to be best by", async () => {
    await expect(refused({ best: { metric: "chosenReward" } }, { objective: { name: "dpo" } })).rejects.toMatchObject({
      message: expect.stringContaining("a higher or lower value of it is not better"),
    });
    const clients = CLIENTS.map((name) => ({ name, train: `${name}.jsonl` }));
    await expect(
      refused({ earlyStopping: { patience: 1 } }, { data: { maxLength: 128, clients } }),
    ).rejects.toMatchObject({ kind: "config", message: expect.stringContaining("no record is held out") });
  });
});
