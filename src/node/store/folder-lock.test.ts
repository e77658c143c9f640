import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "./folder-lock.ts";

const fresh = (): string => mkdtempSync(path.join(tmpdir(), "openfedllm-lock-"));

test("one holder at a time, in this process too; given back, it can be had again", () => {
  const folder = fresh();
  const unlock = lockFolder(folder);
  expect(() => lockFolder(folder)).toThrow(`another process (${process.pid}) works in the folder`);
  unlock();
  lockFolder(folder)();
  expect(readdirSync(folder)).toEqual([]);
});

test("the lock of a dead process is taken over, that of a living one is not", () => {
  const folder = fresh();
  // No process has a number this high.
  writeFileSync(path.join(folder, "lock"), "99999999");
  const unlock = lockFolder(folder);
  expect(readFileSync(path.join(folder, "lock"), "utf8")).toBe(String(process.pid));
  unlock();
  writeFileSync(path.join(folder, "lock"), String(process.ppid));
  expect(() => lockFolder(folder)).toThrow(`(${process.ppid})`);
});
