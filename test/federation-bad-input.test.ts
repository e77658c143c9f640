import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { formatInvitation } from "../src/identity/invitation.ts";
import { inviteMember } from "../src/node/federation/invite.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { makeParties, simulatedConfig } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";
import { writeTinyModel } from "./support/tiny-model.ts";

const { folder, source } = tinyFederation();
const write = (name: string, content: string): void => writeFileSync(path.join(source, name), content);

describe.runIf(natsProgram !== undefined)("bad input of host and join (skipped without nats-server)", () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("each ends in one sentence with what to do, and right input goes on with what is there", async () => {
    const parties = await makeParties({ source, name: "bad", clients: ["apples", "bolts"] });
    const port = Number(new URL(parties.server).port);
    const blocker = createServer();
    await new Promise<void>((resolve) => void blocker.listen(port, "127.0.0.1", resolve));
    const inUse = await parties.host().ended;
    expect([inUse.code, inUse.stderr]).toEqual([
      2,
      expect.stringMatching(
        new RegExp(`error: port ${port} of 127.0.0.1 is in use by another program\nhint: Stop the other`),
      ),
    ]);
    await new Promise((resolve) => void blocker.close(resolve));

    const host = parties.host();
    await host.says("waiting for apples, bolts to join");
    const line = readFileSync(parties.at("apples.txt"), "utf8");
    const early = new Date(Date.now() - 2 * 3_600_000);
    const old = { client: "late", servers: [parties.server], hours: 1, now: early };
    const typed = { typo: `${line.slice(0, -9)}AAAA${line.slice(-5)}`, cut: line.slice(0, -40), letter: "Dear all," };
    for (const [name, text] of Object.entries(typed)) write(`bad-${name}.txt`, text);
    write("bad-late.txt", await formatInvitation(await inviteMember(parties.federation, old)));
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`;
    for (const [client, message] of [
      ["typo", "the invitation is mistyped: at least one character is wrong\nhint: Copy the whole line again"],
      ["cut", "the invitation is not complete: its end is missing or wrong\nhint: Copy the whole line again"],
      ["letter", "the text is not an invitation\nhint: An invitation begins with openfedllm-invite:"],
      ["nowhere", "cannot read the invitation bad-nowhere.txt: there is no such file\nhint: "],
      [
        "late",
        `the coordinator refuses: the invitation expired at ${time}; it is ${time} by the coordinator's clock\nhint: Ask the coordinator for a new invitation`,
      ],
    ]) {
      const { code, stderr } = await parties.join(client!).ended;
      expect([code, stderr]).toEqual([2, expect.stringMatching(new RegExp(`error: ${message}`))]);
    }
    await host.says("late may not join: the invitation expired at");

    writeTinyModel(path.join(source, "other-model"), { seed: 5 });
    const other = await parties.join("apples", {}, "--base", "other-model").ended;
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/error: .*base.*[0-9a-f]{12}.*[0-9a-f]{12}/)]);
    write("none.jsonl", '{"topic":"apples"}\n');
    write("empty.jsonl", "");
    for (const [file, message] of [
      ["none.jsonl", /error: .*none\.jsonl line 1: no instruction, prompt, messages or text/],
      ["empty.jsonl", /error: .*empty\.jsonl/],
    ] as const) {
      const { code, stderr } = await parties.join("bolts", {}, "--data", file).ended;
      expect([code, stderr]).toEqual([3, expect.stringMatching(message)]);
    }

    const sites = [parties.rejoin("apples")];
    await sites[0]!.says("apples: joined the run bad-run");
    host.child.kill("SIGKILL");
    await host.ended;
    const changed = await parties.host({}, "--set", "training.learningRate=0.1").ended;
    expect([changed.code, changed.stderr]).toEqual([2, expect.stringMatching(/error: .*learningRate/)]);

    const again = parties.host();
    sites.push(parties.rejoin("bolts", {}, "--data", "bolts.jsonl", "--held-out", "bolts.heldout.jsonl"));
    const ended = await again.ended;
    expect(ended.code, ended.output).toBe(0);
    const { summary } = await runIn(source, simulatedConfig(["apples", "bolts"], 2), { name: "simulated" });
    expect(adapterHash(source, "bad-run", "adapter")).toBe(summary.adapter);
    for (const site of sites) expect((await site.ended).code).toBe(0);
  }, 240_000);
});
