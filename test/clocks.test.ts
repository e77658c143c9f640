import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { clockAhead, makeParties, simulatedConfig } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const HOUR = 3600;
const TIME = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`;

describe.runIf(natsProgram !== undefined)("clocks that are wrong by an hour (skipped without nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("of sites are named with both times, and the adapter is that of run", async () => {
    const clients = ["apples", "bolts", "candles"];
    const parties = await makeParties({ source, name: "sites", clients });
    const host = parties.host();
    const sites = new Map([
      ["apples", parties.join("apples", clockAhead(HOUR))],
      ["bolts", parties.join("bolts", clockAhead(-HOUR))],
      ["candles", parties.join("candles")],
    ]);
    expect((await host.ended).code).toBe(0);
    const { summary } = await runIn(source, simulatedConfig(clients, 2), { name: "simulated" });
    expect(adapterHash(source, "sites-run", "adapter")).toBe(summary.adapter);
    const note = (how: string): RegExp =>
      new RegExp(`The clock of this machine \\(${TIME}\\) is 60 minutes ${how} the coordinator's \\(${TIME}\\)`);
    const expected = new Map([
      ["apples", note("ahead of")],
      ["bolts", note("behind")],
    ]);
    for (const [client, site] of sites) {
      const { code, output } = await site.ended;
      expect(code, output).toBe(0);
      if (expected.has(client)) expect(output).toMatch(expected.get(client)!);
      else expect(output).not.toContain("The clock of this machine");
      expect(adapterHash(source, `sites-site-${client}/runs/sites-run`, "adapter")).toBe(summary.adapter);
    }
  }, 240_000);

  test("of a coordinator let its members train; what it made then is explained once the clock is right", async () => {
    const parties = await makeParties({ source, name: "host", clients: ["apples"], rounds: 1 });
    const lapsed = await parties.host(clockAhead(2 * HOUR)).ended;
    expect(lapsed.stderr).toMatch(
      new RegExp(`the invitations of apples expired at ${TIME}, 60 minutes ago by this machine's clock \\(${TIME}\\)`),
    );
    const behind = parties.host(clockAhead(-HOUR));
    const joined = await parties.join("apples").ended;
    expect(joined.code, joined.output).toBe(0);
    expect(joined.stderr).toMatch(/is 60 minutes ahead of the coordinator's/);
    expect((await behind.ended).code).toBe(0);

    // Revoked by a clock that is ahead: no token of the next hour is good, for the server compares seconds.
    const folders = ["--federation", "host-federation"];
    expect((await parties.run(["federation", "revoke", "apples", ...folders], clockAhead(HOUR)).ended).code).toBe(0);
    const invited = ["--server", parties.server, "--out", path.join(source, "host-again.txt")];
    expect((await parties.run(["federation", "invite", "apples", "--again", ...folders, ...invited]).ended).code).toBe(
      0,
    );
    const host = parties.host({}, "--out", "host-run-2");
    const again = parties.run(["join", "host-again.txt", "--site", "host-site-again", "--data", "apples.jsonl"]);
    const why =
      /its clock \(.* UTC\) is (59|60) minutes behind the time at which the membership was revoked by it \(.* UTC\)/;
    await host.says("apples may not join: its clock");
    await again.says("the coordinator cannot answer: its clock");
    for (const party of [again, host]) {
      party.child.kill("SIGTERM");
      const { code, stderr } = await party.ended;
      expect([code, stderr]).toEqual([130, expect.stringMatching(why)]);
    }
  }, 240_000);
});
