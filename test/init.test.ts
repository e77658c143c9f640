import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { cliIn } from "./support/cli.ts";

let folder: string;
let openfedllm: ReturnType<typeof cliIn>;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "openfedllm-init-"));
  openfedllm = cliIn(folder, { PATH: process.env["PATH"], HOME: folder });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function records(name: string, count: number, record: (i: number) => object): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), Array.from({ length: count }, (_, i) => JSON.stringify(record(i))).join("\n"));
}

function writeJson(name: string, value: unknown): void {
  mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  writeFileSync(path.join(folder, name), JSON.stringify(value));
}

const turns = (i: number): object[] => [
  { from: "human", value: `question ${i}` },
  { from: "gpt", value: `answer ${i}` },
];
const answer = (i: number): object => ({ instruction: `question ${i}`, response: `answer ${i}`, topic: "x" });
const settings = (name = "my.yaml"): Record<string, never> =>
  parse(readFileSync(path.join(folder, name), "utf8")) as never;

describe("init", () => {
  it("writes settings that suit the files, and shows who has what", () => {
    records("data/clinic.jsonl", 40, answer);
    const others = Array.from({ length: 57 }, (_, i) => `r${i},b\n`).join("");
    writeFileSync(path.join(folder, "data/bank.csv"), `question,answer\n${"q,a\n".repeat(3)}${others}`);
    const { stdout, stderr, status } = openfedllm("init", "data");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^data\/bank\.csv +60 +2 /m);
    expect(stderr).toMatch(/^data\/clinic\.jsonl +40 +0 .+instruction, response, \(topi/m);
    expect(stderr).toContain("Columns in brackets are not learnt from");
    expect(stdout).toMatch(/^clinic +36 +4 /m);
    expect(stdout).toContain("npx openfedllm run data/my.yaml");
    expect(settings("data/my.yaml")).toMatchObject({
      data: {
        clients: [
          { name: "bank", train: "bank.csv" },
          { name: "clinic", train: "clinic.jsonl" },
        ],
        heldOutRecords: 4,
      },
      training: { localEpochs: 1, batchSize: 4 },
      federation: { rounds: 3 },
      evaluation: { every: 1, best: { metric: "loss" } },
    });
    expect(openfedllm("config", "data/my.yaml").status).toBe(0);
  });

  it("takes the datasets of LLaMA-Factory's dataset_info.json that lie there", () => {
    const row = (i: number): object => ({ frage: `question ${i}`, antwort: `answer ${i}`, output: "no" });
    writeJson(
      "data/deep/faq.json",
      Array.from({ length: 30 }, (_, i) => row(i)),
    );
    records("data/talks.jsonl", 20, (i) => ({ conversations: turns(i) }));
    records("data/notes.jsonl", 20, answer);
    writeJson("data/pairs.json", [{ q: "Q", c: "A", r: "B" }]);
    writeJson("data/dataset_info.json", {
      faq: { file_name: "deep/faq.json", columns: { prompt: "frage", response: "antwort" } },
      talks: { file_name: "talks.jsonl", formatting: "sharegpt" },
      pairs: { file_name: "pairs.json", ranking: true, columns: { prompt: "q", chosen: "c", rejected: "r" } },
      "far-away": { hf_hub_url: "acme/far" },
    });
    const { stderr, status } = openfedllm("init", "data");
    expect(stderr).toMatch(/^faq +30 .+frage, antwort, \(output\)/m);
    expect(stderr).toContain("1 of the datasets in data/dataset_info.json do not lie here");
    expect(stderr).toContain("pairs holds preferences, which are for a run of their own: left out.");
    expect(stderr).not.toContain("notes");
    expect(status).toBe(0);
    expect(settings("data/my.yaml")).toMatchObject({
      data: {
        info: "dataset_info.json",
        clients: [
          { name: "faq", train: "faq" },
          { name: "talks", train: "talks" },
        ],
      },
    });
    expect(openfedllm("partition", "data/my.yaml").stdout).toMatch(/^faq +28 /m);
    const wrong = openfedllm("partition", "data/my.yaml", "--set", "data.clients.0.train=fag");
    expect(wrong.status).toBe(3);
    expect(wrong.stderr).toContain('dataset_info.json has no dataset "fag"');
    expect(wrong.stderr).toContain("Did you mean faq?");
    rmSync(path.join(folder, "data/my.yaml"));
    rmSync(path.join(folder, "data/deep/faq.json"));
    for (const name of ["talks.jsonl", "pairs.json"]) rmSync(path.join(folder, "data", name));
    const none = openfedllm("init", "data/dataset_info.json");
    expect(none.stderr).toContain("none of the 4 datasets in data/dataset_info.json lies here");
    expect(none.status).toBe(3);
  });

  it("names a schema that is there", () => {
    records("a.jsonl", 8, answer);
    openfedllm("init", "a.jsonl");
    const [, schema] = /^# yaml-language-server: \$schema=(.+)$/m.exec(
      readFileSync(path.join(folder, "my.yaml"), "utf8"),
    )!;
    expect(JSON.parse(readFileSync(path.join(folder, schema!), "utf8"))).toMatchObject({
      $id: "urn:openfedllm:settings",
    });
  });

  it("deals the records of one file out, and takes flags for answers", () => {
    records("all.jsonl", 90, answer);
    expect(
      openfedllm("init", "all.jsonl", "--clients", "3", "--rounds", "5", "--held-out", "2", "--model", "a/b").status,
    ).toBe(0);
    expect(settings()).toMatchObject({
      model: { base: "a/b" },
      data: { train: "all.jsonl", heldOutRecords: 2 },
      federation: { clients: 3, rounds: 5 },
    });
  });

  it("chooses the objective by the records", () => {
    records("pairs.jsonl", 12, (i) => ({ prompt: `p ${i}`, chosen: `good ${i}`, rejected: "bad" }));
    openfedllm("init", "pairs.jsonl", "--clients", "2");
    expect(settings()).toMatchObject({ objective: { name: "dpo" }, training: { learningRate: 5e-5 } });
    records("rated.jsonl", 12, (i) => ({ prompt: `p ${i}`, completion: `good ${i}`, label: i % 2 === 0 }));
    const mixed = openfedllm("init", "pairs.jsonl", "rated.jsonl", "--out", "mixed.yaml");
    expect([mixed.status, existsSync(path.join(folder, "mixed.yaml"))]).toEqual([3, false]);
    expect(mixed.stderr).toContain("pairs.jsonl preferences, rated.jsonl ");
  });

  it("says when files share records, and calls files of one name apart", () => {
    records("a/x.jsonl", 6, answer);
    records("b/x.jsonl", 9, answer);
    expect(openfedllm("init", "a/x.jsonl", "b/x.jsonl").stderr).toContain(
      "6 records are in a/x.jsonl and in b/x.jsonl",
    );
    expect(settings()).toMatchObject({ data: { clients: [{ name: "a/x.jsonl" }, { name: "b/x.jsonl" }] } });
  });

  it("overwrites nothing: one sentence", () => {
    records("a.jsonl", 8, answer);
    writeFileSync(path.join(folder, "other.yaml"), "model: { base: m }\ndata: { train: a.jsonl }\n");
    const { stderr, status } = openfedllm("init");
    expect(stderr).toMatch(/^error: other\.yaml is already there, and nothing was written\nhint: .+\n$/);
    expect([status, existsSync(path.join(folder, "my.yaml"))]).toEqual([2, false]);
  });

  it.each([
    ["an empty folder", ["."], /^error: there are no files of records in \.\nhint: .+\n$/],
    ["a path that is not there", ["none.jsonl"], /^error: cannot read none\.jsonl: .+\nhint: .+\n$/],
    [
      "rows that are no records",
      ["bad.jsonl"],
      /^error: .*bad\.jsonl line 1: no instruction, prompt, messages or text/,
    ],
  ])("refuses %s, and writes nothing", (_, args, stderr) => {
    if (args[0] === "bad.jsonl") records("bad.jsonl", 2, () => ({ a: 1 }));
    const result = openfedllm("init", ...args);
    expect(result.stderr).toMatch(stderr);
    expect([result.status, existsSync(path.join(folder, "my.yaml"))]).toEqual([3, false]);
  });
});
