import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../federation/events.ts";
import { LiveArea } from "./live-area.ts";
import { liveView } from "./live-view.ts";
import { type Output, plainStyle } from "../output.ts";
import { jsonView, PlainLines } from "./plain-view.ts";
import { roundHeading, roundRow } from "./round-row.ts";
import type { RunFacts } from "./run-facts.ts";
import { liveLines, runHeading } from "./run-frame.ts";
import { RunProgress } from "./run-progress.ts";
import { textWidth } from "./text-width.ts";

const FACTS: RunFacts = {
  model: "npm:tiny",
  architecture: "llama, 2 layers of 64",
  adapter: "LoRA rank 8 on q_proj",
  folder: "runs/tiny",
  maxLength: 64,
  evaluateEvery: 1,
  prompts: 1,
  measuresAccuracy: false,
};
const CLIENTS = ["bank", "市役所"];

function evaluation(round: number, losses: readonly number[]): RunEvent[] {
  return losses.map((loss, i) => ({
    type: "evaluation-end",
    round,
    set: CLIENTS[i]!,
    records: 4,
    supervisedTokens: 100 * (i + 1),
    count: 100 * (i + 1),
    loss,
    seconds: 1,
  }));
}

function training(round: number, client: string, { refused = false } = {}): RunEvent[] {
  const step = {
    records: [],
    count: 50,
    metrics: {},
    learningRate: 1e-3,
    gradientNorm: 1,
    supervisedTokens: 50,
    seconds: 0.5,
  };
  return [
    { type: "client-start", round, client, steps: 2 },
    { type: "client-step", round, client, step: 1, loss: 3, ...step },
    { type: "client-step", round, client, step: 2, loss: 2, ...step },
    ...(refused
      ? []
      : [
          {
            type: "client-update",
            round,
            client,
            loss: 2.5,
            count: 100,
            metrics: {},
            steps: 2,
            examples: 8,
            supervisedTokens: 100,
            bytesDown: 9,
            bytesUp: 9,
            seconds: 1,
            update: "u",
          } as const,
        ]),
  ];
}

const START: RunEvent[] = [
  { type: "data-report", client: "bank", records: 8, truncated: 2, dropped: 1, tokens: 90, supervisedTokens: 60 },
  {
    type: "run-start",
    algorithm: "fedavg",
    rounds: 2,
    adapterParameters: 1024,
    clients: CLIENTS.map((name) => ({ name, records: 8, heldOut: 4 })),
  },
];
const ROUND_1: RunEvent[] = [
  { type: "round-start", round: 1, clients: CLIENTS, learningRate: 2e-3, adapter: "a" },
  ...CLIENTS.flatMap((client) => training(1, client)),
  { type: "round-end", round: 1, accepted: CLIENTS, refused: [], loss: 2.5, adapter: "b", seconds: 31 },
];
const ROUND_2: RunEvent[] = [
  { type: "round-start", round: 2, clients: CLIENTS, learningRate: 1e-3, adapter: "b" },
  ...training(2, "bank", { refused: true }),
  ...training(2, "市役所"),
  { type: "client-refused", round: 2, client: "bank", reason: "the loss of step 2 is NaN" },
  { type: "round-end", round: 2, accepted: ["市役所"], refused: ["bank"], loss: 2, adapter: "c", seconds: 30 },
];
const EARLY: RunEvent = {
  type: "early-stop",
  round: 2,
  metric: "macroF1",
  patience: 2,
  minDelta: 0.01,
  bestRound: 0,
  bestValue: 0.25,
};
const END: RunEvent = { type: "run-end", rounds: 2, adapter: "c", seconds: 70 };
const RUN: RunEvent[] = [
  ...START,
  ...evaluation(0, [4, 3.4]),
  ...ROUND_1,
  ...evaluation(1, [3, 3]),
  ...ROUND_2,
  ...evaluation(2, [2, 3.6]),
  END,
];

function progressAfter(events: readonly RunEvent[]): RunProgress {
  const progress = new RunProgress(FACTS);
  for (const event of events) progress.apply(event);
  return progress;
}

describe("a run as plain lines", () => {
  it("has one line for the start, each evaluation, each round and the end", () => {
    const lines = new PlainLines(FACTS);
    expect(RUN.flatMap((event) => lines.apply(event))).toEqual([
      "start: npm:tiny, 2 clients (bank, 市役所), 2 rounds of fedavg, LoRA rank 8 on q_proj, in runs/tiny",
      "data: 2 of 8 records cut to 64 tokens, 1 left out: the answer starts later (bank)",
      "evaluation before training: held-out loss 3.600: bank 4.000, 市役所 3.400",
      "round 1/2: train loss 2.500, 2 clients, lr 2.0e-3, 31s",
      "evaluation after round 1: held-out loss 3.000 (-16.7%): bank 3.000, 市役所 3.000",
      "round 2 leaves out bank: the loss of step 2 is NaN",
      "round 2/2: train loss 2.000, 1 client, lr 1.0e-3, 30s",
      "evaluation after round 2: held-out loss 3.067 (+2.2%): bank 2.000, 市役所 3.600",
      "end: 2 rounds, 1m 10s",
    ]);
  });

  it("says why it stops early", () => {
    const lines = new PlainLines(FACTS);
    const told = [...RUN.slice(0, -1), EARLY, END].flatMap((event) => lines.apply(event));
    expect(told.slice(-2)).toEqual([
      "stopping after round 2: held-out macro F1 has not improved by more than 0.01 in 2 evaluations; best 25.0%, before training",
      "end: 2 rounds, 1m 10s",
    ]);
    const [chosen] = lines.apply({ ...EARLY, metric: "loss", chosenOn: "validation" });
    expect(chosen).toMatch(/^stopping after round 2: validation loss has not improved/);
  });

  it("says who comes and goes, and what a site withholds after its evaluation", () => {
    const lines = new PlainLines(FACTS);
    const told = (event: RunEvent): string[] => lines.apply(event);
    expect(told({ type: "client-declined", client: "dee\n", reason: "no\tGPU" })).toEqual([
      "dee does not take part: no GPU",
    ]);
    expect(told({ type: "client-joined", round: 3, client: "eve", records: 1, heldOut: 0 })).toEqual([
      "eve joins with round 3, 1 record",
    ]);
    expect(told({ type: "client-left", round: 4, client: "bob" })).toEqual(["bob is no member from round 4 on"]);
    for (const event of evaluation(0, [2, 4])) lines.apply(event);
    expect(told({ type: "evaluation-withheld", round: 0, set: "dee", reason: "few records" })).toEqual([
      expect.stringMatching(/^evaluation before training: held-out loss 3\.333/),
      "dee: the score is withheld, few records",
    ]);
    expect(told({ type: "evaluation-withheld", round: 0, set: "dee", client: "ann", reason: "few" })).toEqual([
      "dee: the score of the adapter of ann is withheld, few",
    ]);
  });

  it("takes control characters out of names", () => {
    const lines = new PlainLines({ ...FACTS, model: "m\u001b[2J\nodel" });
    expect(lines.apply(START[1]!).join("")).toContain("start: m odel,");
  });

  it("says where nothing was left to do", () => {
    const lines = new PlainLines(FACTS);
    expect([...START.slice(1), END].flatMap((event) => lines.apply(event)).at(-1)).toBe(
      "end: all 2 rounds were already done",
    );
  });
});

describe("a run on a terminal", () => {
  const frame = { columns: 100, style: plainStyle, elapsedMs: 2400 };

  it("gives each round as one row once its evaluation is in", () => {
    const progress = new RunProgress(FACTS);
    const rows = RUN.map((event) => progress.apply(event)).filter((round) => round !== undefined);
    expect([roundHeading(plainStyle), ...rows.map((round) => roundRow(round, 2, plainStyle))]).toEqual([
      "   round       lr  clients   train  held-out           time",
      "  before                               3.600",
      "     1/2   2.0e-3        2   2.500     3.000  -16.7%    31s",
      "     2/2   1.0e-3      1/2   2.000     3.067   +2.2%    30s",
    ]);
  });

  it("shows the accuracy of held-out records where there is one", () => {
    const scored = evaluation(0, [0.7, 0.7]).map((event) => ({ ...event, metrics: { accuracy: 0.5, margin: 0 } }));
    const before = progressAfter([...START, ...(scored as RunEvent[])]).takePending()!;
    expect([roundHeading(plainStyle, true), roundRow(before, 2, plainStyle, true)]).toEqual([
      "   round       lr  clients   train  held-out          accuracy   time",
      "  before                               0.700             50.0%",
    ]);
  });

  it("shows the step, the pace and the time left", () => {
    const during = [...START, ...evaluation(0, [4, 4]), ...ROUND_1.slice(0, 4)];
    // Two steps of round 1 and four of round 2 at 0.5 s, and two evaluations at 2 s.
    expect(progressAfter(during).secondsLeft).toBe(1 + 2 + 4);
    const [line] = liveLines(progressAfter(during), FACTS, frame);
    expect(line).toBe(
      `     1/2 ${"━".repeat(13)}╸${"─".repeat(13)}  bank    1 of 2  step 2/2  loss 2.000    100 tok/s  ETA 7.0s`,
    );
    expect(textWidth(line!)).toBeLessThanOrEqual(frame.columns);
  });

  it("counts the benchmarks of a round with its evaluation in the time left", () => {
    const asked = (seconds: number): RunEvent => {
      return { type: "benchmark-end", round: 0, benchmark: "gsm8k", questions: 9, metrics: {}, seconds };
    };
    const during = [...START, ...evaluation(0, [4, 4]), asked(3), asked(5), ...ROUND_1.slice(0, 4)];
    expect(progressAfter(during).secondsLeft).toBe(1 + 2 + 4 + 2 * 8);
  });

  it("fits any width from 60 columns, with the client's name and the loss", () => {
    const during = progressAfter([...START, ...evaluation(0, [4, 4]), ...ROUND_1.slice(0, 4)]);
    for (let columns = 60; columns <= 160; columns += 7) {
      const lines = liveLines(during, FACTS, { ...frame, columns });
      expect(lines).toHaveLength(1);
      expect(textWidth(lines[0]!)).toBeLessThanOrEqual(columns);
      expect(lines[0]).toMatch(/1\/2 .*bank.*loss 2\.000.*ETA/);
      for (const line of runHeading(FACTS, during, { columns, style: plainStyle }))
        expect(textWidth(line)).toBeLessThanOrEqual(columns);
    }
  });

  it("counts the clients that were done before a restart", () => {
    const resumed = progressAfter([
      ...START,
      { type: "run-resume", afterRound: 0 },
      ROUND_1[0]!,
      ...training(1, "市役所").slice(0, 2),
    ]);
    expect(resumed.roundFraction).toBe(0.75);
  });

  it("says what is done between rounds and after the last", () => {
    expect(liveLines(progressAfter(START), FACTS, frame)).toEqual(["⠋ evaluating held-out records 2s"]);
    expect(liveLines(progressAfter([...START, ...ROUND_1]), FACTS, frame)).toEqual([
      "     1/2   2.0e-3        2   2.500                      31s",
      "⠋ evaluating held-out records 2s",
    ]);
    expect(liveLines(progressAfter(RUN), FACTS, frame)).toEqual(["⠋ answering 1 prompt, before and after 2s"]);
    expect(liveLines(progressAfter(RUN), { ...FACTS, prompts: 0 }, frame)).toEqual([]);
  });

  it("leaves the terminal as a replay of what it wrote shows", () => {
    const { output, screen, written } = fakeTerminal(80);
    const view = liveView(output, new LiveArea(output));
    view.begin(FACTS);
    for (const event of RUN) view.event(event);
    view.note("stopping after this step…");
    view.close();
    view.close();
    expect(screen()).toEqual([
      "  model    npm:tiny  llama, 2 layers of 64",
      "  adapter  1,024 parameters, LoRA rank 8 on q_proj",
      "  clients  2  bank, 市役所",
      "  rounds   2  fedavg",
      "  folder   runs/tiny",
      "",
      "  2 of 8 records cut to 64 tokens, 1 left out: the answer starts later (bank)",
      "   round       lr  clients   train  held-out           time",
      "  before                               3.600",
      "     1/2   2.0e-3        2   2.500     3.000  -16.7%    31s",
      "  round 2 leaves out bank: the loss of step 2 is NaN",
      "     2/2   1.0e-3      1/2   2.000     3.067   +2.2%    30s",
      "  stopping after this step…",
      "",
    ]);
    expect(written().split("\u001b[?25l")).toHaveLength(2);
    expect(written().split("\u001b[?25h")).toHaveLength(2);
    expect(written().endsWith("\u001b[?25h")).toBe(true);
  });
});

describe("a run as JSON", () => {
  it("writes every event as one line, notes elsewhere", () => {
    const data = fakeTerminal(80);
    const notes = fakeTerminal(80);
    const view = jsonView(data.output, notes.output);
    view.begin(FACTS);
    for (const event of RUN) view.event(event);
    view.note("stopping");
    expect(
      data
        .written()
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(RUN);
    expect(notes.written()).toBe("stopping\n");
  });
});

/** A terminal that knows line feeds, cursor up and clear below. */
function fakeTerminal(columns: number): { output: Output; screen: () => string[]; written: () => string } {
  let text = "";
  const output: Output = {
    write: (more) => void (text += more),
    style: plainStyle,
    live: true,
    columns: () => columns,
  };
  const screen = (): string[] => {
    const lines = [""];
    let row = 0;
    // oxlint-disable-next-line no-control-regex
    for (const [token, up] of text.matchAll(/\u001b\[(\d+)A\r\u001b\[J|\u001b\[\?25[lh]|\n|[^\n\u001b]+/g)) {
      if (token === "\n") {
        row++;
        lines[row] ??= "";
      } else if (up !== undefined) {
        row -= Number(up);
        lines.length = row + 1;
        lines[row] = "";
      } else if (!token.startsWith("\u001b")) {
        lines[row] += token;
      }
    }
    return lines;
  };
  return { output, screen, written: () => text };
}
