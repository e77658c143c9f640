import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runIn } from "./support/experiment.ts";
import { separateUsers } from "./support/halves.ts";
import { tinyConfig, tinyFederation } from "./support/tiny-federation.ts";

const { folder, source, play } = tinyFederation();

beforeAll(() => {
  process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe(`coordinator and participant as processes of ${separateUsers ? "two users" : "their own"}`, () => {
  test.each(["fedavg", "scaffold", "local"])(
    "end with the adapter and the scores of the simulation: %s",
    async (algorithm) => {
      const { summary } = await runIn(source, tinyConfig(algorithm), { name: `simulated-${algorithm}` });
      const { coordinator } = await play(algorithm);
      expect(coordinator.adapter).toBe(summary.adapter);
      expect(coordinator.heldOut).toEqual(JSON.parse(JSON.stringify(summary.heldOut)));
    },
    240_000,
  );

  // All operations: npm run test:halves.
  test.each([
    [{ coordinator: 12, participant: 31 }, "before"],
    [{ coordinator: 40, participant: 18 }, "after"],
    [{ coordinator: 57, participant: 64 }, "before"],
  ] as const)(
    "killed at operations %j, %s them, they end with it too",
    async (killAt, when) => {
      const { summary } = await runIn(source, tinyConfig("scaffold"), { name: "simulated-scaffold" });
      const { coordinator, deaths } = await play("scaffold", killAt, when);
      expect(deaths).toBe(2);
      expect(coordinator.adapter).toBe(summary.adapter);
    },
    240_000,
  );
});
