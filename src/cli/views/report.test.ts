import { describe, expect, it } from "vitest";
import { EXIT_CODES, UserError } from "../../diagnostics/user-error.ts";
import { parseExperiment } from "../../settings/parse.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { describeFailure, withoutSecrets } from "../failure.ts";
import { outputTo, plainStyle, type Style, wantsColour } from "../output.ts";
import { partitionLines } from "./partition-picture.ts";
import { heldOutTable, reportLines } from "./report.ts";
import { settingSections } from "../schema-reference.ts";
import { textWidth } from "./text-width.ts";

const markup: Style = (format, text) => `<${String(format)}>${text}</>`;
const plain = { style: plainStyle, debug: false };

describe("the end of a run", () => {
  const summary: RunSummary = {
    rounds: 2,
    adapter: "abc",
    heldOut: [
      { set: "bank", records: 4, supervisedTokens: 100, count: 100, before: 4, after: 2, metrics: {} },
      { set: "市役所", records: 12, supervisedTokens: 300, count: 300, before: 3, after: 3.3, metrics: {} },
    ],
    answers: [{ prompt: "What's up?", before: "", after: "Not\u001b[2J much." }],
    supervisedTokens: 1234,
    bytesUp: 3_400_000,
    bytesDown: 3_500_000,
    seconds: 70,
  };
  const config = parseExperiment(
    {
      model: { base: "../models/tiny" },
      data: { clients: [{ name: "bank", train: "a.jsonl", heldOut: "b.jsonl" }], template: "alpaca" },
    },
    "tiny.yaml",
  );

  it("tells how early it stopped and which round was best, of each client where each has an adapter", () => {
    const options = { config, baseDir: "examples", folder: "runs/my", columns: 80, style: plainStyle };
    const best = {
      metric: "loss",
      over: "clients",
      chosenOn: "reported",
      round: 1,
      value: 2.5,
      adapter: "best",
    } as const;
    const lines = (more: object): string => reportLines({ ...summary, ...more }, options).join("\n");
    expect(lines({ best, plannedRounds: 9 })).toContain(
      "adapter     runs/my/adapter\nbest        runs/my/best\n            round 1: held-out loss 2.500, mean over the clients\ntotal       2 rounds of 9, ",
    );
    const clientBests = {
      bank: { ...best, adapter: "best/bank" },
      mill: { metric: "accuracy", over: "common", chosenOn: "validation", round: 0, value: 0.5, adapter: "best/mill" },
    };
    expect(lines({ clientBests })).toContain(
      "best        runs/my/best\n            bank, round 1: held-out loss 2.500, own set\n            mill, the base: validation accuracy 50.0%, on the common set\n",
    );
  });

  it("shows losses before and after, answers, and what to type next", () => {
    const lines = reportLines(
      { ...summary },
      { config, baseDir: "examples", folder: "runs/my run", columns: 60, style: plainStyle },
    );
    expect(lines).toEqual([
      "held-out loss  records  before  after  change",
      "bank                 4   4.000  2.000  -50.0%  ━━━━━━──────",
      "市役所              12   3.000  3.300  +10.0%  ━━━━━━━━━━━━",
      "all                 16   3.250  2.975   -8.5%  ━━━━━━━━━━╸─",
      "",
      "prompt   What's up?",
      "before   (nothing)",
      "after    Not much.",
      "",
      "run folder  runs/my run",
      "adapter     runs/my run/adapter",
      "total       2 rounds, 1,234 tokens trained on, 3.4 MB up and",
      "            3.5 MB down, 1m 10s",
      "",
      "Next",
      "  npx openfedllm generate 'runs/my run' \\",
      "    --prompt 'What can you help me with?'",
      "  npx openfedllm score 'runs/my run' \\",
      "    --data examples/b.jsonl",
    ]);
  });

  it("names the page to sign after a private run", () => {
    const options = { config, baseDir: "examples", folder: "runs/my", columns: 80, style: plainStyle };
    const command = "  npx openfedllm privacy report runs/my";
    const settings = { model: { base: "tiny" }, data: { train: "a.jsonl" }, federation: { clients: 2 } };
    const named = ["client", "record"].map((unit) => {
      const privacy = { [unit]: { epsilon: 8 } };
      const asPrivate = parseExperiment({ ...settings, privacy }, "private.yaml");
      return reportLines({ ...summary }, { ...options, config: asPrivate }).at(-1);
    });
    expect(named).toEqual([command, command]);
    const hidden = {
      ...options,
      config: parseExperiment({ ...settings, privacy: { record: { epsilon: 8 } } }, "p.yaml"),
    };
    expect(reportLines({ ...summary, heldOut: [] }, hidden)[0]).not.toContain("no records are held out");
    expect(reportLines({ ...summary }, options)).not.toContain(command);
  });

  it("shows the accuracy by set and over all of them, each record counting alike", () => {
    const accuracies = [
      { before: 0.25, after: 1 },
      { before: 0.5, after: 0.75 },
    ];
    const heldOut = summary.heldOut.map((each, i) => ({
      ...each,
      metrics: { accuracy: accuracies[i]!, macroF1: { before: 0.2, after: 0.9 } },
    }));
    const options = { config, baseDir: "examples", folder: "runs/my", columns: 60, style: plainStyle };
    const table = (results: RunSummary["heldOut"]): string[] => {
      const lines = reportLines({ ...summary, heldOut: results, answers: [] }, options);
      return lines.slice(
        lines.indexOf("") + 1,
        lines.findIndex((line) => line.startsWith("run folder")),
      );
    };
    expect(table(heldOut)).toEqual([
      "held-out accuracy  records  before   after",
      "bank                     4   25.0%  100.0%  ━━━━━━━━━━━━",
      "市役所                  12   50.0%   75.0%  ━━━━━━━━━───",
      "all                     16   43.8%   81.3%  ━━━━━━━━━╸──",
      "",
      "on held-out records  before  after",
      "macro F1              20.0%  90.0%",
      "",
    ]);
    expect(table(heldOut.slice(0, 1))).toEqual([
      "on held-out records  before   after",
      "accuracy              25.0%  100.0%",
      "macro F1              20.0%   90.0%",
      "",
    ]);
  });

  it("colours a fall green and a rise red", () => {
    const [, bank, cityhall] = heldOutTable(summary.heldOut, markup);
    expect(bank).toContain("<green>-50.0%</>");
    expect(cityhall).toContain("<red>+10.0%</>");
  });

  it("shows a set without a score as withheld, with the reason, and leaves it out of the mean", () => {
    const [withheld] = [[{ set: "dee", reason: "fewer than 5 held-out records" }]];
    const lines = heldOutTable(summary.heldOut, plainStyle, withheld);
    expect(lines).toEqual([
      ...heldOutTable(summary.heldOut, plainStyle).slice(0, 3),
      expect.stringMatching(/^dee +withheld: fewer than 5 held-out records$/),
      expect.stringMatching(/^all +16   3\.250  2\.975/),
    ]);
    expect(heldOutTable([], plainStyle, withheld).join("\n")).not.toMatch(/NaN|no records/);
  });

  it("says so where nothing was held out, and lists the extremes of many sets", () => {
    expect(heldOutTable([], plainStyle)).toEqual([expect.stringMatching(/no records are held out/)]);
    const many = Array.from({ length: 100 }, (_, i) => ({
      set: `c${i}`,
      records: 1,
      supervisedTokens: 1,
      count: 1,
      before: 100,
      after: i,
      metrics: {},
    }));
    const lines = heldOutTable(many, plainStyle);
    expect(lines).toHaveLength(1 + 16 + 1 + 1);
    expect(lines[1]).toMatch(/^c0 /);
    expect(lines[16]).toMatch(/^c99 /);
  });
});

describe("a partition as a picture", () => {
  const clients = [
    { name: "bank", records: 8, heldOut: 2, labels: { loans: 6, cards: 2 } },
    { name: "市役所", records: 4, heldOut: 0, labels: { loans: 0, cards: 4 } },
  ];

  it("draws sizes as lengths and labels as letters", () => {
    expect(partitionLines({ clients, field: "topic" }, { columns: 43, style: plainStyle })).toEqual([
      "2 clients, 12 training records, 2 held out",
      "",
      "client  records  held out",
      "bank          8         2  aaaabbbbbbbbbbb",
      "市役所        4         0  aaaaaaaa",
      "",
      "records by topic",
      "a  cards  6   b  loans  6",
    ]);
  });

  it("does without labels and held-out records", () => {
    const bare = clients.map((client) => ({ ...client, heldOut: 0, labels: {} }));
    expect(partitionLines({ clients: bare, field: undefined }, { columns: 30, style: plainStyle })).toEqual([
      "2 clients, 12 training records",
      "",
      "client  records",
      "bank          8  ████████████",
      "市役所        4  ██████",
    ]);
  });

  it("puts rare labels together and stays within the columns", () => {
    const labels = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`label-${i}`, 60 - i]));
    const lines = partitionLines(
      { clients: [{ name: "a", records: 1830, heldOut: 0, labels }], field: "x" },
      { columns: 60, style: plainStyle },
    );
    expect(lines.join("\n")).toContain("·  39 others");
    for (const line of lines) expect(textWidth(line)).toBeLessThan(60);
  });
});

describe("a failed command", () => {
  it("says the sentence and the hint, with the kind's exit code", () => {
    const error = new UserError("data", "bank.jsonl line 3: no response", { hint: "Correct it." });
    expect(describeFailure(error, plain)).toEqual({
      lines: ["error: bank.jsonl line 3: no response", "hint: Correct it."],
      exitCode: EXIT_CODES.data,
    });
    expect(describeFailure(error, { style: markup, debug: false }).lines[0]).toBe(
      "<bold,red>error:</> bank.jsonl line 3: no response",
    );
  });

  it("owns up to a defect in one line, and shows the trace only when asked", () => {
    const defect = new TypeError("x is undefined\nsecond line");
    const { lines, exitCode } = describeFailure(defect, plain);
    expect(exitCode).toBe(1);
    expect(lines).toEqual(["error: TypeError: x is undefined", expect.stringContaining("--debug")]);
    expect(describeFailure(defect, { style: plainStyle, debug: true }).lines.join("\n")).toMatch(/report\.test\.ts/);
    expect(describeFailure("text", plain).lines[0]).toBe("error: thrown: text");
  });

  it("does not call an interruption an error", () => {
    const stopped = new UserError("interrupted", "Stopped in round 2; 1 round is safe.", {
      hint: "Run the same command again to continue.",
    });
    expect(describeFailure(stopped, plain)).toEqual({
      lines: ["Stopped in round 2; 1 round is safe.", "hint: Run the same command again to continue."],
      exitCode: 130,
    });
    expect(describeFailure(AbortSignal.abort().reason, plain)).toEqual({ lines: ["Stopped."], exitCode: 130 });
  });

  it("keeps secrets to itself", () => {
    expect(withoutSecrets("hf_abcdefghijklmnop https://me:pass@host Authorization: Bearer abc.def-ghijk")).toBe(
      "hf_… https://…@host Authorization: Bearer …",
    );
    const error = new UserError("model", "401 for token hf_abcdefghijklmnop", { hint: "Bearer abcdefghijk" });
    expect(describeFailure(error, { style: plainStyle, debug: true }).lines.join("\n")).not.toMatch(/abcdefgh/);
  });
});

describe("colours", () => {
  it("follow the terminal, NO_COLOR and FORCE_COLOR", () => {
    expect(wantsColour(true, {})).toBe(true);
    expect(wantsColour(false, {})).toBe(false);
    expect(wantsColour(true, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
    expect(wantsColour(true, { TERM: "dumb" })).toBe(false);
    expect(wantsColour(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(wantsColour(true, { FORCE_COLOR: "0" })).toBe(false);
  });

  it("are those of the stream that is written to, whatever stdout is", () => {
    const stream = { isTTY: true, columns: 70, write: () => true } as unknown as NodeJS.WriteStream;
    const output = outputTo(stream, { TERM: "xterm" });
    expect(output.style("red", "x")).toBe("\u001b[31mx\u001b[39m");
    expect([output.live, output.columns()]).toEqual([true, 70]);
  });
});

describe("the settings of the schema", () => {
  const settings = settingSections().flatMap((section) => section.settings);

  it("all have help, a type and a place", () => {
    for (const { key, type, description } of settings) {
      expect(description, key).not.toBe("");
      expect(type, key).not.toBe("any");
    }
    expect(settings.find(({ key }) => key === "data.clients[].name")).toMatchObject({ required: true, type: "string" });
    expect(settings.find(({ key }) => key === "training.epsilon")).toMatchObject({
      fallback: "1e-8",
      type: "number > 0",
    });
    expect(settings.find(({ key }) => key === "adapter.targets")?.fallback).toBe("[q_proj, v_proj]");
  });
});
