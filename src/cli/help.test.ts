import { describe, expect, it } from "vitest";
import { ALGORITHMS } from "../algorithms/registry.ts";
import { examplesHelp } from "./commander.ts";
import { settingsHelp } from "./settings-help.ts";

describe("the examples of a command", () => {
  it("stand on lines of the terminal's width that a shell joins", () => {
    const line = "npx openfedllm run my.yaml --set training.learningRate=1e-3 --out runs/fast";
    expect(examplesHelp([[line]], 60)).toBe(
      "\nExamples:\n  npx openfedllm run my.yaml \\\n    --set training.learningRate=1e-3 --out runs/fast",
    );
    expect(examplesHelp([[line]], 100)).toBe(`\nExamples:\n  ${line}`);
  });

  it("have their purposes behind them, or above them if that is too wide", () => {
    const examples = [
      ["one --a", "the first"],
      ["second", "the second"],
    ] as const;
    expect(examplesHelp(examples, 40)).toBe("\nExamples:\n  one --a  # the first\n  second   # the second");
    expect(examplesHelp(examples, 20)).toBe("\nExamples:\n  # the first\n  one --a\n  # the second\n  second");
  });
});

it("the help of settings lists the values of an enumeration, unless its text does", () => {
  const words = settingsHelp(80, false).replaceAll(/\s+/g, " ");
  expect(words).toContain(`Federated algorithm. One of ${Object.keys(ALGORITHMS).join(", ")}. (fedavg)`);
  expect(words).toContain("for rated answers or pairs: kto. (sft)");
  const widest = Math.max(
    ...settingsHelp(80, true)
      .split("\n")
      .map((line) => line.length),
  );
  expect(widest).toBeLessThanOrEqual(80);
});
