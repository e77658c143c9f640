import { describe, expect, it } from "vitest";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { memoryStore } from "./memory-store.ts";
import { recentBlobs } from "./recent-blobs.ts";

describe("a store with recent blobs", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const store = memoryStore();
      await run(async () => recentBlobs(store, 1e6));
    });
  }

  it("keeps the latest blobs within its bytes, of each owner", async () => {
    const inner = memoryStore();
    const asked: string[] = [];
    const counted = {
      ...inner,
      blob(hash: string, owner?: string) {
        asked.push(`${hash.slice(0, 4)} ${owner ?? "own"}`);
        return inner.blob(hash);
      },
    };
    const store = recentBlobs(counted, 20);
    const [a, b, large] = [10, 10, 21].map((length, i) => new Uint8Array(length).fill(i + 1)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const [hashA, hashB, hashLarge] = [await store.putBlob(a), await store.putBlob(b), await store.putBlob(large)];
    a.fill(0);
    expect(await store.blob(hashA)).toEqual(new Uint8Array(10).fill(1));
    expect(asked).toEqual([]);
    expect(await store.blob(hashLarge)).toEqual(large);
    // Another owner's is another blob, and takes the place of the oldest.
    await store.blob(hashB, "clinic");
    await store.blob(hashB, "clinic");
    await store.blob(hashA);
    expect(asked).toEqual([`${hashLarge.slice(0, 4)} own`, `${hashB.slice(0, 4)} clinic`, `${hashA.slice(0, 4)} own`]);
  });
});
