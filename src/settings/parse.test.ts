import { expect, test } from "vitest";
import { OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";
import { parseExperiment } from "./parse.ts";

const BASE = { model: { base: "m" }, data: { clients: [{ name: "a", train: "f" }] } };

test("the floor of the learning rate is OpenFedLLM's: 1e-6 for sft, 1e-5 for every preference objective", () => {
  for (const name of Object.keys(OBJECTIVES) as ObjectiveName[]) {
    const { training } = parseExperiment({ ...BASE, objective: { name } }, "test");
    expect(training.minLearningRate).toBe(name === "sft" ? 1e-6 : 1e-5);
  }
  expect(parseExperiment({ ...BASE, training: { minLearningRate: 0 } }, "test").training.minLearningRate).toBe(0);
});

test("a configuration with its defaults, read again, is the same", () => {
  const config = parseExperiment(BASE, "test");
  expect(JSON.stringify(parseExperiment(config, "test"))).toBe(JSON.stringify(config));
});
