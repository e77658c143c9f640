import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { tinyConfig, tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();
const CLI = path.join(import.meta.dirname, "../dist/cli/main.js");
const cache = path.join(folder, "cache");

function start(...args: string[]) {
  const child: ChildProcess = spawn(process.execPath, [CLI, ...args], {
    cwd: source,
    env: { ...process.env, OPENFEDLLM_CACHE: cache, NO_COLOR: "1" },
  });
  let output = "";
  child.stdout!.on("data", (chunk) => (output += String(chunk)));
  child.stderr!.on("data", (chunk) => (output += String(chunk)));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, output })),
  );
  return { child, ended, says: () => output };
}

describe.runIf(natsProgram !== undefined)("a rehearsal (skipped where there is no nats-server)", () => {
  beforeAll(() => {
    process.env["OPENFEDLLM_CACHE"] = cache;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each([
    ["fedavg", {}],
    ["scaffold", {}],
    ["fedadam", {}],
  ])(
    "of %s ends with the adapter of run",
    async (algorithm, more) => {
      const config = { ...tinyConfig(algorithm), ...more };
      writeFileSync(path.join(source, `${algorithm}.yaml`), stringify(config));
      const { summary } = await runIn(source, config, { name: `simulated-${algorithm}` });
      const { code, output } = await start("rehearse", `${algorithm}.yaml`, "--out", `rehearsed-${algorithm}`).ended;
      expect(code, output).toBe(0);
      expect(adapterHash(source, `rehearsed-${algorithm}/run`, "adapter")).toBe(summary.adapter);
      for (const client of ["apples", "bolts", "candles"]) {
        expect(adapterHash(source, `rehearsed-${algorithm}/sites/${client}/runs/run`, "adapter")).toBe(summary.adapter);
      }
      const log = readFileSync(path.join(source, `rehearsed-${algorithm}/sites/apples/audit.jsonl`), "utf8");
      expect(log).toContain('"what":"consented"');
      const audit = await start(
        "audit",
        `rehearsed-${algorithm}/federation`,
        ...["apples", "bolts", "candles"].map((client) => `rehearsed-${algorithm}/sites/${client}`),
      ).ended;
      expect(audit.code, audit.output).toBe(0);
    },
    240_000,
  );
});
