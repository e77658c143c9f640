import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sendBlob } from "./blob-transfer.ts";
import { CHUNK_BYTES } from "./layout.ts";

/**
 * Sends 40 chunks over a line that carries one at a time. Returns how many were on their way, at the start of each.
 *
 * @param chunkMs time of the line for a chunk, milliseconds.
 */
async function crowdOf(chunkMs: (i: number) => number, window?: number): Promise<number[]> {
  const crowd: number[] = [];
  let onTheirWay = 0;
  let lineFree = performance.now();
  const send = async (part: number | "size"): Promise<void> => {
    if (part === "size") return;
    crowd.push(++onTheirWay);
    lineFree = Math.max(lineFree, performance.now()) + chunkMs(part);
    await new Promise((resolve) => setTimeout(resolve, lineFree - performance.now()));
    onTheirWay--;
  };
  const sent = sendBlob(new Uint8Array(40 * CHUNK_BYTES), "hash", new Set(), send, { window });
  await vi.runAllTimersAsync();
  await sent;
  expect(crowd).toHaveLength(40);
  return crowd;
}

describe("chunks on their way", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("are eight over a fast line, after one to begin with, and no more than the limit", async () => {
    const crowd = await crowdOf(() => 10);
    expect(crowd.slice(0, 3)).toEqual([1, 1, 2]);
    expect(Math.max(...crowd)).toBe(8);
    expect(Math.max(...(await crowdOf(() => 10, 3)))).toBe(3);
  });

  it("are three over a line of 4 Mbit/s, and one over a line of 1 Mbit/s or less", async () => {
    expect(Math.max(...(await crowdOf(() => 1050)))).toBe(3);
    expect(Math.max(...(await crowdOf(() => 4200)))).toBe(1);
    expect(Math.max(...(await crowdOf(() => 30_000)))).toBe(1);
  });

  it("become fewer over a line that becomes slow", async () => {
    const crowd = await crowdOf((i) => (i < 20 ? 10 : 4200));
    expect(Math.max(...crowd.slice(0, 20))).toBe(8);
    expect(Math.max(...crowd.slice(-10))).toBeLessThan(4);
  });
});
