import { describe, expect, it } from "vitest";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { checkKey, keySegment } from "./store.ts";
import { memoryStore } from "./memory-store.ts";

describe("memory exchange", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const exchange = memoryStore();
      await run(async () => exchange);
    });
  }
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
