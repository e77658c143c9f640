import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { parseExperiment } from "../settings/parse.ts";
import { boundClients, checkRunPlace } from "./check-run-folder.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-place-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = parseExperiment({ model: { base: "m" }, data: { clients: [{ name: "a", train: "f" }] } }, "test");
const run = { config, threads: 2 };

function place(name: string, files: Readonly<Record<string, string>>): string {
  const at = path.join(folder, name);
  mkdirSync(at, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(at, file), text);
  return at;
}

function refusal(at: string, other: Partial<typeof run> = {}): string {
  try {
    checkRunPlace(at, { ...run, ...other }, "one process");
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { kind, message } = error as UserError;
    return `${kind}: ${message.replaceAll(`${folder}${path.sep}`, "")}`;
  }
  return "";
}

describe("the place of a run", () => {
  test("may be new, empty, or a run's, begun or finished, and stays as it was", () => {
    expect(refusal(path.join(folder, "a/b/c"))).toBe("");
    expect(readdirSync(folder)).toEqual([]);
    for (const files of [
      {},
      { ".DS_Store": "" },
      { "origin.json": "{}", "events.jsonl": "" },
      { "config.json": JSON.stringify({ config, threads: 2 }), "notes.txt": "mine" },
    ]) {
      const at = place(`good-${Object.keys(files).length}-${Object.keys(files)[0]}`, files);
      expect(refusal(at)).toBe("");
      expect(readdirSync(at).sort()).toEqual(Object.keys(files).sort());
    }
  });

  test("tells the clients of the run that it holds, where it can", () => {
    expect(boundClients(place("bound", { "config.json": JSON.stringify({ config, threads: 2 }) }))).toEqual(["a"]);
    expect(boundClients(path.join(folder, "nowhere"))).toBeUndefined();
    for (const [i, data] of [undefined, null, {}, { clients: 3 }, { clients: [null] }, { clients: [{}] }].entries()) {
      const bound = JSON.stringify({ config: { data }, threads: 2 });
      expect(boundClients(place(`damaged-${i}`, { "config.json": bound })), bound).toBeUndefined();
    }
  });

  test("may not hold other things", () => {
    expect(refusal(place("papers", { "a.pdf": "", "b.pdf": "", "c.pdf": "", "d.pdf": "" }))).toBe(
      "config: papers is not a run folder and not empty: it holds a.pdf, b.pdf, c.pdf, …",
    );
    expect(refusal(place("model", { "config.json": '{"model_type":"llama"}' }))).toContain(
      "config: model is not a run folder and not empty: it holds config.json",
    );
    writeFileSync(path.join(folder, "file"), "");
    expect(refusal(path.join(folder, "file"))).toMatch(/^storage: Cannot write file: /);
    expect(refusal(path.join(folder, "file/under"))).toMatch(/^storage: Cannot write .*under: /);
  });

  test("may not hold a run with other settings or threads", () => {
    const at = place("other", { "config.json": JSON.stringify({ config: { ...config, seed: 1 }, threads: 2 }) });
    expect(refusal(at)).toBe("config: the run folder holds a run with other settings: seed was 1, is 42");
    const threads = place("threads", { "config.json": JSON.stringify({ config, threads: 3 }) });
    expect(refusal(threads)).toContain("the run was begun with 3 threads, and this is 2");
  });
});
