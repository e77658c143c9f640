import { type ChildProcess, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram, type NatsServer, natsServer } from "./support/nats-server.ts";
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
  const says = async (text: string): Promise<void> => {
    while (!output.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, ended, says };
}

describe.runIf(natsProgram !== undefined)("a run over NATS (skipped where there is no nats-server)", () => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await natsServer();
    process.env["OPENFEDLLM_CACHE"] = cache;
  });

  afterAll(async () => {
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("ends with the adapter of run, though the server and both halves are killed in between", async () => {
    const config = tinyConfig("scaffold");
    writeFileSync(path.join(source, "my.yaml"), stringify(config));
    const { summary } = await runIn(source, config, { name: "simulated" });
    const exchange = ["--exchange", `${server.url}/joint`];
    const coordinate = () => start("coordinate", "my.yaml", "--out", "joint", ...exchange);
    const participate = (out: string, ...clients: string[]) =>
      start("participate", "my.yaml", "--out", out, ...exchange, ...clients.flatMap((name) => ["--client", name]));

    const first = {
      coordinator: coordinate(),
      one: participate("one", "apples"),
      two: participate("two", "bolts", "candles"),
    };
    await first.coordinator.says("round 1/3");
    await server.kill();
    first.coordinator.child.kill("SIGKILL");
    first.two.child.kill("SIGKILL");
    await Promise.all([first.coordinator.ended, first.two.ended]);
    await server.start();

    const again = { coordinator: coordinate(), two: participate("two", "bolts", "candles") };
    expect(await again.coordinator.ended).toMatchObject({ code: 0 });
    expect(await again.two.ended).toMatchObject({ code: 0 });
    expect(await first.one.ended).toMatchObject({ code: 0 });
    for (const run of ["joint", "one", "two"]) expect(adapterHash(source, run, "adapter")).toBe(summary.adapter);
  }, 240_000);

  test("ends after a name or a run folder that cannot be used: no connection stays open", async () => {
    writeFileSync(path.join(source, "my.yaml"), stringify(tinyConfig("fedavg")));
    writeFileSync(path.join(source, "file"), "");
    const named = await start("coordinate", "my.yaml", "--out", "y", "--exchange", `${server.url}/a.b`).ended;
    expect(named).toMatchObject({ code: 2, output: expect.stringContaining('"a.b" is not the name of a run') });
    const exchange = ["--exchange", `${server.url}/file`];
    const coordinator = await start("coordinate", "my.yaml", "--out", "file", ...exchange).ended;
    const site = await start("participate", "my.yaml", "--out", "file", ...exchange, "--client", "apples").ended;
    for (const { code, output } of [coordinator, site]) {
      expect(code).toBe(5);
      expect(output).toContain("there is a file where a folder must be");
    }
  }, 60_000);

  test("an address without a name, and one where nobody answers, are errors in a sentence", async () => {
    const unnamed = await start("coordinate", "my.yaml", "--out", "x", "--exchange", "nats://joe:secret@127.0.0.1:1")
      .ended;
    expect(unnamed.code).toBe(2);
    expect(unnamed.output).toContain(
      "error: nats://…@127.0.0.1:1 is not the address of an exchange\nhint: Write nats://HOST:PORT/NAME",
    );
    const nobody = await start("coordinate", "my.yaml", "--out", "x", "--exchange", "nats://joe:secret@127.0.0.1:1/run")
      .ended;
    expect(nobody.output).toContain("error: Cannot connect to the NATS server at nats://127.0.0.1:1:");
    expect(unnamed.output + nobody.output).not.toContain("secret");
  }, 60_000);
});
