import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { cliIn } from "./support/cli.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-doctor-"));
// A machine without a network and without the programs that only some commands need.
const OFFLINE = {
  PATH: folder,
  HOME: folder,
  npm_config_registry: "http://127.0.0.1:9/",
  HF_ENDPOINT: "http://127.0.0.1:9",
  OPENFEDLLM_NATS_SERVER: path.join(folder, "none"),
  OPENFEDLLM_CACHE: path.join(folder, "cache"),
};

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("doctor: a machine that lacks network and programs can train", () => {
  const { stdout, status } = cliIn(folder, OFFLINE)("doctor");
  expect(stdout).toMatch(/^ok {4}engine: ONNX Runtime \d+\.\d+\.\d+ loads and computes right/m);
  expect(stdout).toMatch(/^warn {2}nats-server: /m);
  expect(stdout).toMatch(/^warn {2}python3 and its sandbox: /m);
  expect(stdout).toMatch(/^warn {2}npm registry: 127\.0\.0\.1:9 cannot be reached/m);
  expect(stdout).toMatch(/^This machine can train\. \d+ lines above may matter for some commands\.$/m);
  expect(status).toBe(0);
});

it("doctor --json: the same findings, and the exit code of a failure", () => {
  const { stdout, stderr, status } = cliIn(folder, {
    ...OFFLINE,
    OPENFEDLLM_CACHE: "/dev/null/cache",
    TMPDIR: "/dev/null",
  })("doctor", "--json");
  expect(stderr).toBe("");
  const { failed, findings } = JSON.parse(stdout) as { failed: number; findings: { check: string; state: string }[] };
  const states = Object.fromEntries(findings.map(({ check, state }) => [check, state]));
  expect(states).toMatchObject({ "Node.js": "ok", engine: "ok", "cache folder": "fail", "npm registry": "warn" });
  expect(failed).toBe(1);
  expect(status).toBe(2);
});
