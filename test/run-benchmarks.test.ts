import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { AnswerRecord } from "../src/evaluation/run-benchmark.ts";
import type { RunEvent } from "../src/federation/events.ts";
import { cliIn, eventsOf, killedAfterEvents, startRun } from "./support/cli.ts";
import { DIALOGUES, writeFiles } from "./support/dialogue-benchmark.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { JudgeServer } from "./support/judge-server.ts";
import { curvesOf } from "./support/tensorboard.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-run-benchmarks-"));
process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
const env = { ...process.env, NO_COLOR: "1" };

// Words of the trade's own answers, so that training changes what is likeliest.
const SENTENCES = ["Shares of the mill rose", "The bakery lost its oven", "The harbour stays open", "Rent is due"];
const LABELS = ["positive", "negative", "neutral", "neutral"];

const config = (evaluation: object, changes: object = {}): object => ({
  model: { base: "model" },
  adapter: { rank: 4 },
  data: {
    clients: ["bakery", "harbour"].map((name) => ({ name, train: `${name}.jsonl` })),
    heldOutRecords: 4,
    maxLength: 128,
  },
  training: { batchSize: 4, localSteps: 2, learningRate: 0.05 },
  federation: { rounds: 3 },
  evaluation: { every: 1, ...evaluation },
  ...changes,
});
const FPB = { name: "fpb", data: "news.jsonl", answerBy: "likelihood", maxLength: 500 };
const WORDS = { name: "fpb", data: "news.jsonl", maxNewTokens: 4, maxLength: 500 };

beforeAll(() => {
  writeTinyModel(path.join(folder, "model"));
  writeTinyData(path.join(folder, "bakery.jsonl"), "bakery", 20);
  writeTinyData(path.join(folder, "harbour.jsonl"), "harbour", 20);
  writeFileSync(
    path.join(folder, "news.jsonl"),
    SENTENCES.map((sentence, i) => `${JSON.stringify({ sentence, label: LABELS[i] })}\n`).join(""),
  );
  writeFiles(path.join(folder, "dialogues"), DIALOGUES);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Ended = Extract<RunEvent, { type: "benchmark-end" }>;
const ended = (events: readonly RunEvent[]): Ended[] =>
  events.filter((event): event is Ended => event.type === "benchmark-end");
const readLines = <T>(...parts: string[]): T[] =>
  readFileSync(path.join(...parts), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

describe("benchmarks of a run", () => {
  it("are put before training, after every so many rounds and at the end, and change nothing of the training", async () => {
    const plain = await runIn(folder, config({}));
    const run = await runIn(folder, config({ benchmarks: [{ ...FPB, every: 2 }] }, { output: { tensorboard: true } }));
    expect(adapterHash(run.folder, "adapter")).toBe(adapterHash(plain.folder, "adapter"));
    expect(ended(run.events).map(({ round, benchmark, questions }) => [round, benchmark, questions])).toEqual([
      [0, "fpb", 4],
      [2, "fpb", 4],
      [3, "fpb", 4],
    ]);
    expect(readdirSync(path.join(run.folder, "benchmarks"))).toEqual(["round-0000", "round-0002", "round-0003"]);
    const before = readLines<AnswerRecord>(run.folder, "benchmarks/round-0000/fpb/global/answers.jsonl");
    const after = readLines<AnswerRecord>(run.folder, "benchmarks/round-0003/fpb/global/answers.jsonl");
    expect(after.map(({ prompts }) => prompts)).toEqual(before.map(({ prompts }) => prompts));
    expect(after.map(({ likelihoods }) => likelihoods)).not.toEqual(before.map(({ likelihoods }) => likelihoods));
    const [first, , last] = ended(run.events);
    expect(run.summary.benchmarks).toEqual([
      {
        benchmark: "fpb",
        client: undefined,
        questions: 4,
        metrics: Object.fromEntries(
          Object.entries(last!.metrics).map(([name, value]) => [name, { before: first!.metrics[name], after: value }]),
        ),
      },
    ]);
    const curve = curvesOf(run.folder).get("benchmark/fpb/accuracy")!;
    expect(curve.map(({ step }) => step)).toEqual([0, 2, 3]);
    expect(curve[2]!.value).toBeCloseTo(last!.metrics["accuracy"]!);
  });

  it("choose the best round by a metric of theirs", async () => {
    const run = await runIn(folder, config({ benchmarks: [FPB], best: { metric: "fpb/accuracy" } }));
    const values = ended(run.events).map(({ metrics }) => metrics["accuracy"]!);
    expect(run.summary.best).toMatchObject({
      metric: "fpb/accuracy",
      value: Math.max(...values),
      round: values.indexOf(Math.max(...values)),
    });
    expect(existsSync(path.join(run.folder, "best/adapter_model.safetensors"))).toBe(true);
    await expect(runIn(folder, config({ benchmarks: [FPB], best: { metric: "fpb/acuracy" } }))).rejects.toThrow(
      'evaluation.best.metric is "fpb/acuracy", which this run does not measure',
    );
  });

  it("are put to every client's own adapter where clients keep their own", async () => {
    const run = await runIn(folder, config({ benchmarks: [FPB] }, { federation: { rounds: 2, algorithm: "local" } }));
    expect(ended(run.events).map(({ round, client }) => [round, client])).toEqual([
      [0, undefined],
      [1, "bakery"],
      [1, "harbour"],
      [2, "bakery"],
      [2, "harbour"],
    ]);
    expect(run.summary.benchmarks!.map(({ client }) => client)).toEqual(["bakery", "harbour"]);
    const own = (client: string): AnswerRecord[] =>
      readLines(run.folder, `benchmarks/round-0002/fpb/${client}/answers.jsonl`);
    expect(own("bakery").map(({ likelihoods }) => likelihoods)).not.toEqual(
      own("harbour").map(({ likelihoods }) => likelihoods),
    );
  });

  it("killed anywhere, a run ends with the same answers, events and best round", async () => {
    writeFileSync(
      path.join(folder, "killed.yaml"),
      stringify(config({ benchmarks: [WORDS], best: { metric: "fpb/accuracy" } })),
    );
    const openfedllm = cliIn(folder, env);
    expect(openfedllm("run", "killed.yaml", "--out", "calm", "--threads", "1").status).toBe(0);
    const events = eventsOf(path.join(folder, "calm")).length;
    for (let at = 3; at < events; at += 7) {
      await killedAfterEvents(startRun(folder, env, "killed.yaml", "--out", "stormy", "--threads", "1"), at);
    }
    expect(openfedllm("run", "killed.yaml", "--out", "stormy", "--threads", "1").status).toBe(0);
    expect(eventsOf(path.join(folder, "stormy"))).toEqual(eventsOf(path.join(folder, "calm")));
    expect(adapterHash(folder, "stormy", "best")).toBe(adapterHash(folder, "calm", "best"));
    const answers = (run: string): unknown[] =>
      readLines<AnswerRecord>(folder, run, "benchmarks/round-0002/fpb/global/answers.jsonl").map(
        ({ seconds: _seconds, ...answer }) => answer,
      );
    expect(answers("stormy")).toEqual(answers("calm"));
  });

  it("are shown as they come and at the end", () => {
    const { stderr, stdout } = cliIn(folder, env)("run", "killed.yaml", "--out", "shown", "--threads", "1");
    expect(stderr).toMatch(/FPB before training: accuracy \d+\.\d%.*\(4 questions\)/);
    expect(stderr).toContain("FPB after round 3: ");
    expect(stdout).toMatch(/benchmark {2}metric +questions +base +after\nFPB +accuracy +4/);
    expect(stdout).toMatch(/(the base|round \d): FPB accuracy \d/);
  });

  it.each([
    ["a benchmark there is not", [{ name: "fbp" }], "Did you mean"],
    ["data that is not there", [{ ...FPB, data: "nws.jsonl" }], "no file nws.jsonl"],
    ["one that needs a judge", [{ name: "vicuna", data: "dialogues" }], "vicuna: grading needs a judge"],
    ["one that compares", [{ name: "mt-bench-pairwise", data: "dialogues" }], "mt-bench-pairwise"],
  ])("%s: one sentence before anything is trained", (name, benchmarks, sentence) => {
    const file = `${name.replaceAll(" ", "-")}.yaml`;
    writeFileSync(path.join(folder, file), stringify(config({ benchmarks })));
    const { status, stderr } = cliIn(folder, env)("run", file);
    expect(status).not.toBe(0);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("round 1");
  });

  it("are judged where a judge is named", async () => {
    const server = await JudgeServer.start(() => "Rating: [[4]]");
    try {
      const settings = { benchmarks: [{ name: "mt-bench", data: "dialogues", maxNewTokens: 4, maxLength: 500 }] };
      writeFileSync(path.join(folder, "judged.yaml"), stringify(config(settings, { federation: { rounds: 1 } })));
      const judge = ["--judge-url", server.baseUrl, "--judge-model", "strict"];
      const child = startRun(folder, env, "judged.yaml", "--out", "judged", ...judge);
      const status = await new Promise((resolve) => child.on("exit", resolve));
      expect(status).toBe(0);
    } finally {
      await server.stop();
    }
    const scores = readLines<RunEvent>(folder, "judged/events.jsonl").filter(({ type }) => type === "benchmark-end");
    expect(scores).toMatchObject([{ metrics: { score: 4 } }, { metrics: { score: 4 } }]);
    expect(readLines(folder, "judged/judgements.jsonl").length).toBeGreaterThan(0);
  });
});
