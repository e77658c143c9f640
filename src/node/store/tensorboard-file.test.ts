import { mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { curvesOf } from "../../../test/support/tensorboard.ts";
import type { RunEvent } from "../../federation/events.ts";
import { crc32c } from "./crc32c.ts";
import { openTensorBoardFile } from "./tensorboard-file.ts";

describe("CRC-32C", () => {
  // RFC 3720, appendix B.4.
  it.each([
    ["32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(255), 0x62a8ab43],
    ["0 to 31", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["31 to 0", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["nothing", new Uint8Array(0), 0],
  ])("of %s", (_title, bytes, expected) => expect(crc32c(bytes)).toBe(expected));
});

const started = (round: number): RunEvent => ({
  type: "round-start",
  round,
  clients: ["ann"],
  learningRate: 0.5,
  adapter: "",
});
const ended = (round: number, loss: number, seconds: number): RunEvent => ({
  type: "round-end",
  round,
  accepted: ["ann"],
  refused: [],
  loss,
  adapter: "",
  seconds,
});

function newRun() {
  const run = mkdtempSync(path.join(tmpdir(), "board-"));
  const began = path.join(run, "config.json");
  writeFileSync(began, "{}");
  utimesSync(began, 1_700_000_000, 1_700_000_000);
  const write = async (replayed: readonly RunEvent[], live: readonly RunEvent[] = []): Promise<Buffer> => {
    const board = await openTensorBoardFile(path.join(run, "tensorboard"), began);
    for (const event of replayed) board.write(event);
    board.publish();
    for (const event of live) board.write(event);
    board.close();
    return readFileSync(path.join(run, "tensorboard", readdirSync(path.join(run, "tensorboard"))[0]!));
  };
  return { run, began, write };
}

describe("the event file", () => {
  const events = [started(1), ended(1, 3.5, 20), started(2), ended(2, 2.25, 10)];

  it("has the same bytes whether events came from the log or as they happened", async () => {
    const all = [0, 1, 2, 3, 4].map(async (replayed) =>
      newRun().write(events.slice(0, replayed), events.slice(replayed)),
    );
    const [first, ...others] = await Promise.all(all);
    for (const other of others) expect(other.equals(first!)).toBe(true);
  });

  it("begins when the run began, and goes on by the seconds of the work", async () => {
    const { run, began, write } = newRun();
    await write(events);
    utimesSync(began, 1_800_000_000, 1_800_000_000);
    // Its name is what counts from then on.
    await write(events, [started(3)]);
    expect(readdirSync(path.join(run, "tensorboard"))).toEqual(["events.out.tfevents.1700000000.openfedllm"]);
    expect(curvesOf(run).get("train/loss")).toEqual([
      { wallTime: 1_700_000_020, step: 1, value: 3.5 },
      { wallTime: 1_700_000_030, step: 2, value: 2.25 },
    ]);
    expect(
      curvesOf(run)
        .get("train/learningRate")!
        .map(({ step }) => step),
    ).toEqual([1, 2, 3]);
  });

  it("is whole while it is being written, and keeps what was there until the new one is", async () => {
    const { run, began, write } = newRun();
    await write(events);
    const board = await openTensorBoardFile(path.join(run, "tensorboard"), began);
    board.write(started(1));
    const names = readdirSync(path.join(run, "tensorboard")).filter((name) => name.includes("tfevents"));
    expect(names).toHaveLength(1);
    board.close();
    expect(curvesOf(run).get("train/loss")).toHaveLength(2);
    const again = await openTensorBoardFile(path.join(run, "tensorboard"), began);
    again.publish();
    again.write(started(1));
    expect(curvesOf(run).get("train/learningRate")).toHaveLength(1);
    again.close();
  });

  it("has NaN where a log has null", async () => {
    const { run, write } = newRun();
    const nan = ended(1, Number.NaN, 1);
    const live = await write([], [nan]);
    expect(curvesOf(run).get("train/loss")![0]!.value).toBeNaN();
    expect((await newRun().write([JSON.parse(JSON.stringify(nan)) as RunEvent])).equals(live)).toBe(true);
  });

  it("takes any name a client may have", async () => {
    const { run, write } = newRun();
    const update = { round: 1, client: "Zürich/北 \u{1f600}", loss: 1, count: 1, metrics: {}, steps: 1, examples: 1 };
    await write([
      { type: "client-update", ...update, supervisedTokens: 1, bytesDown: 1, bytesUp: 1, seconds: 1, update: "" },
    ]);
    expect([...curvesOf(run).keys()]).toContain("train/loss/Zürich/北 \u{1f600}");
  });
});
