import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Started, startIn } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";
import { writeTinyPairs } from "./support/tiny-model.ts";
import { tinyConfig, tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const CLIENTS = ["apples", "bolts", "candles"];
const cache = path.join(folder, "cache");
const start = (...args: string[]): Started =>
  startIn(source, { ...process.env, OPENFEDLLM_CACHE: cache, NO_COLOR: "1" }, ...args);

/** The variants that are played: an algorithm, and settings beside it. */
const VARIANTS: readonly [string, string, object][] = [
  ["SCAFFOLD, two of three clients a round", "scaffold", {}],
  ["FedAdam", "fedadam", {}],
  ["DPO", "fedavg", { objective: { name: "dpo", beta: 0.1 } }],
];

describe.runIf(natsProgram !== undefined)("a federation (skipped where there is no nats-server)", () => {
  beforeAll(() => {
    process.env["OPENFEDLLM_CACHE"] = cache;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(VARIANTS)(
    "rehearsed with %s ends with the adapter of run, and the audit logs agree",
    async (_title, algorithm, more) => {
      const name = `${algorithm}-${Object.keys(more).length}`;
      const config = { ...tinyConfig(algorithm), ...more } as Record<string, unknown>;
      if ("objective" in more) {
        for (const client of CLIENTS) {
          writeTinyPairs(path.join(source, `${client}.pairs.jsonl`), client, 8);
          writeTinyPairs(path.join(source, `${client}.pairs.heldout.jsonl`), `${client} spare`, 4);
        }
        config["data"] = {
          maxLength: 96,
          clients: CLIENTS.map((client) => ({
            name: client,
            train: `${client}.pairs.jsonl`,
            heldOut: `${client}.pairs.heldout.jsonl`,
          })),
        };
      }
      writeFileSync(path.join(source, `${name}.yaml`), stringify(config));
      const { summary } = await runIn(source, config, { name: `simulated-${name}` });
      const { code, output } = await start("rehearse", `${name}.yaml`, "--out", name).ended;
      expect(code, output).toBe(0);
      const sites = CLIENTS.map((client) => `${name}/sites/${client}`);
      for (const run of [`${name}/run`, ...sites.map((site) => `${site}/runs/run`)]) {
        expect(adapterHash(source, run, "adapter")).toBe(summary.adapter);
      }
      const audit = await start("audit", `${name}/federation`, ...sites).ended;
      expect(audit.code, audit.output).toBe(0);
      expect(audit.output).toMatch(/apples: \d+ contents in both logs/);
    },
    240_000,
  );

  test("ends with the adapter of run, though server, coordinator and a site are killed in between", async () => {
    const config = tinyConfig("scaffold");
    writeFileSync(path.join(source, "my.yaml"), stringify(config));
    const { summary } = await runIn(source, config, { name: "simulated" });
    const port = await freePort();
    const init = await start("federation", "init", "fed", "--name", "Fruit and tools").ended;
    expect(init.code, init.output).toBe(0);
    for (const client of CLIENTS) {
      const server = ["--server", `nats://127.0.0.1:${port}`];
      const invited = await start(
        "federation",
        "invite",
        client,
        "--federation",
        "fed",
        "--out",
        `${client}.txt`,
        ...server,
      ).ended;
      expect(invited.code, invited.output).toBe(0);
    }
    const host = () =>
      start("host", "my.yaml", "--federation", "fed", "--out", "joint", "--listen", `127.0.0.1:${port}`);
    const join = (client: string, ...first: string[]) =>
      start("join", ...first, "--site", `site-${client}`, "--yes", "--base", "model");
    const own = (client: string) => [
      `${client}.txt`,
      "--data",
      `${client}.jsonl`,
      "--held-out",
      `${client}.heldout.jsonl`,
    ];

    const first = host();
    const sites = new Map(CLIENTS.map((client) => [client, join(client, ...own(client))]));
    await first.says("round 1/3");
    const [pid] = spawnSync("pgrep", ["-f", path.join(source, "fed/server/server.conf")], { encoding: "utf8" })
      .stdout.trim()
      .split("\n");
    process.kill(Number(pid), "SIGKILL");
    await first.says("it is started again");
    first.child.kill("SIGKILL");
    sites.get("bolts")!.child.kill("SIGKILL");
    await Promise.all([first.ended, sites.get("bolts")!.ended]);

    const stranger = start("join", "apples.txt", "--site", "site-stranger", "--yes", "--data", "bolts.jsonl");
    const second = host();
    sites.set("bolts", join("bolts"));
    expect(await stranger.ended).toMatchObject({
      code: 2,
      output: expect.stringContaining("the invitation was used by another key"),
    });
    expect(await second.ended).toMatchObject({ code: 0 });
    for (const [client, site] of sites) {
      const { code, output } = await site.ended;
      expect(code, output).toBe(0);
      expect(adapterHash(source, `site-${client}/runs/joint`, "adapter")).toBe(summary.adapter);
    }
    expect(adapterHash(source, "joint", "adapter")).toBe(summary.adapter);
    const audit = await start("audit", "fed", ...CLIENTS.map((client) => `site-${client}`)).ended;
    expect(audit.code, audit.output).toBe(0);

    const status = await start("federation", "status", "--federation", "fed").ended;
    expect(status.output).toContain("Fruit and tools, run joint");
    const revoked = await start("federation", "revoke", "bolts", "--federation", "fed").ended;
    expect(revoked.code, revoked.output).toBe(0);
  }, 240_000);

  test("a site declines a task beyond its settings, and the coordinator goes on without it", async () => {
    const config = { ...tinyConfig("fedavg"), federation: { algorithm: "fedavg", rounds: 1 } };
    writeFileSync(path.join(source, "one.yaml"), stringify(config));
    const port = await freePort();
    await start("federation", "init", "fed2", "--name", "two").ended;
    const sites = new Map<string, Started>();
    for (const client of CLIENTS) {
      const server = ["--server", `nats://127.0.0.1:${port}`];
      await start("federation", "invite", client, "--federation", "fed2", "--out", `${client}2.txt`, ...server).ended;
      mkdirSync(path.join(source, `site2-${client}`), { mode: 0o700 });
      const allow = client === "bolts" ? { allow: { algorithms: ["fedprox"] } } : { allow: { scores: false } };
      const settings = { data: { train: `../${client}.jsonl` }, model: { base: "../model" }, ...allow };
      writeFileSync(path.join(source, `site2-${client}/site.yaml`), stringify(settings));
      sites.set(client, start("join", `${client}2.txt`, "--site", `site2-${client}`, "--yes"));
    }
    const host = start("host", "one.yaml", "--federation", "fed2", "--out", "one", "--listen", `127.0.0.1:${port}`);
    const declined = await sites.get("bolts")!.ended;
    expect(declined).toMatchObject({ code: 2, output: expect.stringContaining("bolts declines the task of two") });
    const { code, output } = await host.ended;
    expect(code, output).toBe(0);
    expect(output).toContain("bolts declines the task: the algorithm is fedavg, and this site allows fedprox");
    for (const client of ["apples", "candles"]) expect(await sites.get(client)!.ended).toMatchObject({ code: 0 });
  }, 120_000);
});
