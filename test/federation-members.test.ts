import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { freePort } from "../src/node/free-port.ts";
import { type Started, startIn } from "./support/cli.ts";
import { adapterHash } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { tinyConfig, tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const CLIENTS = ["apples", "bolts", "candles"];
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const start = (...args: string[]): Started => startIn(source, env, ...args);

/** Runs a command that has to end well. Gives what it wrote. */
const done = async (...args: string[]): Promise<string> => {
  const { code, output } = await start(...args).ended;
  expect(code, output).toBe(0);
  return output;
};

describe.runIf(natsProgram !== undefined)("members during a run (skipped where there is no nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("one loses its folder and goes on with a new key, another leaves", async () => {
    const federation = { algorithm: "fedavg", rounds: 5 };
    // It names no clients: all members take part.
    writeFileSync(
      path.join(source, "my.yaml"),
      stringify({ ...tinyConfig("fedavg"), data: { maxLength: 96 }, federation }),
    );
    const server = `nats://127.0.0.1:${await freePort()}`;
    await done("federation", "init", "fed", "--name", "Fruit and tools");
    const invite = (client: string, file: string, ...more: string[]): Promise<string> =>
      done("federation", "invite", client, "--federation", "fed", "--server", server, "--out", file, ...more);
    const join = (client: string, invitation: string): Started =>
      start(
        ...["join", invitation, "--site", `site-${client}`, "--yes", "--base", "model"],
        ...["--data", `${client}.jsonl`, "--held-out", `${client}.heldout.jsonl`],
      );
    for (const client of CLIENTS) await invite(client, `${client}.txt`);
    const listen = new URL(server).host;
    const hosting = ["host", "my.yaml", "--federation", "fed", "--out", "joint", "--listen", listen];
    const host = start(...hosting);
    const sites = new Map(CLIENTS.map((client) => [client, join(client, `${client}.txt`)]));

    await host.says("round 1/5:");
    // The run cannot end without bolts: it is in every round.
    sites.get("bolts")!.child.kill("SIGKILL");
    await sites.get("bolts")!.ended;
    sites.get("candles")!.child.kill("SIGINT");
    expect((await sites.get("candles")!.ended).code).toBe(130);
    const left = await done("leave", "--site", "site-candles", "--yes");
    expect(left).toContain("candles has left Fruit and tools; everything in site-candles stays");
    await host.says("candles has left the federation");
    const gone = await start("join", "--site", "site-candles", "--yes").ended;
    expect([gone.code, gone.output]).toEqual([2, expect.stringContaining("refuses the login of candles")]);
    expect(await done("federation", "members", "--federation", "fed")).toMatch(/candles +left/);

    rmSync(path.join(source, "site-bolts"), { recursive: true });
    await invite("bolts", "bolts-again.txt", "--again");
    // A token is made for a second: what is revoked in that second stays void.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    sites.set("bolts", join("bolts", "bolts-again.txt"));
    const { code, output } = await host.ended;
    expect(code, output).toBe(0);
    expect(output).toMatch(/candles is no member from round [2-5] on/);
    for (const client of ["apples", "bolts"]) {
      const ended = await sites.get(client)!.ended;
      expect(ended.code, ended.output).toBe(0);
      expect(adapterHash(source, `site-${client}/runs/joint`, "adapter")).toBe(adapterHash(source, "joint", "adapter"));
    }
    await done("audit", "fed", ...CLIENTS.map((client) => `site-${client}`));

    // The run goes on with the members that it began with, whoever left or was invited since.
    await invite("dates", "dates.txt");
    expect(await done(...hosting)).toContain("5 rounds");
  }, 480_000);
});
