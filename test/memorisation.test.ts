import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { canaryCounts, plantCanaries } from "../src/experiment/records/canaries.ts";
import { loadClientRecords } from "../src/experiment/records/client-records.ts";
import type { Memorisation } from "../src/memorisation/memorisation.ts";
import { readConfigFile } from "../src/node/config-file.ts";
import { fileReader } from "../src/node/files.ts";
import { afterEvents, cliIn, startRun } from "./support/cli.ts";
import { adapterHash } from "./support/experiment.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-memorisation-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const at = (...names: string[]): string => path.join(folder, ...names);

const CLIENTS = ["apples", "bolts"];
const CONFIG = {
  model: { base: "../model" },
  adapter: { rank: 16, alpha: 64, targets: "all-linear" },
  data: {
    maxLength: 160,
    clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
  },
  training: { batchSize: 8, localSteps: 2, learningRate: 1e-2, minLearningRate: 1e-3 },
  federation: { rounds: 1 },
  runtime: { threads: 1 },
};

/** Nearly half of one client's records: a small model learns them by heart soon. */
const CANARIES = { clients: ["apples"], count: 2, repeats: [1, 32], digits: 2 };
const planted = (changes: object = {}) => ({ ...CONFIG, data: { ...CONFIG.data, canaries: CANARIES }, ...changes });

function write(name: string, config: object): string {
  writeFileSync(at("setup", name), stringify(config));
  return path.join("setup", name);
}

function run(config: string, out: string): void {
  const { stderr, status } = cli("run", config, "--out", out);
  expect(stderr).not.toContain("error");
  expect(status).toBe(0);
}

const FLAGS = ["--records", "6", "--max-new-tokens", "48", "--threads", "1"];
const found = (out: string): Memorisation =>
  JSON.parse(readFileSync(at(out, "memorisation.json"), "utf8")) as Memorisation;

beforeAll(() => {
  mkdirSync(at("setup"));
  writeTinyModel(at("model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(at("setup", `${name}.jsonl`), name, 36 + 6 * i);
    writeTinyData(at("setup", `${name}.heldout.jsonl`), `${name} spare`, 8);
  }
  run(write("learnt.yaml", planted({ training: { ...CONFIG.training, localSteps: 160 } })), "learnt");
  const { stderr, status } = cli("memorisation", "learnt", ...FLAGS);
  expect(stderr).not.toContain("error");
  expect(status).toBe(0);
}, 180_000);

test("a client's update is measured with its stages undone", () => {
  const federation = { rounds: 1, stages: [{ name: "clip", maxNorm: 1e9 }] };
  run(write("staged.yaml", planted({ federation })), "staged");
  const { status, stderr } = cli("memorisation", "staged", "--records", "2", "--max-new-tokens", "8", "--threads", "1");
  expect(stderr).not.toContain("error");
  expect(status).toBe(0);
  const { adapters, canaryScores } = found("staged");
  expect(adapters.map(({ name }) => name)).toEqual(["base", "update", "adapter"]);
  expect(canaryScores.filter(({ adapter }) => adapter === "update")).toHaveLength(2);
}, 120_000);

describe("openfedllm memorisation", () => {
  test("a model that learnt canaries by heart tells them, and the base knows nothing", () => {
    const { canaryScores, canaries } = found("learnt");
    const often = canaryScores.filter(({ copies, adapter }) => copies === 32 && adapter === "update");
    expect(often).toMatchObject([{ rank: 1, candidates: 100, extracted: true }]);
    expect(often[0]!.bits).toBeCloseTo(Math.log2(100), 10);
    expect(often[0]!.answer.endsWith(often[0]!.secret)).toBe(true);
    const base = canaryScores.filter(({ adapter }) => adapter === "base");
    expect(base.map(({ extracted }) => extracted)).toEqual([false, false]);
    // Chance is 1.44 bits, with a deviation of as much over the root of 2.
    expect(base.reduce((sum, { bits }) => sum + bits / 2, 0)).toBeLessThan(4);
    expect(canaries.find(({ copies, adapter }) => copies === 32 && adapter === "update")).toMatchObject({
      client: "apples",
      canaries: 1,
      bits: { n: 1 },
      extracted: { value: 1 },
    });
  });

  test("what the clients' adapters wrote is copied from their records, what the base wrote is not", () => {
    const { records } = found("learnt");
    const of = (adapter: string, client: string | null) =>
      records.find((each) => each.adapter === adapter && each.client === client)!;
    for (const client of [...CLIENTS, null]) {
      expect(of("base", client).trainOverlap!.value).toBe(0);
      expect(of("base", client).trainExtracted!.value).toBe(0);
      expect(of("update", client).trainOverlap!.value).toBeGreaterThan(0.5);
      expect(of("update", client).trainOverlap!.value).toBeGreaterThan(of("update", client).heldOutOverlap!.value);
      expect(of("update", client).longestRun.tokens).toBeGreaterThan(12);
    }
    const trained = readFileSync(at("setup", "apples.jsonl"), "utf8");
    expect(trained).toContain(of("update", "apples").longestRun.text);
    expect(of("update", null).trainExtracted!.n).toBe(12);
  });

  test("writes tables, and the same ones again", () => {
    const report = readFileSync(at("learnt", "memorisation.md"), "utf8");
    expect(report).toMatch(/^# Memorisation in learnt\n/);
    expect(report).toMatch(/\| apples \| 32 \| 1 \| \d\.\d[^|]* \| 6\.6 \|/);
    const before = readFileSync(at("learnt", "memorisation.json"), "utf8");
    const { stdout, stderr } = cli("memorisation", "learnt", ...FLAGS, "--json");
    expect(JSON.parse(stdout)).toEqual(JSON.parse(before));
    expect(stderr).toContain("wrote memorisation.md, memorisation.json in learnt");
    expect(readFileSync(at("learnt", "memorisation.json"), "utf8")).toBe(before);
    expect(readFileSync(at("learnt", "memorisation.md"), "utf8")).toBe(report);
  }, 60_000);

  test("the run's summary says what was planted", () => {
    const { summary } = JSON.parse(readFileSync(at("learnt", "metrics.json"), "utf8"));
    expect(summary.canaries).toEqual([{ client: "apples", canaries: 2, copies: 33 }]);
  });

  test("measures adapters that are named, of other ranks too", () => {
    run(write("other-rank.yaml", planted({ adapter: { rank: 2, alpha: 4 } })), "other-rank");
    const given = ["learnt/adapter", "other-rank/adapter"];
    const flags = given.flatMap((each) => ["--adapter", each]);
    const { stdout, stderr } = cli("memorisation", "learnt", ...FLAGS, ...flags, "--json", "--candidates", "20");
    expect(stderr).not.toContain("error");
    const { adapters, canaryScores } = JSON.parse(stdout) as Memorisation;
    expect(adapters.map(({ name }) => name)).toEqual(["base", ...given]);
    // A sample of the candidates is smaller, and the highest exposure lower.
    for (const { candidates, bits } of canaryScores) {
      expect(candidates).toBe(21);
      expect(bits).toBeLessThanOrEqual(Math.log2(21));
    }
  }, 60_000);

  test("with local, each client's own adapter answers", () => {
    run(write("local.yaml", planted({ federation: { rounds: 1, algorithm: "local" } })), "local");
    expect(cli("memorisation", "local", ...FLAGS).status).toBe(0);
    const { adapters, records } = found("local");
    expect(adapters.map(({ name }) => name)).toEqual(["base", "own"]);
    expect(records.map(({ client, adapter }) => `${client} ${adapter}`)).toEqual([
      "apples base",
      "apples own",
      "bolts base",
      "bolts own",
      "null base",
      "null own",
    ]);
  }, 60_000);

  test("without canaries, records alone are measured; of pooled records too", () => {
    run(write("pooled.yaml", { ...CONFIG, federation: { rounds: 1, algorithm: "centralized" } }), "pooled");
    const { stdout, status } = cli("memorisation", "pooled", ...FLAGS);
    expect(status).toBe(0);
    expect(stdout).toContain("No canaries were planted in this run (data.canaries).");
    expect(stdout).not.toContain("exposure");
    expect(found("pooled").adapters.map(({ name }) => name)).toEqual(["base", "adapter"]);
  }, 60_000);

  test("a run that was stopped is measured after its last finished round", async () => {
    const config = write("long.yaml", planted({ federation: { rounds: 40 } }));
    const child = startRun(folder, env, config, "--out", "stopped");
    await afterEvents(child, 24);
    child.kill("SIGINT");
    await new Promise((resolve) => child.on("exit", resolve));
    expect(cli("memorisation", "stopped", ...FLAGS).status).toBe(0);
    expect(found("stopped").adapters.at(-1)!.what).toMatch(/^the common adapter after round [1-9]\d?$/);
  }, 60_000);
});

describe("canaries and the run", () => {
  test("a run without them is what it was before there were any", () => {
    run(write("plain.yaml", CONFIG), "plain");
    const stored = readFileSync(at("plain", "config.json"), "utf8");
    expect(stored).not.toContain("canaries");
    expect(JSON.parse(readFileSync(at("plain", "metrics.json"), "utf8")).summary).not.toHaveProperty("canaries");
    run(write("with.yaml", planted()), "with");
    expect(adapterHash(folder, "with", "adapter")).not.toBe(adapterHash(folder, "plain", "adapter"));
  }, 60_000);

  test("a run folder is not gone on with under other canaries", () => {
    run(write("with.yaml", planted()), "with");
    const { status, stderr } = cli("run", "setup/with.yaml", "--out", "with", "--set", "data.canaries.count=1");
    expect(status).toBe(2);
    expect(stderr).toContain("data.canaries.count was 2, is 1");
  }, 60_000);
});

describe("bad input", () => {
  const refused = (args: readonly string[], code: number, error: RegExp, hint: RegExp): void => {
    const { status, stderr, stdout } = cli(...args);
    expect(stderr).toMatch(error);
    expect(stderr.split("\n").findLast((line) => line.startsWith("hint: "))).toMatch(hint);
    expect(stderr.match(/^error: /gm)).toHaveLength(1);
    expect([status, stdout]).toEqual([code, ""]);
  };

  test.each([
    ["clients=[aples]", /error: data\.canaries\.clients\[0\] is "aples", and there is no such client/, /'apples'/],
    ["repeats=20", /error: client apples has 36 records and would get 40 copies of canaries/, /Lower data\.canaries/],
    ["repeats=0", /error: .*data\.canaries\.repeats is 0, expected integer >= 1/, /hint/],
    ["digits=1", /error: .*data\.canaries\.digits is 1, expected integer >= 2, <= 9/, /hint/],
  ])("data.canaries.%s", (setting, error, hint) => {
    write("with.yaml", planted());
    const { status, stderr } = cli("run", "setup/with.yaml", "--out", "refused", "--set", `data.canaries.${setting}`);
    expect(stderr).toMatch(error);
    if (hint.source !== "hint") expect(stderr).toMatch(hint);
    expect(status).not.toBe(0);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test("canaries that data.maxLength cuts, and canaries among preferences", () => {
    write("with.yaml", planted());
    const tooShort = ["run", "setup/with.yaml", "--out", "refused", "--set", "data.maxLength=60"];
    refused(tooShort, 2, /error: a canary of client apples is longer than data\.maxLength \(60 tokens\)/, /Raise/);
    const dpo = ["run", "setup/with.yaml", "--out", "refused", "--set", "objective.name=dpo"];
    refused(dpo, 2, /error: .*data\.canaries are records with single answers, but objective\.name dpo/, /sft/);
  });

  test("folders that are no run's, hold several, or hold one that learnt nothing", () => {
    refused(["memorisation", "lernt"], 2, /error: there is no folder lernt/, /learnt/);
    refused(["memorisation", "setup"], 2, /error: setup is not a run folder/, /openfedllm run/);
    mkdirSync(at("several"));
    cpSync(at("learnt"), at("several", "one"), { recursive: true });
    refused(
      ["memorisation", "several"],
      2,
      /error: several is not a run folder, but contains 1 of them/,
      /several\/one/,
    );
    mkdirSync(at("fresh"));
    for (const name of ["config.json", "origin.json"]) cpSync(at("learnt", name), at("fresh", name));
    refused(["memorisation", "fresh"], 2, /error: fresh has no finished round/, /openfedllm run/);
  });

  test("data that is gone, has moved, or has changed", () => {
    renameSync(at("setup"), at("moved"));
    try {
      refused(
        ["memorisation", "learnt", ...FLAGS],
        3,
        /error: no file apples\.jsonl/,
        /setup\. Give another folder with --paths-from/,
      );
      rmSync(at("learnt", "memorisation.json"));
      expect(cli("memorisation", "learnt", ...FLAGS, "--paths-from", "moved").status).toBe(0);
      expect(found("learnt").canaryScores).toHaveLength(6);
      cpSync(at("moved"), at("changed"), { recursive: true });
      writeTinyData(at("changed", "extra.jsonl"), "extra", 1);
      appendFileSync(at("changed", "bolts.jsonl"), readFileSync(at("changed", "extra.jsonl")));
      const changed = ["memorisation", "learnt", ...FLAGS, "--paths-from", "changed"];
      refused(changed, 2, /error: learnt was trained with other inputs: the data/, /--paths-from/);
    } finally {
      renameSync(at("moved"), at("setup"));
    }
    cpSync(at("learnt"), at("origin-less"), { recursive: true });
    rmSync(at("origin-less", "origin.json"));
    refused(
      ["memorisation", "origin-less"],
      2,
      /error: the start of the configuration's paths is not known: origin-less/,
      /--paths-from/,
    );
  }, 60_000);

  test("an adapter of another base, and no adapter", () => {
    writeTinyModel(at("wide"), { hiddenSize: 64 });
    run(write("wide.yaml", { ...CONFIG, model: { base: "../wide" } }), "wide-run");
    const other = ["memorisation", "learnt", ...FLAGS, "--adapter", "wide-run/adapter"];
    refused(
      other,
      4,
      /error: wide-run\/adapter: tensor .* expected/,
      /Use the base model that the adapter was trained on/,
    );
    refused(["memorisation", "learnt", ...FLAGS, "--adapter", "setup"], 4, /error: .*setup/, /./);
  }, 60_000);
});

test("the example plants what its comment says", async () => {
  const examples = path.join(import.meta.dirname, "..", "examples");
  const config = readConfigFile(path.join(examples, "canaries.yaml"));
  const { clients, canaries } = plantCanaries(config, await loadClientRecords(config, fileReader(examples)));
  expect(canaryCounts(canaries)).toEqual([{ client: "clinic", canaries: 9, copies: 3 * (1 + 10 + 30) }]);
  expect(clients.map(({ train }) => train.length)).toEqual([323, 200, 200]);
});
