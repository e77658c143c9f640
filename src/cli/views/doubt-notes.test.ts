import { describe, expect, it } from "vitest";
import type { Prepared } from "../../experiment/prepare.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { parseExperiment } from "../../settings/parse.ts";
import { doubtsAfter, doubtsBefore } from "./doubt-notes.ts";
import { writeSummary } from "../work/training.ts";
import { plainStyle } from "../output.ts";

const scored = (set: string, before: number, after: number, count: number) => ({
  set,
  records: 4,
  supervisedTokens: count,
  count,
  before,
  after,
  metrics: {},
});

const fresh = { model: { base: "m" } };

describe("notes after a run", () => {
  it("say that the held-out loss rose over all sets, weighted as the table weighs them", () => {
    expect(doubtsAfter({ heldOut: [scored("a", 3, 3.5, 300), scored("b", 4, 3, 100)] }, fresh)).toEqual([
      expect.stringMatching(/^note: Held-out loss rose from 3\.250 before training to 3\.375 at the end \(\+3\.8%\): /),
    ]);
    expect(doubtsAfter({ heldOut: [scored("a", 3, 3.5, 100), scored("b", 4, 3, 300)] }, fresh)).toEqual([]);
    expect(doubtsAfter({ heldOut: [] }, fresh)).toEqual([]);
  });

  it("come with the summary, on the other stream", () => {
    let [out, notes] = ["", ""];
    const to = (write: (text: string) => void) => ({ write, style: plainStyle, live: false, columns: () => 80 });
    const summary: RunSummary = {
      rounds: 1,
      adapter: "abc",
      heldOut: [scored("a", 3, 3.5, 1)],
      answers: [],
      supervisedTokens: 1,
      bytesUp: 1,
      bytesDown: 1,
      seconds: 1,
    };
    const config = parseExperiment({ model: { base: "m" }, data: { clients: [{ name: "a", train: "a.jsonl" }] } }, "x");
    const context = { stdout: to((text) => (out += text)), stderr: to((text) => (notes += text)) };
    writeSummary(summary, { config, baseDir: ".", folder: "runs/none", json: true }, context);
    expect(JSON.parse(out)).toMatchObject({ type: "summary", adapter: "abc" });
    expect(notes).toMatch(/^note: Held-out loss rose from 3\.000 .*\n$/);
  });
});

describe("notes before a run", () => {
  const before = (clients: Readonly<Record<string, number>>, settings: object): string[] => {
    const config = parseExperiment(
      { model: { base: "m" }, data: { clients: [{ name: "a", train: "a.jsonl" }] }, ...settings },
      "x",
    );
    const all = Object.entries(clients).map(([name, length]) => ({ name, train: Array.from({ length }) }));
    const { algorithm } = config.federation;
    const pooled = { name: "everyone", train: all.flatMap(({ train }) => train) };
    const trainers = algorithm === "centralized" ? [pooled] : all;
    return doubtsBefore({ config, trainers, clients: all } as unknown as Prepared);
  };
  const training = { batchSize: 2, gradientAccumulation: 2, localSteps: 5 };

  it("count passes over the rounds that a client is drawn for", () => {
    // 20 records a round; ten rounds of half the clients are five.
    const federation = { rounds: 10, clientsPerRound: 1 };
    expect(before({ a: 20, b: 19 }, { training, federation })).toEqual([
      "note: b goes 5.3 times through its 19 records in this run and may learn them by heart; a lower training.localSteps or federation.rounds makes fewer passes.",
    ]);
  });

  it("count the passes of a pooled baseline as it trains: with the steps of all clients", () => {
    const federation = { algorithm: "centralized", rounds: 5 };
    expect(before({ a: 20, b: 20 }, { training, federation })).toEqual([]);
    expect(before({ a: 20, b: 19 }, { training, federation })).toEqual([
      expect.stringMatching(/^note: everyone goes 5\.1 times through its 39 records/),
    ]);
  });

  it("are a few lines for many clients, without what steers a terminal", () => {
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`c\u001b[2J${i}`, 1]));
    const notes = before(many, { training, federation: { rounds: 10 } });
    expect(notes).toHaveLength(9);
    expect(notes.at(-1)).toBe("note: and so do 3 more clients");
    expect(notes.join("")).not.toContain("\u001b");
  });
});
