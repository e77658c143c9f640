import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXIT_CODES, UserError } from "../../diagnostics/user-error.ts";
import { STORE_CONFORMANCE } from "../../store/conformance.ts";
import { directoryStore } from "./directory-store.ts";
import { storageError } from "./durable-file.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "exchange-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("directory exchange", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => run(async () => directoryStore(path.join(folder, "deep", "exchange"))));
  }

  it("leaves no temporary file, and removes those of processes that died", async () => {
    const exchange = directoryStore(folder);
    await exchange.putBlob(bytes("x"));
    await exchange.create("a/b", bytes("x"));
    await exchange.create("a/b", bytes("y"));
    await exchange.setHead(0, bytes("x"));
    expect(await readdir(path.join(folder, "tmp"))).toEqual([]);

    const [old, young] = [path.join(folder, "tmp", "old"), path.join(folder, "tmp", "young")];
    await writeFile(old, "torn");
    await writeFile(young, "being written");
    const twoHoursAgo = Date.now() / 1000 - 7200;
    await utimes(old, twoHoursAgo, twoHoursAgo);
    await directoryStore(folder).create("c", bytes("x"));
    expect(await readdir(path.join(folder, "tmp"))).toEqual(["young"]);
  });

  it.skipIf(process.platform === "win32")(
    "lets its owner alone read what is written, where it is told so",
    async () => {
      const secrets = directoryStore(folder, { ownerOnly: true });
      const hash = await secrets.putBlob(bytes("key"));
      await secrets.create("a/key", bytes("key"));
      for (const file of [`blobs/${hash.slice(0, 2)}/${hash}`, "cells/a/key.json"]) {
        expect((await stat(path.join(folder, file))).mode & 0o777).toBe(0o600);
      }
    },
  );

  it("says which blob is damaged or missing, and storing it again repairs it", async () => {
    const exchange = directoryStore(folder);
    const hash = await exchange.putBlob(bytes("adapter"));
    const file = path.join(folder, "blobs", hash.slice(0, 2), hash);
    await writeFile(file, "adaptor");
    const damaged = await exchange.blob(hash).catch((error: unknown) => error as UserError);
    expect(damaged).toMatchObject({
      kind: "storage",
      message: expect.stringContaining(`${file} is damaged`) as string,
    });

    await exchange.putBlob(bytes("adapter"));
    expect(await readFile(file, "utf8")).toBe("adapter");

    await rm(file);
    await expect(exchange.blob(hash)).rejects.toThrow(`${file} is missing`);
  });

  it("names the path and what is safe when the system refuses", async () => {
    const file = path.join(folder, "file");
    await writeFile(file, "");
    const error = await directoryStore(path.join(file, "exchange"))
      .putBlob(bytes("x"))
      .catch((e: unknown) => e as UserError);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ kind: "storage", message: expect.stringContaining(file) as string });
    expect((error as UserError).message).toMatch(/^Cannot read .*a part of the path is a file/);

    for (const [errno, words] of [
      ["ENOSPC", "the disk is full"],
      ["EACCES", "access is denied"],
      ["EROFS", "the file system is read-only"],
    ]) {
      const mapped = storageError("/run/blobs/ab", "write", Object.assign(new Error(errno), { code: errno }));
      expect(mapped).toMatchObject({
        kind: "storage",
        message: `Cannot write /run/blobs/ab: ${words} (${errno})`,
      });
    }
    expect(EXIT_CODES.storage).toBe(5);
  });
});
