import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { CLI, cliIn } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { INVENTED, inventedFiles, PREFERENCES } from "./support/invented-runs.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-sweep-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const env = { ...process.env, OPENFEDLLM_CACHE: at("cache"), NO_COLOR: "1", TRADE: "apples" };

const EXPERIMENT = {
  model: { base: "model" },
  adapter: { rank: 4, alpha: 8 },
  data: {
    maxLength: 128,
    clients: ["${TRADE}", "bolts"].map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
  },
  training: { batchSize: 4, localSteps: 2, learningRate: 5e-3 },
  federation: { rounds: 2 },
  evaluation: { every: 1 },
  runtime: { threads: 1 },
};

function write(name: string, value: unknown): string {
  writeFileSync(at(name), stringify(value));
  return name;
}

const cli = cliIn(folder, env);
const adapterHash = (run: string): string => hashOf(folder, run, "adapter");

const states = (...args: string[]): string[] =>
  cli("sweep", ...args, "--list")
    .stdout.trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/)[2]!.replace(/, .*/, ""));

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const name of ["apples", "bolts"]) {
    writeTinyData(at(`${name}.jsonl`), name, 12);
    writeTinyData(at(`${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  write("claim.yaml", {
    experiment: EXPERIMENT,
    runs: [
      { name: "short", seeds: [1, 2] },
      { name: "long", set: { "training.localSteps": 3, "federation.rounds": 3 }, seeds: [1, 2] },
    ],
    compare: { matrix: true },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("openfedllm sweep", () => {
  test("killed in the middle and typed again, ends as its runs would end alone", async () => {
    expect(states("claim.yaml")).toEqual(["to do", "to do", "to do", "to do"]);
    const child = spawn(process.execPath, [CLI, "sweep", "claim.yaml"], {
      cwd: folder,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    await new Promise<void>((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        stderr += chunk;
        // In the third run, after its first round.
        if (/run 3 of 4: long-seed1[^]*round 1\/3/.test(stderr)) child.kill("SIGKILL");
      });
      child.on("exit", (_code, signal) => (signal === "SIGKILL" ? resolve() : reject(new Error(stderr))));
    });
    expect(states("claim.yaml")).toEqual(["finished", "finished", expect.stringMatching(/^round \d of 3$/), "to do"]);

    const again = cli("sweep", "claim.yaml");
    expect(again.status).toBe(0);
    expect(again.stderr).toMatch(/^2 of 4 runs already finished\nrun 3 of 4: long-seed1, about [\d.]+s left\n/);
    expect(again.stderr).toContain("continuing with round");
    expect(again.stderr).not.toContain("run 1 of 4");
    expect(states("claim.yaml")).toEqual(["finished", "finished", "finished", "finished"]);

    write("alone.yaml", EXPERIMENT);
    const alone = ["--set", "training.localSteps=3", "--set", "federation.rounds=3", "--set", "seed=1"];
    expect(cli("run", "alone.yaml", "--out", "alone", ...alone).status).toBe(0);
    expect(adapterHash("runs/claim/long-seed1")).toBe(adapterHash("alone"));

    expect(again.stdout).toMatch(/^run +runs +own sets, mean/m);
    expect(again.stdout).toMatch(/^short +2 +\d\.\d{3} ± \d\.\d{3}/m);
    expect(again.stdout).toMatch(/every adapter on every set\nadapter +apples +bolts\nbase/);
    const markdown = readFileSync(at("runs/claim/comparison/comparison.md"), "utf8");
    expect(markdown).toContain("| run | runs | own sets, mean | change | worst client |");
    for (const name of ["loss-own-by-round.svg", "loss-own-final.svg"]) {
      expect(markdown).toContain(`](${name})`);
      expect(readFileSync(at("runs/claim/comparison", name), "utf8")).toMatch(/^<svg /);
    }
    expect(readFileSync(at("runs/claim/comparison/scores.csv"), "utf8").split("\r\n")).toHaveLength(
      2 + 2 * 2 * (3 + 4),
    );
  }, 120_000);

  test("opens neither model nor data of a finished run", () => {
    renameSync(at("model"), at("model-away"));
    const { status, stdout, stderr } = cli("sweep", "claim.yaml");
    renameSync(at("model-away"), at("model"));
    expect(status).toBe(0);
    expect(stderr).toMatch(/^4 of 4 runs already finished\nwrote /);
    expect(stdout).toMatch(/^long +2 /m);
  });

  test("goes on after a run that fails, and says so", () => {
    const claim = write("failing.yaml", {
      experiment: "alone.yaml",
      runs: [
        { name: "lost", set: { "data.clients.1.train": "blots.jsonl" } },
        { name: "good", set: { "federation.rounds": 1 } },
      ],
    });
    const { status, stdout, stderr } = cli("sweep", claim, "--threads", "2");
    expect(status).toBe(EXIT_CODES.data);
    expect(stderr).toMatch(
      /run 1 of 2: lost-seed42\n[^]*error: no file blots\.jsonl\nhint: Did you mean bolts\.jsonl\?/,
    );
    expect(stderr).toMatch(/error: 1 of 2 runs failed: lost-seed42\nhint: .*to retry these runs[^\n]*\n$/);
    expect(stderr).toMatch(/warning: lost-seed42 is left out: runs\/failing\/lost-seed42 does not exist/);
    expect(stdout).toMatch(/^good +1 /m);
    expect(JSON.parse(readFileSync(at("runs/failing/good-seed42/config.json"), "utf8"))).toMatchObject({ threads: 2 });
    expect(states(claim)).toEqual(["to do", "finished"]);
  }, 60_000);

  test("Ctrl-C stops the whole sweep with exit code 130", async () => {
    const child = spawn(process.execPath, [CLI, "sweep", "claim.yaml", "--out", "stopped"], {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    let pressed = false;
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      if (!pressed && stderr.includes("round 1/2")) pressed = child.kill("SIGINT");
    });
    expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(EXIT_CODES.interrupted);
    expect(stderr).toMatch(/run the same command again/i);
    expect(existsSync(at("stopped/short-seed2"))).toBe(false);
    expect(cli("sweep", "claim.yaml", "--out", "stopped", "--only", "short").status).toBe(0);
    expect(adapterHash("stopped/short-seed1")).toBe(adapterHash("runs/claim/short-seed1"));
  }, 60_000);

  test("does not go on in a folder with another run", () => {
    cpSync(at("runs/claim"), at("changed"), { recursive: true });
    const changed = write("changed.yaml", {
      experiment: "alone.yaml",
      runs: [{ name: "short", set: { "training.localSteps": 5 }, seeds: [1] }],
    });
    expect(cli("sweep", changed, "--out", "changed", "--list").stdout).toMatch(
      /cannot continue: it holds another run: training\.localSteps was 2, is 5/,
    );
    const { status, stderr } = cli("sweep", changed, "--out", "changed");
    expect(status).toBe(EXIT_CODES.config);
    expect(stderr).toContain("the run folder holds a run with other settings: training.localSteps was 2, is 5");
  });

  test.each<[string, string[], RegExp, RegExp]>([
    ["no file", ["sweep", "clam.yaml"], /clam\.yaml: there is no such file/, /claim\.yaml/],
    ["a name it has not", ["sweep", "claim.yaml", "--only", "shrot"], /--only shrot: the sweep has no run/, /'short'/],
    ["a misspelt key", ["sweep", "misspelt.yaml"], /misspelt\.yaml, line \d+, column 1: unknown key 'rusn'/, /'runs'/],
    ["a variable that is not set", ["sweep", "variable.yaml"], /environment variable NOT_SET is not set/, /Set it/],
    ["a lost experiment", ["sweep", "lost.yaml"], /cannot read the configuration alnoe\.yaml/, /alone\.yaml/],
    [
      "a way to compare that is none",
      ["sweep", "metric.yaml", "--list"],
      /metric\.yaml: compare\.metric: no run measures 'acuracy'/,
      /loss/,
    ],
    [
      "a setting of the last run",
      ["sweep", "late.yaml"],
      /late\.yaml, run two: unknown key 'training\.localStep'/,
      /localSteps/,
    ],
  ])("before it runs anything refuses %s", (_what, args, message, hint) => {
    write("alone.yaml", EXPERIMENT);
    write("misspelt.yaml", { experiment: EXPERIMENT, rusn: [] });
    write("variable.yaml", { experiment: "${NOT_SET}.yaml", runs: [{ name: "x" }] });
    write("lost.yaml", { experiment: "alnoe.yaml", runs: [{ name: "x" }] });
    write("metric.yaml", { experiment: "alone.yaml", runs: [{ name: "x" }], compare: { metric: "acuracy" } });
    const late = [{ name: "one" }, { name: "two", set: { "training.localStep": 1 } }];
    write("late.yaml", { experiment: "alone.yaml", runs: late });
    const { status, stdout, stderr } = cli(...args);
    expect([status, stdout]).toEqual([EXIT_CODES.config, ""]);
    expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(stderr.split("\n")[1]).toMatch(hint);
    expect(existsSync(at("runs/late"))).toBe(false);
  });
});

describe("openfedllm compare", () => {
  const runFolder = (run: (typeof INVENTED)[number], parent: string): void => {
    const { config, metrics } = inventedFiles(run);
    mkdirSync(at(parent, run.name!), { recursive: true });
    writeFileSync(at(parent, run.name!, "config.json"), JSON.stringify(config));
    writeFileSync(at(parent, run.name!, "metrics.json"), JSON.stringify(metrics));
  };

  beforeAll(() => {
    for (const run of INVENTED) runFolder(run, "invented");
    for (const run of PREFERENCES) runFolder(run, "preferences");
    mkdirSync(at("invented/notes"));
  });

  test("shows a row for runs that differ in the seed", () => {
    const { status, stdout, stderr } = cli("compare", "invented", "--matrix");
    expect([status, stderr]).toEqual([0, ""]);
    const [loss, accuracy, cost, matrix] = stdout.split("\n\n");
    expect(loss!.split("\n")).toEqual([
      "held-out loss (nats, lower is better)",
      "algorithm  runs  common set     change  own sets, mean  change  worst client",
      "base             4.000                  4.500                   5.000 b",
      "fedavg        2  3.100 ± 0.141  -22.5%  3.650 ± 0.212   -18.9%  4.100 ± 0.141 b",
      "                 3.000–3.200            3.500–3.800             4.000–4.200",
      "local         1  3.800           -5.0%  3.000           -33.3%  3.500 b",
      "                 3.600–4.000",
    ]);
    expect(accuracy!.split("\n")[3]).toBe("fedavg        2  60.0% ± 14.1%  55.0% ± 0.0%    45.0% ± 7.1% b, a");
    expect(cost!.split("\n").slice(2)).toEqual([
      "fedavg        2       23s  800 B  400 B",
      "local         1       22s    0 B    0 B",
    ]);
    expect(matrix!.split("\n").slice(1)).toEqual([
      "adapter        a       b  common",
      "base       4.000   5.000   4.000",
      "fedavg     3.200   4.100  *3.100",
      "local: a  *2.500   5.500   3.600",
      "local: b   5.000  *3.500   4.000",
    ]);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("with equal weight for each client");
  });

  test("writes tables and charts, and says where the same folder was given twice nothing", () => {
    const { status } = cli("compare", "invented/fedavg-seed1", "invented", "--metric", "accuracy", "--out", "report");
    expect(status).toBe(0);
    const markdown = readFileSync(at("report/comparison.md"), "utf8");
    expect(markdown).toContain("| fedavg | 2 | 3.100 ± 0.141 (3.000–3.200) | -22.5% |");
    expect(markdown).toContain("](accuracy-common-by-round.svg)");
    expect(readFileSync(at("report/comparison.csv"), "utf8")).toContain("fedavg,finished,1 2,loss,common,2,3.1,");
  });

  test("begins with what it is asked for, and speaks of a common set only where there is one", () => {
    const { stdout } = cli("compare", "invented", "--metric", "accuracy");
    expect(stdout).toMatch(/^held-out accuracy \(higher is better\)\n/);
    expect(stdout).toMatch(/^local: each client's own adapter; common set: /m);
  });

  test("shows runs of different objectives by their accuracy, each with its own base", () => {
    const { status, stdout, stderr } = cli("compare", "preferences", "--names", "--matrix", "--out", "objectives");
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^warning: [^\n]*ipo-fedavg-seed1 and 1 more train with ipo, [^\n]*; compare accuracy\nwrote /,
    );
    expect(stderr).toContain("accuracy-own-final.svg");
    const [accuracy, loss, reward] = stdout.split("\n\n").map((table) => table.split("\n"));
    expect(accuracy).toEqual([
      "held-out accuracy (higher is better)",
      "run           runs  own sets, mean  worst client",
      "base (dpo)          50.0%           50.0% a",
      "base (ipo)          50.0%           50.0% a",
      "base (simpo)        48.0%           48.0% a",
      ...["dpo-fedavg  ", "dpo-local   ", "ipo-fedavg  ", "ipo-local   ", "simpo-fedavg", "simpo-local "].map(
        (name) => `${name}     1  60.0%           60.0% a`,
      ),
    ]);
    expect(loss![0]).toBe("held-out loss (of each row's own objective, lower is better)");
    expect(reward!.slice(0, 2)).toEqual([
      "held-out chosen reward (of each row's own objective)",
      "run           runs  own sets, mean",
    ]);
    expect(stdout).toMatch(/^dpo-local; ipo-local; simpo-local: each client's own adapter\.$/m);
  });

  test("calls rows by their folders where the settings do not fit, and says how to see them", () => {
    const wide = ["one", "two"].map((name, i) => {
      const clients = [{ name: `a client with a name as long as this one is, ${name}`, train: "a.jsonl" }];
      const settings = {
        data: { clients, limit: i + 3, maxLength: 100 + i },
        training: { localSteps: i + 1, batchSize: i + 2 },
      };
      return { ...INVENTED[0]!, name, data: name, settings };
    });
    for (const run of wide) runFolder(run, "wide");
    const { stdout } = cli("compare", "wide", "--out", "wide-report");
    expect(stdout).toMatch(/^run +runs +common set/m);
    expect(stdout).toMatch(/^one +1 /m);
    const said = stdout.replaceAll("\n", " ");
    expect(said).toContain(
      "The rows have the names of their folders, because the settings that differ do not fit in 100 columns (batchSize, localSteps, maxLength, clients, limit); --by KEY adds the setting KEY.",
    );
    expect(cli("compare", "wide", "--by", "data.limit").stdout).toMatch(
      /^limit  run  runs .*\n(.*\n)*?3      one     1 /m,
    );
    // A sheet has room.
    expect(readFileSync(at("wide-report/comparison.csv"), "utf8")).toMatch(
      /^batchSize,localSteps,maxLength,clients,limit,state,/,
    );
  });

  test("says where metrics.json is missing", () => {
    runFolder({ ...INVENTED[0]!, name: "lost" }, "lost");
    rmSync(at("lost/lost/metrics.json"));
    const { status, stdout } = cli("compare", "lost");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^fedavg \(metrics\.json is missing\) +1 +– +– +–$/m);
    expect(stdout.replaceAll("\n", " ")).toContain("metrics.json is missing in lost/lost: the run was stopped before");
    expect(stdout).not.toContain("data.heldOut");
  });

  test("marks an unfinished run, and passes over a damaged one it was not asked for by name", () => {
    cpSync(at("invented"), at("mixed"), { recursive: true });
    const { config, metrics } = inventedFiles({
      ...INVENTED[0]!,
      seed: 7,
      finished: false,
      rounds: INVENTED[0]!.rounds.slice(0, 2),
      plannedRounds: 2,
    });
    mkdirSync(at("mixed/part"));
    writeFileSync(at("mixed/part/config.json"), JSON.stringify(config));
    writeFileSync(at("mixed/part/metrics.json"), JSON.stringify(metrics));
    writeFileSync(at("mixed/local-seed1/metrics.json"), '{"rounds": [');
    const { status, stdout, stderr } = cli("compare", "mixed");
    expect(status).toBe(0);
    expect(stderr).toBe("warning: mixed/local-seed1/metrics.json is damaged: it is not JSON; the run is left out\n");
    expect(stdout).toMatch(/^fedavg \(unfinished, round 1 of 2\) +1 +3\.500 /m);
    const named = cli("compare", "mixed/local-seed1");
    expect(named.status).toBe(EXIT_CODES.storage);
    expect(named.stderr).toMatch(/^error: mixed\/local-seed1\/metrics\.json is damaged: it is not JSON\nhint: /);
  });

  test.each<[string[], RegExp, RegExp]>([
    [["compare", "inventde"], /there is no folder inventde/, /invented/],
    [["compare", "model"], /model is not a run folder|config\.json of model is damaged/, /./],
    [["compare", "invented/notes"], /invented\/notes is not a run folder/, /openfedllm run/],
    [["compare", "claim.yaml"], /claim\.yaml is a file, expected a run folder/, /\./],
    [
      ["compare", "invented", "--by", "federation.algoritm"],
      /there is no setting 'federation\.algoritm'/,
      /federation\.algorithm/,
    ],
    [["compare", "invented", "--metric", "acuracy"], /--metric acuracy: no run measured it/, /'accuracy'/],
    [["compare", "invented", "--matrix", "f1"], /--matrix f1: no run measured it/, /loss, accuracy/],
    [["compare", "--matrix", "invented", "invented"], /--matrix invented: that is a folder/, /last.*--matrix=loss/],
    [["compare", "--matrix", "invented"], /missing required argument 'folder'/, /--matrix took invented/],
    [["compare", "invented", "--out", "claim.yaml"], /the comparison cannot be written to claim\.yaml/, /--out/],
  ])("%j is refused", (args, message, hint) => {
    const { status, stderr } = cli(...args);
    expect(status).not.toBe(0);
    expect(status).not.toBe(EXIT_CODES.internal);
    expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
    expect(stderr.split("\n")[0]).toMatch(message);
    expect(stderr.split("\n")[1]).toMatch(hint);
  });
});
