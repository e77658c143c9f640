import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runIn } from "../support/experiment.ts";
import { playHalves } from "../support/halves.ts";
import { tinyConfig, tinyFederation } from "../support/tiny-federation.ts";

const federation = tinyFederation();
process.env["OPENFEDLLM_CACHE"] = path.join(federation.folder, "cache");

afterAll(() => rmSync(federation.folder, { recursive: true, force: true }));

test("killed at every operation of either half, the adapter is that of the simulation", async () => {
  const { summary } = await runIn(federation.source, tinyConfig("scaffold"), { name: "simulated" });
  const counted = await federation.play("scaffold");
  expect(counted.coordinator.adapter).toBe(summary.adapter);
  const most = Math.max(counted.coordinator.operations, counted.participant.operations);
  for (let at = 1; at <= most; at++) {
    // Both die in one play, each at every operation once.
    const killAt = { coordinator: at, participant: most + 1 - at };
    const { coordinator, deaths } = await federation.play("scaffold", killAt, at % 2 === 0 ? "before" : "after");
    console.log(`${at} of ${most}: ${deaths} deaths`);
    expect(coordinator.adapter, JSON.stringify(killAt)).toBe(summary.adapter);
  }
});

describe("the quickstart", () => {
  test("by two processes ends with the adapter of one", async () => {
    const examples = path.join(import.meta.dirname, "../../examples");
    const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-quickstart-"));
    const source = path.join(folder, "source");
    mkdirSync(source, { recursive: true });
    for (const name of readdirSync(path.join(examples, "quickstart"))) {
      cpSync(path.join(examples, "quickstart", name), path.join(source, name));
    }
    const config = parse(readFileSync(path.join(examples, "quickstart.yaml"), "utf8").replaceAll("quickstart/", ""));
    const clients = config.data.clients.map(({ name }: { name: string }) => name);
    const play = { source, folder: path.join(folder, "play"), config: { ...config, runtime: { threads: 1 } }, clients };
    const { coordinator } = await playHalves(play);
    console.log(`adapter: ${coordinator.adapter}`);
    expect(coordinator.adapter).toMatch(/^25f492af/);
    rmSync(folder, { recursive: true });
  });
});
