import { describe, expect, it } from "vitest";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { memoryStore } from "./memory-store.ts";
import { mirroredStore } from "./mirrored-store.ts";
import { BlobError, type Store } from "./store.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const none = async (): Promise<boolean> => false;

/** A store where each owner has a place of its own, as on a server, and the blobs that it was asked for. */
function ownedStore(): { store: Store; put: (owner: string, text: string) => Promise<string>; asked: string[] } {
  const inner = memoryStore();
  const places = new Map<string, Store>();
  const placeOf = (owner: string): Store => places.get(owner) ?? places.set(owner, memoryStore()).get(owner)!;
  const asked: string[] = [];
  const store: Store = {
    ...inner,
    blob(hash, owner) {
      asked.push(owner ?? "own");
      return owner === undefined ? inner.blob(hash) : placeOf(owner).blob(hash);
    },
    forget: (hashes, owner) => (owner === undefined ? inner : placeOf(owner)).forget(hashes),
  };
  return { store, put: (owner, text) => placeOf(owner).putBlob(bytesOf(text)), asked };
}

describe("a mirrored store", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const [store, copy] = [memoryStore(), memoryStore()];
      await run(async () => mirroredStore(store, copy, none));
    });
  }

  it("fetches a member's blob once, and its own never", async () => {
    const { store, put, asked } = ownedStore();
    const mirrored = mirroredStore(store, memoryStore(), none);
    const update = await put("clinic", "update");
    const adapter = await mirrored.putBlob(bytesOf("adapter"));
    for (let i = 0; i < 3; i++) {
      expect(await mirrored.blob(update, "clinic")).toEqual(bytesOf("update"));
      expect(await mirrored.blob(adapter)).toEqual(bytesOf("adapter"));
    }
    expect(asked).toEqual(["clinic"]);
  });

  it("does not take a blob of one member for another's", async () => {
    const { store, put } = ownedStore();
    const mirrored = mirroredStore(store, memoryStore(), none);
    const update = await put("clinic", "update");
    await mirrored.blob(update, "clinic");
    await put("bank", "something else");
    await expect(mirrored.blob(update, "bank")).rejects.toThrow(BlobError);
  });

  it("has a lost blob of the member whose it was", async () => {
    const copy = memoryStore();
    const { store, put } = ownedStore();
    const update = await put("clinic", "update");
    const before = mirroredStore(store, copy, none);
    await before.blob(update, "clinic");
    await before.settled();
    const isClinic = async (_hash: string, owner: string): Promise<boolean> => owner === "clinic";
    const after = mirroredStore(ownedStore().store, copy, isClinic);
    expect(await after.blob(update, "clinic")).toEqual(bytesOf("update"));
    await expect(after.blob(update, "bank")).rejects.toThrow(BlobError);
  });

  it("asks again once its copy has lost a blob, and after a blob was forgotten", async () => {
    const { store, put, asked } = ownedStore();
    const copy = memoryStore();
    const mirrored = mirroredStore(store, copy, none);
    const update = await put("clinic", "update");
    await mirrored.blob(update, "clinic");
    await mirrored.settled();
    await copy.forget([update]);
    expect(await mirrored.blob(update, "clinic")).toEqual(bytesOf("update"));
    await mirrored.forget([update], "clinic");
    await expect(mirrored.blob(update, "clinic")).rejects.toThrow(BlobError);
    expect(asked).toEqual(["clinic", "clinic", "clinic"]);
  });

  it("goes on while the copy is written, and writes nothing more before it is, nor after that failed", async () => {
    const { store, put } = ownedStore();
    const copy = memoryStore();
    let finish!: (failure?: Error) => void;
    const slow: Store = {
      ...copy,
      putBlob: (bytes) =>
        new Promise((resolve, reject) => {
          finish = (failure) => (failure === undefined ? resolve(copy.putBlob(bytes)) : reject(failure));
        }),
    };
    const mirrored = mirroredStore(store, slow, none);
    const update = await put("clinic", "update");
    await mirrored.blob(update, "clinic");
    const close = mirrored.create("round-0001/close", bytesOf("close"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await store.read("round-0001/close")).toBeUndefined();
    finish();
    await close;
    expect(await copy.blob(update)).toEqual(bytesOf("update"));
    await mirrored.blob(await put("clinic", "other"), "clinic");
    finish(new Error("the disk is full"));
    await expect(mirrored.setHead(0, bytesOf("head"))).rejects.toThrow("the disk is full");
    expect(await store.head()).toBeUndefined();
    await expect(mirrored.settled()).rejects.toThrow("the disk is full");
  });
});
