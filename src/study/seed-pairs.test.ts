import { expect, it } from "vitest";
import { inventedRun } from "../../test/support/invented-runs.ts";
import { compareRuns } from "./comparison.ts";
import { seedPairs } from "./seed-pairs.ts";

const run = (name: string, seed: number, loss: number, more: object = {}) =>
  inventedRun({
    name: `${name}-seed${seed}`,
    seed,
    rounds: [{ heldOut: { common: 9 } }, { heldOut: { common: loss } }],
    settings: { training: { localSteps: name === "short" ? 1 : 2 } },
    ...more,
  });

it("pairs the runs of a seed: what a seed makes hard for both cancels", () => {
  const runs = [
    ...[run("short", 1, 2), run("short", 2, 3), run("short", 3, 4)],
    ...[run("long", 1, 2.1), run("long", 2, 3.1), run("long", 3, 4.1), run("long", 4, 9)],
  ];
  const [pair, ...others] = seedPairs(compareRuns(runs, { names: true }), "loss");
  expect(others).toEqual([]);
  expect(pair!.group.label).toBe("long");
  const { value, low, high, n } = pair!.differences.common!;
  expect([value, low, high, n]).toEqual([expect.closeTo(0.1), expect.closeTo(0.1), expect.closeTo(0.1), 3]);
  // By hand: mean 0.1, standard deviation 0.1, t of 2 degrees of freedom 4.3027.
  const spread = [run("short", 1, 2), run("short", 2, 3), run("short", 3, 4), run("long", 1, 2), run("long", 2, 3.1)];
  const [wide] = seedPairs(compareRuns([...spread, run("long", 3, 4.2)], { names: true }), "loss");
  expect(wide!.differences.common!.high).toBeCloseTo(0.1 + (4.3027 * 0.1) / Math.sqrt(3), 4);
});

it("has nothing to say of one common seed, or of a run that is not finished", () => {
  const alone = [run("short", 1, 2), run("short", 2, 3), run("long", 2, 3), run("long", 3, 3)];
  expect(seedPairs(compareRuns(alone, { names: true }), "loss")).toEqual([]);
  const unfinished = [1, 2].map((seed) => run("long", seed, 3, { finished: false }));
  expect(
    seedPairs(compareRuns([run("short", 1, 2), run("short", 2, 3), ...unfinished], { names: true }), "loss"),
  ).toEqual([]);
});
