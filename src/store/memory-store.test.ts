import { describe, expect, it } from "vitest";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { BlobError, checkKey, keySegment } from "./store.ts";
import { cachedCells } from "./cached-cells.ts";
import { withLastBlob } from "./last-blob.ts";
import { memoryStore } from "./memory-store.ts";

describe("memory store", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const store = memoryStore();
      await run(async () => store);
    });
  }
});

describe("memory store with cached cells", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const store = memoryStore();
      await run(async () => cachedCells(store));
    });
  }
});

describe("memory store whose last blob is kept", () => {
  it("reads a blob again only after another one", async () => {
    const store = memoryStore();
    const asked: string[] = [];
    const last = withLastBlob({
      ...store,
      blob(hash) {
        asked.push(hash);
        return store.blob(hash);
      },
    });
    const [a, b] = [await last.putBlob(new Uint8Array([1])), await last.putBlob(new Uint8Array([2]))];
    // A reader that changes what it got changes nothing for the next.
    (await last.blob(a)).fill(9);
    expect(await last.blob(a)).toEqual(new Uint8Array([1]));
    expect(await last.blob(b)).toEqual(new Uint8Array([2]));
    expect(await Promise.all([last.blob(b), last.blob(a), last.blob(b)])).toHaveLength(3);
    expect(asked.slice(0, 2)).toEqual([a, b]);
    await expect(last.blob("0".repeat(64))).rejects.toThrow(BlobError);
  });
});

it("cells that are not to be kept are read anew", async () => {
  const [store, later] = [memoryStore(), memoryStore()];
  let now = store;
  const cached = cachedCells({ ...store, read: (key: string) => now.read(key) }, (key) => key.startsWith("r/"));
  for (const key of ["r/a", "own"]) await cached.create(key, new Uint8Array(1));
  // A server that lost its disk.
  now = later;
  expect(await cached.read("r/a")).toEqual(new Uint8Array(1));
  expect(await cached.read("own")).toBeUndefined();
});

describe("a watch", () => {
  it("does not wake for a cell elsewhere, nor for one that it knows", async () => {
    const store = memoryStore();
    const bytes = new Uint8Array(1);
    await store.create("r/a", bytes);
    const watch = await store.watch("r/");
    await store.create("other/b", bytes);
    await store.create("r/a", bytes);
    let woken = false;
    const waiting = watch.next().then(() => (woken = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(woken).toBe(false);
    await store.create("r/b", bytes);
    await waiting;
  });
});

describe("a name as a key segment", () => {
  it("is legal, and different for different names", () => {
    const names = ["client-1", "Alice", "alice", "Zürich/1", "..", "a.b", "=41", "%41", "用户", "😀"];
    const segments = names.map(keySegment);
    for (const segment of segments) checkKey(segment);
    expect(new Set(segments).size).toBe(names.length);
    expect(segments[0]).toBe("client-1");
    expect(segments[3]).toBe("=5a=c3=bcrich=2f1");
  });
});
