import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = path.join(ROOT, "dist");

/** Names that the package exports under this specifier, as a program that depends on it sees them. */
function namesOf(specifier: string): string[] {
  const program = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(specifier)}))))`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT });
  return JSON.parse(output.toString()) as string[];
}

/** Every built file that an entry reaches, and every other module that these import. */
function reachedFrom(entry: string): { files: string[]; modules: string[] } {
  const files = new Set([path.join(DIST, entry)]);
  const modules = new Set<string>();
  for (const file of files) {
    for (const [, imported = ""] of readFileSync(file, "utf8").matchAll(/(?:from|import\(?) ?"([^"]+)"/g)) {
      if (imported.startsWith(".")) files.add(path.resolve(path.dirname(file), imported));
      else modules.add(imported);
    }
  }
  return { files: [...files].map((file) => path.relative(DIST, file)), modules: [...modules] };
}

describe("the package's entries", () => {
  test("the main entry has everything of ./web and ./node, and nothing twice", () => {
    const [all, web, node] = [namesOf("openfedllm"), namesOf("openfedllm/web"), namesOf("openfedllm/node")];
    expect(all.toSorted()).toEqual([...web, ...node].toSorted());
    expect(web).toContain("runExperiment");
    expect(node).toContain("nodePlatform");
  });

  test("./web reaches nothing of Node", () => {
    const { files, modules } = reachedFrom("entries/web.js");
    expect(files).toContain(path.join("experiment", "run.js"));
    expect(files.filter((file) => /^(node|cli)\b/.test(file))).toEqual([]);
    expect(modules.filter((name) => name.startsWith("node:") || name === "onnxruntime-node")).toEqual([]);
  });

  test("a program with web types only plays a participant's half", () => {
    // dist/test-web is compiled from test/web without Node's types.
    const program = `console.log(JSON.stringify(await (await import("./dist/test-web/round.js")).playRound()))`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT });
    // Two rounds, each of two equal clients that add the learning rate.
    expect(JSON.parse(output.toString())).toEqual([2, 0]);
  });

  test("the walk finds what ./node reaches", () => {
    const { files, modules } = reachedFrom("entries/node.js");
    expect(files).toContain(path.join("node", "platform.js"));
    expect(modules).toEqual(expect.arrayContaining(["node:fs", "onnxruntime-node", "@huggingface/hub"]));
  });

  test("./testing runs the store's suite without a test runner", () => {
    expect(namesOf("openfedllm/testing")).toEqual(expect.arrayContaining(["STORE_CONFORMANCE", "referenceRuntime"]));
    const program = `
      const { STORE_CONFORMANCE, memoryStore } = await import("openfedllm/testing");
      for (const { run } of STORE_CONFORMANCE) {
        const store = memoryStore();
        await run(async () => store);
      }
      console.log(STORE_CONFORMANCE.length);`;
    const output = execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: ROOT });
    expect(Number(output.toString())).toBeGreaterThan(5);
  });
});
