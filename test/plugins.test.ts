import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { runInCode } from "../examples/run-in-code.ts";
import type { RunEvent } from "../src/federation/events.ts";
import { cliIn } from "./support/cli.ts";
import { adapterHash as hashOf } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-plugins-"));
const at = (...names: string[]): string => path.join(folder, ...names);
const cli = cliIn(folder, { ...process.env, OPENFEDLLM_CACHE: at("cache"), NO_COLOR: "1" });
const EXAMPLES = path.join(import.meta.dirname, "..", "examples", "plugins");
const DAMPED = ["--plugin", "damped.mjs"];
const EVEN = ["--plugin", "even.mjs"];
const CAPITALS = ["--plugin", "capitals.mjs"];

const SETTINGS = {
  model: { base: "model" },
  adapter: { rank: 4, alpha: 8 },
  data: {
    maxLength: 128,
    clients: ["apples", "bolts"].map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
  },
  training: { batchSize: 4, localSteps: 2, learningRate: 5e-3 },
  federation: { rounds: 2 },
  runtime: { threads: 1 },
};

function write(name: string, changes: object = {}): string {
  writeFileSync(at(name), stringify({ ...SETTINGS, ...changes }));
  return name;
}

/** Runs `my.yaml`, expects it to end well, and returns the hash of its adapter. */
function run(out: string, ...more: string[]): string {
  const { status, stderr } = cli("run", "my.yaml", "--out", out, ...more);
  expect(stderr).not.toContain("error:");
  expect(status).toBe(0);
  return hashOf(folder, out, "adapter");
}

/** Expects a command to be refused with one sentence. */
function refusal(...args: string[]): string {
  const { status, stderr } = cli(...args);
  expect(status).toBe(EXIT_CODES.config);
  expect(stderr.trim().split("\n")[0]).toMatch(/^error: /);
  expect(stderr).not.toMatch(/^ {4}at /m);
  return stderr;
}

let plain: string;

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const name of ["apples", "bolts"]) {
    writeTinyData(at(`${name}.jsonl`), name, 12);
    writeTinyData(at(`${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  cpSync(EXAMPLES, folder, { recursive: true });
  write("my.yaml");
  plain = run("plain");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const damping = (value: number): string[] => [
  "--set",
  "federation.algorithm=damped",
  "--set",
  `federation.damping=${value}`,
  ...DAMPED,
];

describe("an algorithm of one's own", () => {
  test("trains: with damping 1 it is FedAvg to the byte, and with less it is not", () => {
    expect(run("whole", ...damping(1))).toBe(plain);
    expect(run("half", ...damping(0.5))).not.toBe(plain);
    // That the file is loaded changes nothing where it is not used.
    expect(run("unused", ...DAMPED)).toBe(plain);
    const { plugins } = JSON.parse(readFileSync(at("whole", "config.json"), "utf8"));
    expect(plugins).toEqual([{ file: "damped.mjs", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }]);
  });

  test("continues with the same file only", () => {
    run("goes-on", ...damping(0.5));
    writeFileSync(at("changed.mjs"), `${readFileSync(at("damped.mjs"), "utf8")}// another version\n`);
    const bare = damping(0.5).slice(0, -DAMPED.length);
    const longer = ["run", "my.yaml", "--out", "goes-on", "--set", "federation.rounds=3"];
    expect(refusal(...longer, ...bare, "--plugin", "changed.mjs")).toMatch(
      /the plugin was damped\.mjs [0-9a-f]{12}…, is changed\.mjs [0-9a-f]{12}…/,
    );
    expect(refusal(...longer, ...bare)).toContain("One of a file of your own needs --plugin FILE.");
    expect(run("goes-on", "--set", "federation.rounds=3", ...damping(0.5))).not.toBe(plain);
  });

  test("is planned, described and swept, and its runs are compared without it", () => {
    write("damped.yaml", { federation: { ...SETTINGS.federation, algorithm: "damped", damping: 0.5 } });
    expect(cli("plan", "damped.yaml", "--no-measure", ...DAMPED).stdout).toContain("2 rounds of 2 clients");
    expect(cli("run", "--help-all", ...DAMPED).stdout).toMatch(/federation\.damping +Damped's share/);
    expect(cli("run", "--help-all").stdout).not.toContain("federation.damping");
    expect(cli("config", "--schema", ...DAMPED).stdout).toContain('"damping"');
    writeFileSync(
      at("s.yaml"),
      stringify({
        experiment: "my.yaml",
        seeds: [1],
        runs: [{ name: "fedavg" }, { name: "damped", set: { "federation.algorithm": "damped" } }],
      }),
    );
    const swept = cli("sweep", "s.yaml", "--out", "swept", ...DAMPED);
    expect(swept.stderr).not.toContain("error:");
    expect(swept.stdout).toContain("damped");
    expect(cli("sweep", "s.yaml", "--out", "swept", "--list", ...DAMPED).stdout).toMatch(/damped .*finished/);
    expect(cli("sweep", "s.yaml", "--out", "swept", "--list", "--plugin", "changed.mjs").stdout).toMatch(
      /damped .*holds another run: the plugin was damped\.mjs/,
    );
    const compared = cli("compare", "swept");
    expect(compared.status).toBe(0);
    expect(compared.stdout).toContain("damped");
    expect(cli("report", "half").status).toBe(0);
  });
});

test("an objective of one's own trains: with evenness 0 it is sft to the byte, and with 1 it is not", () => {
  const even = (value: number): string[] => [
    "--set",
    "objective.name=even",
    "--set",
    `objective.evenness=${value}`,
    ...EVEN,
  ];
  expect(run("even-0", ...even(0))).toBe(plain);
  expect(run("even-1", ...even(1))).not.toBe(plain);
});

test("a benchmark of one's own runs by itself and in a run", () => {
  const out = cli(
    "eval",
    "--model",
    "model",
    ...CAPITALS,
    "--benchmark",
    "capitals",
    "--data",
    "capitals.jsonl",
    "--out",
    "asked",
  );
  expect(out.stderr).not.toContain("error:");
  const [asked] = JSON.parse(readFileSync(at("asked", "results.json"), "utf8"));
  expect(asked).toMatchObject({ benchmark: "capitals", result: { questions: 8 } });
  write("my.yaml", { evaluation: { benchmarks: [{ name: "capitals", data: "capitals.jsonl" }] } });
  expect(run("with-benchmark", ...CAPITALS)).toBe(plain);
  write("my.yaml");
  expect(cli("report", "with-benchmark", ...CAPITALS).status).toBe(0);
  // Without the file its title is not known, but nothing fails.
  expect(cli("report", "with-benchmark").status).toBe(0);
  expect(cli("compare", "with-benchmark", "plain").status).toBe(0);
});

describe("a file that is no plugin is refused", () => {
  test.each<[string, string | undefined, string | RegExp]>([
    ["nowhere.mjs", undefined, "cannot read the plugin nowhere.mjs: there is no such file"],
    ["dampd.mjs", undefined, "Did you mean damped.mjs?"],
    ["model", undefined, "cannot read the plugin model: it is a folder"],
    ["named.mjs", "export const plugin = () => ({});", "exports no default, expected a function as its default"],
    ["object.mjs", "export default {};", "exports a default that is object"],
    ["syntax.mjs", "export default ({", "the plugin syntax.mjs cannot be loaded: "],
    ["needs.mjs", 'import "not-there"; export default () => ({});', "Cannot find package 'not-there'"],
    [
      "throws.mjs",
      'export default () => { throw new Error("no licence"); };',
      "when it is asked for what it has: no licence",
    ],
    ["empty.mjs", "export default () => ({});", "plugin empty.mjs: it has no algorithm, objective or benchmark"],
    [
      "taken.mjs",
      "export default ({ ALGORITHMS }) => ({ algorithms: { fedprox: ALGORITHMS.fedavg } });",
      "the algorithm name fedprox is taken",
    ],
  ])("%s", (file, text, message) => {
    if (text !== undefined) writeFileSync(at(file), text);
    expect(refusal("config", "my.yaml", "--plugin", file)).toMatch(message);
  });

  test("--plugin without a file", () => {
    expect(refusal("config", "my.yaml", "--plugin")).toContain("--plugin <file>");
    expect(refusal("config", "my.yaml", "--plugin", "")).toContain("--plugin");
  });
});

test("a run in code gives the adapter of the command line", async () => {
  process.env["OPENFEDLLM_CACHE"] = at("cache");
  const events: RunEvent[] = [];
  const options = { folder: at("in-code"), baseDir: folder, onEvent: (event: RunEvent) => void events.push(event) };
  expect((await runInCode(SETTINGS, options)).adapter).toBe(plain);
  expect(events.filter(({ type }) => type === "round-end")).toHaveLength(2);
});
