import { expect, it } from "vitest";
import { newSecretKey } from "../../privacy/secret-stream.ts";
import { memoryStore } from "../../store/memory-store.ts";
import { sealing, unsealing } from "./sealing.ts";
import { secretKeyIn } from "./secret-key.ts";

const update = new TextEncoder().encode("an update of some length, longer than a block of the cipher");

async function exchanged() {
  const exchange = memoryStore();
  const own = memoryStore();
  const open = await unsealing(exchange, newSecretKey());
  return { exchange, own, open, seal: sealing(own, exchange) };
}

it("an update is read by the coordinator, and is the same again for the same client and update", async () => {
  const { exchange, open, seal } = await exchanged();
  const sealed = await seal(update, "ann");
  expect(sealed).toHaveLength(32 + update.length + 16);
  expect(new TextDecoder("latin1").decode(sealed)).not.toContain("update");
  const hash = await exchange.putBlob(sealed);
  expect(await open.blob(hash, "ann")).toEqual(update);
  expect(await seal(update, "ann")).toEqual(sealed);
  // The coordinator's own blobs are as they were.
  expect(await open.blob(hash)).toEqual(sealed);
});

it("no two updates and no two clients have the same key: everything of what is sealed differs", async () => {
  const { seal } = await exchanged();
  const other = Uint8Array.from(update, (byte, i) => (i === 0 ? byte ^ 1 : byte));
  const [one, changed, ofBob] = [await seal(update, "ann"), await seal(other, "ann"), await seal(update, "bob")];
  for (const [a, b] of [
    [one, changed],
    [one, ofBob],
  ] as const) {
    const same = a.filter((byte, i) => byte === b[i]).length;
    expect(same).toBeLessThan(12);
  }
});

it.each([
  ["that is not sealed", async () => update],
  ["that is too short", async () => new Uint8Array(7)],
  ["of another client", (seal: ReturnType<typeof sealing>) => seal(update, "bob")],
  [
    "that was changed",
    async (seal: ReturnType<typeof sealing>) =>
      (await seal(update, "ann")).map((byte, i) => (i === 40 ? byte ^ 1 : byte)),
  ],
  ["under a key of low order", async () => new Uint8Array(100)],
])("an update %s is refused", async (_, bytesOf) => {
  const { exchange, open, seal } = await exchanged();
  const hash = await exchange.putBlob(await bytesOf(seal));
  await expect(open.blob(hash, "ann")).rejects.toThrow("the update of client ann is not sealed for this run");
});

it("another run has another key, and cannot read it; a run without one is refused by the client", async () => {
  const [one, other] = [await exchanged(), await exchanged()];
  const hash = await other.exchange.putBlob(await one.seal(update, "ann"));
  await expect(other.open.blob(hash, "ann")).rejects.toThrow("not sealed for this run");
  const seal = sealing(memoryStore(), memoryStore());
  await expect(seal(update, "ann")).rejects.toMatchObject({ kind: "config" });
});

it("a coordinator whose secret key is not that of the run goes no further", async () => {
  const { exchange } = await exchanged();
  await expect(unsealing(exchange, newSecretKey())).rejects.toMatchObject({
    kind: "storage",
    message: expect.stringContaining("of another secret key") as string,
  });
});

it("a secret key is made once, and the first one stays", async () => {
  const own = memoryStore();
  const [one, other] = await Promise.all([secretKeyIn(own), secretKeyIn(own)]);
  expect(one).toEqual(other);
  expect(await secretKeyIn(own)).toEqual(one);
  expect(await secretKeyIn(memoryStore())).not.toEqual(one);
});
