import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { directoryStore } from "../node/store/directory-store.ts";
import { STORE_CONFORMANCE } from "../store/conformance.ts";
import { memoryStore } from "../store/memory-store.ts";
import type { MemberStore, Store } from "../store/store.ts";
import { MismatchError } from "../store/check.ts";
import { newIdentity } from "./keys.ts";
import { SignatureError, signedStore, type SignedStoreOptions } from "./signed-store.ts";

const federation = "federation";
const run = "run-1";
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

describe("signed store over memory", () => {
  for (const { name, run: runCase } of STORE_CONFORMANCE) {
    it(name, async () => {
      const [store, identity] = [memoryStore(), newIdentity()];
      await runCase(async () => signedStore(store, { federation, run, identity, ownerOf: () => identity.publicKey }));
    });
  }
});

describe("signed store over a folder", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-signed-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  for (const [i, { name, run: runCase }] of STORE_CONFORMANCE.entries()) {
    it(name, async () => {
      const identity = newIdentity();
      const options = { federation, run, identity, ownerOf: () => identity.publicKey };
      await runCase(async () => signedStore(directoryStore(path.join(folder, String(i))), options));
    });
  }
});

describe("a signed cell", () => {
  const [clinic, bank, coordinator] = [newIdentity(), newIdentity(), newIdentity()];
  const ownerOf = (key: string) =>
    ({ "member/clinic": clinic.publicKey, "member/bank": bank.publicKey, head: coordinator.publicKey })[key];
  const viewOf = (store: Store, options: Partial<SignedStoreOptions> = {}) =>
    signedStore(store, { federation, run, identity: coordinator, ownerOf, ...options });

  it("is given as it was written, whoever reads it", async () => {
    const store = memoryStore();
    await viewOf(store, { identity: clinic }).create("member/clinic", bytesOf('{"name":"Zürich 用户"}'));
    expect(textOf(await viewOf(store).read("member/clinic"))).toBe('{"name":"Zürich 用户"}');
    const { body, by, signature } = JSON.parse(textOf(await store.read("member/clinic"))) as Record<string, string>;
    expect([body, by]).toEqual(['{"name":"Zürich 用户"}', clinic.publicKey]);
    expect(atob(signature!)).toHaveLength(64);
  });

  it("is refused from another party, under another key, of another run or federation, changed or not signed", async () => {
    const write = async (identity: typeof clinic, options: Partial<SignedStoreOptions> = {}, key = "member/clinic") => {
      const store = memoryStore();
      await viewOf(store, { identity, ownerOf: () => identity.publicKey, ...options }).create(key, bytesOf("1"));
      return { store, cell: (await store.read(key))! };
    };
    const refused = async (store: Store, key = "member/clinic") => {
      const failure = await viewOf(store)
        .read(key)
        .catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(SignatureError);
      expect(failure).toBeInstanceOf(MismatchError);
    };
    const copied = async (cell: Uint8Array, key = "member/clinic") => {
      const store = memoryStore();
      await store.create(key, cell);
      return store;
    };
    const { store: good, cell } = await write(clinic);
    expect(textOf(await viewOf(good).read("member/clinic"))).toBe("1");
    await refused((await write(bank)).store);
    await refused((await write(clinic, { run: "run-2" })).store);
    await refused((await write(clinic, { federation: "other" })).store);
    await refused(await copied((await write(clinic, {}, "decline/clinic")).cell));
    await refused(await copied(bytesOf(textOf(cell).replace('"body":"1"', '"body":"2"'))));
    await refused(await copied(bytesOf(textOf(cell).replace(clinic.publicKey, bank.publicKey))));
    for (const text of ["1", "null", "{}", '{"body":1,"by":"","signature":""}', "not JSON"]) {
      await refused(await copied(bytesOf(text)));
    }
    await refused(await copied(cell, "member/nobody"), "member/nobody");
  });

  it("may be signed with an earlier key of a party that was invited again", async () => {
    const store = memoryStore();
    await viewOf(store, { identity: clinic }).create("member/clinic", bytesOf("1"));
    const later = newIdentity();
    const keys = [clinic.publicKey, later.publicKey];
    expect(textOf(await viewOf(store, { ownerOf: () => keys }).read("member/clinic"))).toBe("1");
    await expect(viewOf(store, { ownerOf: () => [later.publicKey] }).read("member/clinic")).rejects.toThrow(
      SignatureError,
    );
  });

  it("that another party wrote first is refused by create as well, and so is a foreign head", async () => {
    const store = memoryStore();
    await store.create("member/clinic", bytesOf("an unsigned text"));
    await expect(viewOf(store, { identity: clinic }).create("member/clinic", bytesOf("1"))).rejects.toThrow(
      SignatureError,
    );
    await viewOf(store).setHead(0, bytesOf("1"));
    expect(textOf((await viewOf(store).head())?.bytes)).toBe("1");
    await viewOf(store, { identity: bank }).setHead(1, bytesOf("2"));
    await expect(viewOf(store).head()).rejects.toThrow(SignatureError);
  });

  it("passes the smaller store of a member, which stays as small", async () => {
    const store = memoryStore();
    const parts: MemberStore = {
      putBlob: (bytes) => store.putBlob(bytes),
      blob: (hash) => store.blob(hash),
      create: (key, bytes) => store.create(key, bytes),
      read: (key) => store.read(key),
      head: () => store.head(),
      watch: (prefix) => store.watch(prefix),
    };
    const small = signedStore(parts, { federation, run, identity: clinic, ownerOf });
    await small.create("member/clinic", bytesOf("1"));
    expect(textOf(await small.read("member/clinic"))).toBe("1");
    const more = ["openSigned", "readSigned"];
    expect(Object.keys(small).sort()).toEqual(["blob", "create", "head", ...more, "putBlob", "read", "watch"].sort());
  });

  it("passes on to a third party, which sees who signed it", async () => {
    const store = memoryStore();
    await viewOf(store, { identity: clinic }).create("member/clinic", bytesOf("1"));
    const signed = (await viewOf(store).readSigned("member/clinic"))!;
    const third = viewOf(memoryStore(), { identity: bank });
    const opened = await third.openSigned("member/clinic", signed);
    expect(opened.by).toBe(clinic.publicKey);
    expect(textOf(opened.bytes)).toBe("1");
    await expect(third.openSigned("member/bank", signed)).rejects.toThrow(SignatureError);
    await expect(third.openSigned("member/clinic", signed.replace('"1"', '"2"'))).rejects.toThrow(SignatureError);
    expect(await third.readSigned("member/clinic")).toBeUndefined();
  });
});
