import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sendBlob } from "./blob-transfer.ts";
import { CHUNK_BYTES } from "./layout.ts";

/** Sends 40 chunks over a line that takes `chunkMs` for each, one after the other. Returns how many were on their way at once. */
async function crowdOf(chunkMs: number, window?: number): Promise<number[]> {
  const crowd: number[] = [];
  let queued = 0;
  const sent = sendBlob(
    new Uint8Array(40 * CHUNK_BYTES),
    "hash",
    new Set(),
    async (part) => {
      if (part !== "size") crowd.push(++queued);
      await new Promise((resolve) => setTimeout(resolve, queued * chunkMs));
      queued--;
    },
    { window },
  );
  await vi.runAllTimersAsync();
  await sent;
  expect(crowd).toHaveLength(40);
  return crowd;
}

describe("chunks on their way", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are eight over a fast line, after few to begin with, and no more than the limit", async () => {
    const crowd = await crowdOf(10);
    expect(crowd.slice(0, 2)).toEqual([1, 2]);
    expect(Math.max(...crowd)).toBe(8);
    expect(Math.max(...crowd.slice(0, 4))).toBeLessThan(5);
    expect(Math.max(...(await crowdOf(10, 3)))).toBe(3);
  });

  it("are few over a line of 1 Mbit/s, and one over a slower one", async () => {
    expect(Math.max(...(await crowdOf(4200)))).toBe(2);
    expect(Math.max(...(await crowdOf(30_000)).slice(3))).toBe(1);
  });
});
