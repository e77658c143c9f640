import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeTinyModel } from "./support/tiny-model.ts";

const ROOT = path.join(import.meta.dirname, "..");

/** A person's npm, without what this repository's own says. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
const npm = (folder: string, ...args: string[]): string =>
  execFileSync("npm", args, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

const hasRegistry = spawnSync("npm", ["view", "commander", "name"], { cwd: ROOT, env, timeout: 60_000 }).status === 0;

describe.runIf(hasRegistry)("the package, installed (skipped where no npm registry is reached)", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-package-"));
  const home = path.join(folder, "home");
  const openfedllm = (...args: string[]): string =>
    execFileSync(path.join(home, "node_modules/.bin/openfedllm"), args, {
      cwd: home,
      env: { ...env, OPENFEDLLM_CACHE: path.join(folder, "cache") },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeAll(() => {
    const [{ filename }] = JSON.parse(npm(ROOT, "pack", "--json", "--pack-destination", folder)) as [
      { filename: string },
    ];
    mkdirSync(home);
    writeFileSync(path.join(home, "package.json"), "{}\n");
    // Scripts are on, as they are for everyone.
    npm(home, "install", "--ignore-scripts=false", "--no-audit", "--no-fund", path.join(folder, filename));
  }, 600_000);

  test("no package of it has an install script", () => {
    const lock = JSON.parse(readFileSync(path.join(home, "package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    expect(Object.keys(lock.packages).length).toBeGreaterThan(20);
    expect(Object.keys(lock.packages).filter((name) => lock.packages[name]!.hasInstallScript)).toEqual([]);
  });

  test("the command says its version, and trains", () => {
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(openfedllm("--version").trim()).toBe(version);

    writeTinyModel(path.join(home, "model"));
    for (const name of ["north", "south"]) {
      const records = [1, 2, 3].map((each) => ({ question: `What is ${each} in ${name}?`, answer: `It is ${each}.` }));
      writeFileSync(path.join(home, `${name}.jsonl`), records.map((each) => JSON.stringify(each)).join("\n"));
    }
    const config = {
      model: { base: "model" },
      data: { clients: ["north", "south"].map((name) => ({ name, train: `${name}.jsonl` })) },
      training: { localSteps: 1, batchSize: 1 },
      federation: { rounds: 1 },
    };
    writeFileSync(path.join(home, "joint.json"), JSON.stringify(config));
    openfedllm("run", "joint.json");
    expect(readFileSync(path.join(home, "runs/joint/adapter/adapter_config.json"), "utf8")).toContain("LORA");
  });

  test("a program imports it by name", () => {
    const program = `import { ALGORITHMS } from "openfedllm"; console.log(Object.keys(ALGORITHMS).includes("scaffold"))`;
    const said = execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: home,
      encoding: "utf8",
    });
    expect(said.trim()).toBe("true");
  });
});
