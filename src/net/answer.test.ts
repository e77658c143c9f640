import type { NatsConnection } from "@nats-io/nats-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { requestAnswer } from "./answer.ts";

/** A connection whose requests and pings are answered when the test says so. */
function heldConnection() {
  const answers: ((answer: unknown) => void)[] = [];
  const pongs: { readonly resolve: () => void; readonly reject: (why: Error) => void }[] = [];
  const connection = {
    request: () => new Promise((resolve) => answers.push(resolve)),
    flush: () => new Promise<void>((resolve, reject) => pongs.push({ resolve, reject })),
  } as unknown as NatsConnection;
  return { connection, answers, pongs };
}

const stateOf = (answer: Promise<unknown>): (() => string) => {
  let state = "waiting";
  answer.then(
    () => (state = "answered"),
    (error: unknown) => (state = error instanceof Error ? error.message : "failed"),
  );
  return () => state;
};

describe("an answer", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("that comes in time costs no ping", async () => {
    const { connection, answers, pongs } = heldConnection();
    const state = stateOf(requestAnswer(connection, "up.chunk", undefined, { timeout: 1000 }));
    answers[0]!({});
    await vi.runAllTimersAsync();
    expect([state(), pongs.length]).toEqual(["answered", 0]);
  });

  it("may take as long as the line does", async () => {
    const { connection, answers, pongs } = heldConnection();
    const state = stateOf(requestAnswer(connection, "up.chunk", new Uint8Array(9), { timeout: 1000 }));
    await vi.advanceTimersByTimeAsync(300_000);
    expect([state(), answers.length, pongs.length]).toEqual(["waiting", 1, 1]);
    answers[0]!({});
    await vi.advanceTimersByTimeAsync(0);
    expect(state()).toBe("answered");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is given up where the server answers a ping and not the request", async () => {
    const { connection, pongs } = heldConnection();
    const state = stateOf(requestAnswer(connection, "up.chunk", undefined, { timeout: 1000 }));
    await vi.advanceTimersByTimeAsync(999);
    expect(pongs).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    pongs[0]!.resolve();
    await vi.advanceTimersByTimeAsync(1999);
    expect(state()).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1);
    expect(state()).toBe("timeout");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is given up where the connection breaks off", async () => {
    const { connection, pongs } = heldConnection();
    const state = stateOf(requestAnswer(connection, "up.chunk", undefined, { timeout: 1000 }));
    await vi.advanceTimersByTimeAsync(1000);
    pongs[0]!.reject(new Error("disconnected"));
    await vi.advanceTimersByTimeAsync(0);
    expect(state()).toBe("disconnected");
  });
});
