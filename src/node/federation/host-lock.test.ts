import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { initFederation } from "./federation-folder.ts";
import { lockHost } from "./host-lock.ts";

test("a federation has one host on a machine, and one that was killed is no host", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "host-lock-"));
  const federation = await initFederation(path.join(folder, "fed"), { name: "Fruit and tools" });
  const file = path.join(folder, "fed", "host", "lock");
  lockHost(federation)();
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  writeFileSync(file, String(other.pid));
  expect(() => lockHost(federation)).toThrow(
    `another openfedllm host (process ${other.pid}) works for the federation Fruit and tools`,
  );
  other.kill("SIGKILL");
  await once(other, "exit");
  const unlock = lockHost(federation);
  expect(readFileSync(file, "utf8")).toBe(String(process.pid));
  expect(() => lockHost(federation)).toThrow(`another openfedllm host (process ${process.pid})`);
  unlock();
  rmSync(folder, { recursive: true });
});
