import { expect, test } from "vitest";
import { retryAfterMs, withRetries } from "./retry.ts";

test("work is repeated while a pause is given, and ends with its result or its last failure", async () => {
  const failures: unknown[] = [];
  let attempts = 0;
  const work = async (): Promise<number> => {
    if (++attempts < 3) throw new Error(`failure ${attempts}`);
    return attempts;
  };
  const patience = (most: number) => (failure: unknown) => (failures.push(failure) > most ? undefined : 0);
  expect(await withRetries(work, patience(5))).toBe(3);
  expect(failures.map(String)).toEqual(["Error: failure 1", "Error: failure 2"]);
  attempts = 0;
  failures.length = 0;
  await expect(withRetries(work, patience(1))).rejects.toThrow("failure 2");
});

test("an abort ends the pause with the caller's reason", async () => {
  const stopping = new AbortController();
  const reason = new Error("enough");
  const work = withRetries(
    () => Promise.reject(new Error("busy")),
    () => {
      queueMicrotask(() => stopping.abort(reason));
      return 1e6;
    },
    stopping.signal,
  );
  await expect(work).rejects.toBe(reason);
  await expect(
    withRetries(
      async () => 1,
      () => 0,
      stopping.signal,
    ),
  ).rejects.toBe(reason);
});

test("Retry-After is seconds or a date", () => {
  expect(["0", "2", " 1.5 "].map(retryAfterMs)).toEqual([0, 2000, 1500]);
  expect(retryAfterMs("Thu, 01 Jan 1970 00:00:00 GMT")).toBe(0);
  expect(retryAfterMs(new Date(Date.now() + 3_600_000).toUTCString())).toBeGreaterThan(3_500_000);
  expect([null, "", "soon"].map(retryAfterMs)).toEqual([undefined, undefined, undefined]);
});
