import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Started, startIn } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { tinyConfig, tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const cache = path.join(folder, "cache");
const start = (...args: string[]): Started =>
  startIn(source, { ...process.env, OPENFEDLLM_CACHE: cache, NO_COLOR: "1" }, ...args);

const coordinate = (out: string, ...more: string[]) => start("coordinate", "my.yaml", "--out", out, ...more);
const participate = (run: string, out: string, ...more: string[]) =>
  start("participate", "my.yaml", "--exchange", path.join(run, "exchange"), "--out", out, ...more);
const all = ["apples", "bolts", "candles"].flatMap((name) => ["--client", name]);

let simulated: string;

beforeAll(async () => {
  process.env["OPENFEDLLM_CACHE"] = cache;
  writeFileSync(path.join(source, "my.yaml"), stringify(tinyConfig("fedavg")));
  const { summary } = await runIn(source, tinyConfig("fedavg"), { name: "simulated" });
  simulated = summary.adapter;
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("openfedllm coordinate and participate", () => {
  test("with adapters of the clients' own, the coordinator says where they are, and a lost memory is told", async () => {
    const local = ["--set", "federation.algorithm=local"];
    const coordinator = coordinate("own", "--exchange", path.join("shared", "exchange"), ...local);
    expect((await participate("shared", "own-site", ...all, ...local).ended).code).toBe(0);
    const { stdout } = await coordinator.ended;
    // The run folder has the record of the run, and the shared folder what the last rounds need.
    const filesIn = (of: string): number =>
      readdirSync(path.join(source, of), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
        .length;
    expect(filesIn("own/exchange/cells")).toBe(filesIn("shared/exchange/cells"));
    expect(filesIn("own/exchange/blobs")).toBeGreaterThanOrEqual(filesIn("shared/exchange/blobs"));
    expect(stdout).toContain("adapters    with the participants, in the folder of each");
    expect(stdout).not.toContain("Next");
    expect(existsSync(path.join(source, "own-site", "client-adapters", "apples", "adapter_model.safetensors"))).toBe(
      true,
    );
    const lost = await participate("shared", "lost-site", ...all, ...local).ended;
    expect(lost.code).toBe(3);
    expect(lost.stderr).toContain("took part in round");
  }, 120_000);

  test("end with the adapter of run, on both sides, and the coordinator has no client's records", async () => {
    const coordinator = coordinate("joint");
    const two = participate("joint", "two", "--client", "apples", "--client", "bolts");
    await coordinator.says("waiting for candles to join");
    const third = participate("joint", "third", "--client", "candles");
    const ended = await coordinator.ended;
    expect(ended.stderr).toContain("waiting for apples, bolts, candles to join");
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain("adapter     joint/adapter");
    expect((await two.ended).stdout).toBe("The run is over after 3 rounds; saved two/adapter\n");
    expect((await third.ended).code).toBe(0);
    for (const run of ["joint", "two", "third"]) expect(adapterHash(source, run, "adapter")).toBe(simulated);
    expect(existsSync(path.join(source, "joint", "clients"))).toBe(false);

    // Both are over, and say so again at once.
    expect((await coordinate("joint").ended).stderr).toContain("end: all 3 rounds were already done");
    expect((await participate("joint", "two", "--client", "apples", "--client", "bolts").ended).code).toBe(0);
  }, 120_000);

  test("packed both ways end with the adapter of run, and the sites fetch what a run says", async () => {
    const packed = { stages: [{ name: "topk", share: 0.1 }], downlink: { name: "int4" } };
    const sets = Object.entries(packed).flatMap(([key, value]) => [
      "--set",
      `federation.${key}=${JSON.stringify(value)}`,
    ]);
    const federation = { ...(tinyConfig("fedavg") as { federation: object }).federation, ...packed };
    const { summary } = await runIn(source, { ...tinyConfig("fedavg"), federation }, { name: "packed-run" });
    const coordinator = coordinate("packed", ...sets);
    const two = participate("packed", "packed-two", "--client", "apples", "--client", "bolts", ...sets);
    const third = participate("packed", "packed-third", "--client", "candles", ...sets);
    expect((await coordinator.ended).code).toBe(0);
    for (const site of [two, third]) expect((await site.ended).code).toBe(0);
    for (const run of ["packed", "packed-two", "packed-third"]) {
      expect(adapterHash(source, run, "adapter")).toBe(summary.adapter);
    }
    const { totals } = JSON.parse(readFileSync(path.join(source, "packed", "metrics.json"), "utf8")) as {
      totals: { bytesUp: number; bytesDown: number };
    };
    expect([totals.bytesUp, totals.bytesDown]).toEqual([summary.bytesUp, summary.bytesDown]);
  }, 120_000);

  test("a best round is chosen on the members' validation parts, where all have their share", async () => {
    const validation = ["--set", "evaluation.validation=0.5"];
    const best = ["--set", "evaluation.best.metric=loss"];
    const coordinator = coordinate("parts", ...validation, ...best);
    const member = participate("parts", "parts-site", ...all, ...validation);
    expect((await coordinator.ended).code).toBe(0);
    expect((await member.ended).code).toBe(0);
    const alone = await start("run", "my.yaml", "--out", "parts-alone", ...validation, ...best).ended;
    expect(alone.code).toBe(0);
    const bestOf = (run: string): unknown =>
      JSON.parse(readFileSync(path.join(source, run, "metrics.json"), "utf8")).best;
    expect(bestOf("parts")).toMatchObject({ chosenOn: "validation" });
    expect(bestOf("parts")).toEqual(bestOf("parts-alone"));
  }, 120_000);

  test("stopped by Ctrl-C, the same commands go on to the same adapter", async () => {
    const first = { coordinator: coordinate("stopped"), participant: participate("stopped", "site", ...all) };
    await first.coordinator.says("round 1/3");
    first.coordinator.child.kill("SIGINT");
    first.participant.child.kill("SIGINT");
    const ended = await Promise.all([first.coordinator.ended, first.participant.ended]);
    expect(ended.map(({ code }) => code)).toEqual([130, 130]);
    for (const { stderr } of ended) expect(stderr).toContain("Run the same command again to continue.");
    const again = { coordinator: coordinate("stopped"), participant: participate("stopped", "site", ...all) };
    expect((await again.coordinator.ended).code).toBe(0);
    expect((await again.participant.ended).code).toBe(0);
    expect(adapterHash(source, "stopped", "adapter")).toBe(simulated);
  }, 120_000);

  test("a client that is not there, other settings and a baseline that pools are refused by name", async () => {
    const typo = await participate("joint", "typo", "--client", "aples").ended;
    expect(typo).toMatchObject({ code: 2, stdout: "" });
    expect(typo.stderr).toContain("error: data.clients has no client \"aples\"\nhint: Did you mean 'apples'?\n");

    const other = await participate("joint", "other", "--client", "apples", "--set", "training.localSteps=5").ended;
    expect(other.stderr).toContain(
      "error: the federation works with other settings: training.localSteps was 2, is 5\n" +
        "hint: Take the configuration of the coordinator; only data files, runtime and output may differ.\n",
    );
    const settings = await coordinate("joint", "--set", "training.localSteps=5").ended;
    expect(settings.stderr).toContain("training.localSteps was 2, is 5");
    const pooled = await coordinate("pooled", "--set", "federation.algorithm=centralized").ended;
    expect(pooled.stderr).toContain("error: centralized pools all records, and participants keep theirs\n");
  }, 120_000);
});
