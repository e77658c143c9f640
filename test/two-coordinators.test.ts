import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { startNatsServer } from "../src/node/federation/nats-server.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { makeParties, simulatedConfig } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const CLIENTS = ["apples", "bolts"];
const ROUNDS = 6;

describe.runIf(natsProgram !== undefined)("two coordinators of one run (skipped where there is no nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("the one that came last leads, the other ends with code 5 and names it, and the adapter is that of run", async () => {
    const parties = await makeParties({ source, name: "two", clients: CLIENTS, rounds: ROUNDS });
    const server = await startNatsServer(parties.federation, {
      listener: { port: Number(new URL(parties.server).port) },
    });
    const first = parties.host({}, "--nats", parties.server);
    const sites = CLIENTS.map((client) => parties.join(client));
    await first.says("round 1/6");
    // The run cannot end while one sleeps.
    const [, sleeper] = sites.map(({ child }) => child);
    sleeper!.kill("SIGSTOP");

    const beside = await parties.host({}, "--nats", parties.server).ended;
    expect([beside.code, beside.output]).toEqual([
      5,
      expect.stringContaining(`another process (${first.child.pid}) works in the folder two-run`),
    ]);

    // Another machine has a copy of both folders, which were copied in the middle of a round.
    const isKept = (file: string): boolean => !/[/](lock|server)$|[.]tmp$/.test(file);
    for (const what of ["federation", "run"]) {
      cpSync(parties.at(what), path.join(source, `elsewhere/two-${what}`), { recursive: true, filter: isKept });
    }
    const folders = ["--federation", "elsewhere/two-federation", "--out", "elsewhere/two-run"];
    const second = parties.host({}, "--nats", parties.server, ...folders);
    const replaced = await first.ended;
    expect([replaced.code, replaced.stderr]).toEqual([
      5,
      expect.stringMatching(
        new RegExp(
          `error: Another coordinator \\(.*, process ${second.child.pid}, since .*\\) has taken over the run two-run\nhint: Let that one go on\\.`,
        ),
      ),
    ]);
    sleeper!.kill("SIGCONT");
    const [leader, ...ended] = await Promise.all([second.ended, ...sites.map((site) => site.ended)]);
    expect(leader.code, leader.output).toBe(0);
    await server.stop();

    const { summary } = await runIn(source, simulatedConfig(CLIENTS, ROUNDS), { name: "simulated" });
    expect(adapterHash(source, "elsewhere/two-run", "adapter")).toBe(summary.adapter);
    for (const [i, client] of CLIENTS.entries()) {
      expect(ended[i]!.code, ended[i]!.output).toBe(0);
      expect(adapterHash(source, `two-site-${client}/runs/two-run`, "adapter")).toBe(summary.adapter);
    }
  }, 240_000);
});
