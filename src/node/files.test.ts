import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileReader } from "./files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "openfedllm-files-"));
  await mkdir(path.join(folder, "clients"));
  await writeFile(path.join(folder, "clients", "bank.jsonl"), "{}");
});
afterEach(() => rm(folder, { recursive: true }));

it("reads a file relative to its folder", async () => {
  expect([...(await fileReader(folder).read("clients/bank.jsonl"))]).toEqual([0x7b, 0x7d]);
});

it.each([
  ["clients/banc.jsonl", "no file clients/banc.jsonl", `Did you mean ${path.join("clients", "bank.jsonl")}?`],
  ["clients/x", "no file clients/x", "The folder FOLDER holds bank.jsonl."],
  ["clients", "clients is a folder, expected a file", undefined],
])("says what is the matter with %s", async (file, message, hint) => {
  const error = await fileReader(folder)
    .read(file)
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject({ kind: "data", message, hint: hint?.replace("FOLDER", path.join(folder, "clients")) });
});

it("names the folder that is not there", async () => {
  await expect(fileReader(folder).read("client/bank.jsonl")).rejects.toThrow(
    `no file client/bank.jsonl: there is no folder ${path.join(folder, "client")}`,
  );
});
