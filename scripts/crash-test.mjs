// Kills a real run at random moments, again and again, and compares what it ends with to an undisturbed run.
//
//   npm run test:crash -- [CONFIG=examples/quickstart.yaml] [KILLS=10] [SEED=1]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stream } from "../dist/tensor/random.js";

const [config = "examples/quickstart.yaml", kills = "10", seed = "1"] = process.argv.slice(2);
const cli = path.join(import.meta.dirname, "../dist/cli/main.js");
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-crash-"));
const hash = (run) =>
  createHash("sha256")
    .update(readFileSync(path.join(folder, run, "adapter/adapter_model.safetensors")))
    .digest("hex");
const args = (run) => [cli, "run", config, "--out", path.join(folder, run), "--json"];

let started = performance.now();
if (spawnSync(process.execPath, args("undisturbed"), { stdio: ["ignore", "ignore", "inherit"] }).status !== 0)
  process.exit(1);
const seconds = (performance.now() - started) / 1000;
console.log(`undisturbed: ${hash("undisturbed")} (${seconds.toFixed(0)} s)`);

const random = stream(Number(seed), "crash");
for (let kill = 1; kill <= Number(kills); kill++) {
  // The whole of the run is spread over the kills, so that each part of it is hit.
  const after = random.uniform() * ((2 * seconds) / Number(kills)) + 2;
  const child = spawn(process.execPath, args("killed"), { stdio: ["ignore", "ignore", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  const timer = setTimeout(() => child.kill("SIGKILL"), after * 1000);
  const code = await ended;
  clearTimeout(timer);
  console.log(code === 0 ? `${kill}: finished before it was killed` : `${kill}: killed after ${after.toFixed(1)} s`);
  if (code === 0) break;
}
started = performance.now();
if (spawnSync(process.execPath, args("killed"), { stdio: ["ignore", "ignore", "inherit"] }).status !== 0)
  process.exit(1);
console.log(`killed:      ${hash("killed")} (last part ${((performance.now() - started) / 1000).toFixed(0)} s)`);
const same = hash("killed") === hash("undisturbed");
console.log(same ? "the same adapter, byte for byte" : "THE ADAPTERS DIFFER");
process.exit(same ? 0 : 1);
