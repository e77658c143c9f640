import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { openAnswerFolder, readResults } from "./evaluation-folder.ts";

const out = mkdtempSync(path.join(tmpdir(), "openfedllm-answers-"));
afterAll(() => rmSync(out, { recursive: true }));

test.each(["saveVerdicts", "saveResult"] as const)("%s fails as storage where nothing can be written", async (name) => {
  const folder = await openAnswerFolder({ out, benchmark: "b", model: name }, {});
  // A folder in the file's place fails for root too.
  for (const file of ["verdicts.jsonl", "result.json"]) mkdirSync(path.join(out, "b", name, file), { recursive: true });
  const work = name === "saveVerdicts" ? folder.saveVerdicts([]) : folder.saveResult({} as never, {} as never);
  await expect(work).rejects.toMatchObject({ kind: "storage", message: expect.stringMatching(/^Cannot write .*: /) });
});

test.each(["", "{", "null", "3"])("a result or settings that hold %j are damaged, not a defect", async (text) => {
  const place = path.join(out, "damaged", "b", "m");
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, "result.json"), text);
  writeFileSync(path.join(place, "settings.json"), text);
  const damaged = { kind: "storage", message: expect.stringMatching(/is damaged: it holds no JSON object/) };
  await expect(readResults(path.join(out, "damaged"))).rejects.toMatchObject(damaged);
  await expect(
    openAnswerFolder({ out: path.join(out, "damaged"), benchmark: "b", model: "m" }, {}),
  ).rejects.toMatchObject(damaged);
});
