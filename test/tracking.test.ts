import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { startIn } from "./support/cli.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-trackers-"));
afterAll(() => rmSync(folder, { recursive: true }));

it("trackers, one of which is down, change nothing in a run", async () => {
  writeTinyModel(path.join(folder, "model"));
  writeTinyData(path.join(folder, "apples.jsonl"), "apples", 9);
  const told: string[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk) => told.push((JSON.parse(String(chunk)) as { type: string }).type));
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const config = {
    model: { base: "model" },
    data: { maxLength: 96, clients: [{ name: "apples", train: "apples.jsonl" }] },
    training: { batchSize: 3, localSteps: 1 },
    federation: { rounds: 2 },
    runtime: { threads: 1 },
  };
  writeFileSync(path.join(folder, "plain.json"), JSON.stringify(config));
  const { port } = server.address() as AddressInfo;
  // Nothing listens on port 9 of this machine.
  const output = { webhook: { url: `http://127.0.0.1:${port}` }, mlflow: { uri: "http://127.0.0.1:9" } };
  writeFileSync(path.join(folder, "told.json"), JSON.stringify({ ...config, output }));
  const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
  const env = { ...process.env, OPENFEDLLM_WEBHOOK_SECRET: secret };
  const results = [];
  for (const name of ["plain", "told"]) results.push(await startIn(folder, env, "run", `${name}.json`).ended);
  await new Promise((resolve) => server.close(resolve));
  expect(results.map(({ code }) => code)).toEqual([0, 0]);
  expect(told).toEqual(["run-start", "round-end", "round-end", "run-end"]);
  expect(results[1]!.stderr).toContain("note: MLflow at http://127.0.0.1:9 does not answer");
  const [plain, other] = ["plain", "told"].map((name) =>
    readFileSync(path.join(folder, "runs", name, "adapter", "adapter_model.safetensors")),
  );
  expect(other!.equals(plain!)).toBe(true);
  // The secret stands in no file of the run.
  expect(readFileSync(path.join(folder, "runs", "told", "config.json"), "utf8")).not.toContain(secret);
});
