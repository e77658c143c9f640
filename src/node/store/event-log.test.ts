import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunEvent } from "../../federation/events.ts";
import { memoryStore } from "../../store/memory-store.ts";
import { keys } from "../../federation/protocol/keys.ts";
import { PROTOCOL } from "../../federation/protocol/messages.ts";
import { encodeJson } from "../../store/codec.ts";
import { eventsThatHold } from "../../federation/resume.ts";
import { openEventLog } from "./event-log.ts";

let file: string;

beforeEach(async () => {
  file = path.join(await mkdtemp(path.join(tmpdir(), "log-")), "run", "events.jsonl");
});

afterEach(async () => {
  await rm(path.dirname(path.dirname(file)), { recursive: true });
});

const all = (): boolean => true;
const started = (round: number, client: string): RunEvent => ({ type: "client-start", round, client, steps: 2 });

async function write(events: readonly RunEvent[], holds: (event: RunEvent) => boolean = all): Promise<string> {
  const log = await openEventLog(file, holds);
  for (const event of events) log.emit(event);
  await log.flush();
  log.close();
  return readFile(file, "utf8");
}

describe("the event log", () => {
  it("is one JSON object a line, and an event it has is not written again", async () => {
    const one = await write([started(1, "ann"), started(1, "bob"), started(1, "ann")]);
    expect(one.split("\n").map((line) => line && (JSON.parse(line) as unknown))).toEqual([
      started(1, "ann"),
      started(1, "bob"),
      "",
    ]);
    expect(await write([started(1, "bob"), started(2, "ann")])).toBe(`${one}${JSON.stringify(started(2, "ann"))}\n`);
  });

  it("has a line for every resumption", async () => {
    const resumed: RunEvent = { type: "run-resume", afterRound: 1 };
    await write([resumed]);
    expect((await write([resumed])).split("\n")).toHaveLength(3);
  });

  it.each(['{"type":"client-st', '{"type":"client-start","round":9,"client":"torn","steps":', "\u0000\u0000"])(
    "drops a torn last line %j",
    async (torn) => {
      const whole = await write([started(1, "ann")]);
      await writeFile(file, whole + torn);
      expect(await write([started(1, "bob")])).toBe(`${whole}${JSON.stringify(started(1, "bob"))}\n`);
    },
  );

  it("ends a last line that lacks only its newline", async () => {
    const whole = await write([started(1, "ann")]);
    await writeFile(file, whole.trimEnd());
    expect(await write([started(1, "ann")])).toBe(whole);
  });

  it("names a damaged line in the middle, and leaves the file alone", async () => {
    const damaged = `${JSON.stringify(started(1, "ann"))}\nnot json\n${JSON.stringify(started(1, "bob"))}\n`;
    await write([]);
    await writeFile(file, damaged);
    await expect(openEventLog(file, all)).rejects.toMatchObject({
      kind: "storage",
      message: `${file}, line 2, is damaged: it is not JSON.`,
    });
    expect(await readFile(file, "utf8")).toBe(damaged);
  });

  it("removes what no longer holds, and leaves nothing beside itself", async () => {
    await write([started(1, "ann"), started(1, "bob"), started(2, "ann")]);
    const kept = await write([started(1, "bob")], (event) => "client" in event && event.client !== "bob");
    expect(
      kept
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([started(1, "ann"), started(2, "ann"), started(1, "bob")]);
    expect(await readdir(path.dirname(file))).toEqual(["events.jsonl"]);
  });

  it("reads and writes a long file", async () => {
    const events = Array.from({ length: 30_000 }, (_, i) => started(Math.floor(i / 100) + 1, `client ${i % 100}`));
    await write(events);
    expect((await write(events.slice(-100), (event) => "round" in event && event.round > 1)).split("\n")).toHaveLength(
      29_901,
    );
  });
});

it("what holds is what the exchange has, and what is not about unfinished work", async () => {
  const exchange = memoryStore();
  const head = { protocol: PROTOCOL, round: 1, adapter: "a".repeat(64), state: "b".repeat(64), identity: "" };
  await exchange.setHead(0, encodeJson(head));
  const opening = { round: 2, clients: ["Ann", "bob"], earlierRounds: [0, 0], learningRate: 1, adapter: head.adapter };
  await exchange.create(keys.opening(2), encodeJson({ ...opening, broadcast: null }));
  await exchange.create(keys.update(2, "Ann"), new Uint8Array());
  const holds = await eventsThatHold(exchange);
  const scored = {
    type: "evaluation-end",
    set: "common",
    records: 1,
    supervisedTokens: 1,
    count: 1,
    loss: 1,
    seconds: 1,
  } as const;
  const ended = { type: "round-end", accepted: [], refused: [], loss: 1, adapter: "", seconds: 1 } as const;
  expect(holds(started(1, "bob"))).toBe(true);
  expect(holds(started(2, "Ann"))).toBe(true);
  expect(holds(started(2, "bob"))).toBe(false);
  expect(holds({ ...scored, round: 0 })).toBe(true);
  expect(holds({ ...scored, round: 1 })).toBe(false);
  await exchange.create(keys.evaluation(1), new Uint8Array());
  expect((await eventsThatHold(exchange))({ ...scored, round: 1 })).toBe(true);
  expect(holds({ ...ended, round: 1 })).toBe(true);
  expect(holds({ ...ended, round: 2 })).toBe(false);
  expect(holds({ type: "run-resume", afterRound: 0 })).toBe(true);
});
