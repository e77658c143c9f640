import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { natsProgram } from "./support/nats-server.ts";
import { makeParties, speaking } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, "../package.json"), "utf8")) as {
  version: string;
};
const SOFTWARE = `openfedllm ${version}`;
const difference = (coordinator: number, site: number, older: "coordinator" | "site"): string =>
  `the coordinator (${SOFTWARE}) speaks protocol ${coordinator} and the site (${SOFTWARE}) protocol ${site}: update openfedllm at the ${older}`;

describe.runIf(natsProgram !== undefined)("another version on the other side (skipped without nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is named, with the side to update, by both sides, and a site goes on after the update", async () => {
    const parties = await makeParties({ source, name: "versions", clients: ["apples"], rounds: 1 });
    const host = parties.host();
    await host.says("waiting for apples to join");
    for (const [site, older] of [
      [2, "coordinator"],
      [0, "site"],
    ] as const) {
      const { code, stderr } = await parties.join("apples", speaking(site)).ended;
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining(`the coordinator refuses: ${difference(1, site, older)}\n`),
      ]);
    }
    await host.says(`apples may not join: ${difference(1, 2, "coordinator")}\n`);
    const joined = await parties.join("apples").ended;
    expect(joined.code, joined.output).toBe(0);
    expect((await host.ended).code).toBe(0);
    expect(readFileSync(parties.at("federation/audit.jsonl"), "utf8")).toMatch(/"what":"refused","client":"apples"/);

    for (const [coordinator, older] of [
      [2, "site"],
      [0, "coordinator"],
    ] as const) {
      const old = await parties.host(speaking(coordinator)).ended;
      const begun = `The run was begun with protocol 1; this version works with protocol ${coordinator}.`;
      expect([old.code, old.stderr]).toEqual([5, expect.stringContaining(begun)]);

      const other = parties.host(speaking(coordinator), "--out", `versions-run-${coordinator}`);
      await other.says("waiting for apples to join");
      const { code, stderr } = await parties.rejoin("apples").ended;
      expect([code, stderr]).toEqual([2, expect.stringContaining(`error: ${difference(coordinator, 1, older)}\n`)]);
      other.child.kill("SIGTERM");
      expect((await other.ended).code).toBe(130);
    }
  }, 240_000);
});
