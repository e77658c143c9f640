import { describe, expect, it } from "vitest";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { checkKey, keySegment } from "./store.ts";
import { cachedCells } from "./cached-cells.ts";
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
