import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../diagnostics/user-error.ts";
import { referenceRuntime } from "../../train/reference-runtime.ts";
import { examine } from "./doctor.ts";
import { engineCheck } from "./engine-check.ts";
import { type Check, type NamedFinding, ok } from "./finding.ts";
import { diskSpaceFinding, memoryFinding, nodeFinding, processorFinding } from "./machine-checks.ts";
import { networkChecks } from "./program-checks.ts";

const never = new AbortController().signal;
const state = ({ state: is }: { state: string }): string => is;

describe("the checks of a machine", () => {
  it("know the oldest Node.js", () => {
    expect(["18.20.0", "20.18.9", "20.19.0", "22.0.0"].map((version) => state(nodeFinding(version)))).toEqual([
      "fail",
      "fail",
      "ok",
      "ok",
    ]);
    expect(nodeFinding("20.18.9").advice).toContain("20.19");
  });

  it("have limits of memory, disk and load, and say what to do", () => {
    expect([0.9e9, 1e9, 4e9].map((free) => state(memoryFinding(8e9, free)))).toEqual(["fail", "warn", "ok"]);
    expect([0.4e9, 0.5e9, 5e9].map((free) => state(diskSpaceFinding(free)))).toEqual(["fail", "warn", "ok"]);
    expect([3, 3.1].map((load) => state(processorFinding(2, load)))).toEqual(["ok", "warn"]);
    for (const { advice } of [memoryFinding(8e9, 1e9), diskSpaceFinding(1e9), processorFinding(1, 9)])
      expect(advice).toMatch(/\.$/);
  });
});

describe("an examination", () => {
  const check = (name: string, onError: "warn" | "fail", run: Check["run"]): Check => ({ name, onError, run });

  it("goes on after a check that throws, and takes the hint of its error", async () => {
    const seen: NamedFinding[] = [];
    const findings = await examine(
      [
        check("a", "fail", () => {
          throw new UserError("config", "no a", { hint: "Get an a." });
        }),
        check("b", "warn", () => Promise.reject(new Error("no b"))),
        check("c", "fail", () => ok("here")),
      ],
      never,
      (finding) => seen.push(finding),
    );
    expect(findings).toEqual(seen);
    expect(findings.map(({ check: name, state: is, found }) => [name, is, found])).toEqual([
      ["a", "fail", "no a"],
      ["b", "warn", "no b"],
      ["c", "ok", "here"],
    ]);
    expect(findings[0]!.advice).toBe("Get an a.");
  });

  it("ends where it is interrupted", async () => {
    const stop = new AbortController();
    const checks = [
      check("a", "fail", () => (stop.abort(new Error("stopped")), ok("a"))),
      check("b", "fail", () => ok("b")),
    ];
    await expect(examine(checks, stop.signal, () => {})).rejects.toThrow("stopped");
  });
});

describe("the check of the engine", () => {
  it("passes for one that computes right", async () => {
    const { run } = engineCheck(() => Promise.resolve({ runtime: referenceRuntime, title: "Reference" }));
    expect(await run(never)).toMatchObject({
      state: "ok",
      found: expect.stringContaining("Reference loads") as string,
    });
  });

  it("fails for one that does not", async () => {
    const right = referenceRuntime;
    const wrong = {
      load: async (...what: Parameters<typeof right.load>) => {
        const session = await right.load(...what);
        return {
          ...session,
          run: async (...given: Parameters<typeof session.run>) => {
            const results = await session.run(...given);
            for (const { data } of results.values()) (data as Float32Array)[7]! += 1e-3;
            return results;
          },
        };
      },
    };
    const { run } = engineCheck(() => Promise.resolve({ runtime: wrong, title: "Wrong" }));
    expect(await run(never)).toMatchObject({
      state: "fail",
      found: expect.stringContaining("computes wrongly") as string,
    });
  });
});

describe("the checks of the network", () => {
  it("warn where nobody answers, and say what works without", async () => {
    const unreachable = { npm_config_registry: "http://127.0.0.1:9/", HF_ENDPOINT: "http://127.0.0.1:9" };
    for (const { run } of networkChecks(unreachable)) {
      const finding = await run(never);
      expect(finding).toMatchObject({ state: "warn", found: expect.stringContaining("cannot be reached") as string });
    }
  });

  it("ask npm for its registry where the environment does not name it", async () => {
    const bin = mkdtempSync(path.join(tmpdir(), "openfedllm-npm-"));
    writeFileSync(path.join(bin, "npm"), '#!/bin/sh\necho "http://127.0.0.1:9/$1-$2-$3"\n', { mode: 0o755 });
    const registry = networkChecks({ PATH: `${bin}:/bin` }).find(({ name }) => name === "npm registry")!;
    const { found } = await registry.run(never);
    expect(found).toMatch(/^127\.0\.0\.1:9 cannot be reached/);
    rmSync(bin, { recursive: true });
  });

  it("ask nobody where the Hub is turned off", async () => {
    const hub = networkChecks({ HF_HUB_OFFLINE: "1" }).find(({ name }) => name === "Hugging Face Hub")!;
    expect(state(await hub.run(never))).toBe("ok");
  });
});
