import { expect, it } from "vitest";
import { inventedRun } from "../../test/support/invented-runs.ts";
import type { Candidate } from "./sweep.ts";
import { hasTunedRate, tuneMethod } from "./tuning.ts";

const RATES = [1e-4, 3e-4, 1e-3];
const candidates = RATES.map(
  (rate) =>
    ({ name: "avg", folder: `tuning/avg-${rate}`, values: [["training.learningRate", rate]] }) as unknown as Candidate,
);
const method = { name: "avg", candidates, runs: () => [] };
const run = (values: { common?: number; a?: number }, more: object = {}) =>
  inventedRun({ name: "t", seed: 1, rounds: [{ heldOut: { common: 9, a: 9 } }, { heldOut: values }], ...more });
const tuned = (
  finals: readonly ({ common?: number; a?: number } | undefined)[],
  { failed = [], over }: { failed?: number[]; over?: "common" | "clients" } = {},
) =>
  tuneMethod(
    method,
    { metric: "loss", over },
    (candidate) => {
      const values = finals[candidates.indexOf(candidate)];
      return values === undefined ? undefined : run(values);
    },
    new Set(failed.map((i) => candidates[i]!)),
  );

it("chooses the lowest loss at the end, of the common set where there is one", () => {
  const finals = [
    { common: 3, a: 1 },
    { common: 2, a: 5 },
    { common: 2.5, a: 4 },
  ];
  expect(tuned(finals)).toMatchObject({ chosen: 1, atEdge: [], trials: [{ value: 3 }, { value: 2 }, { value: 2.5 }] });
  expect(tuned(finals, { over: "clients" })).toMatchObject({ chosen: 0, atEdge: ["training.learningRate"] });
  expect(tuned(finals.map(({ a }) => ({ a })))).toMatchObject({ chosen: 0 });
});

it("takes the first of equals, never what is not a number, and nothing before all runs are there", () => {
  expect(tuned([{ a: 2 }, { a: 2 }, { a: Number.NaN }]).chosen).toBe(0);
  expect(tuned([{ a: 2 }, { a: 1 }, undefined]).chosen).toBeUndefined();
  expect(tuned([{ a: 2 }, { a: 1 }, undefined], { failed: [2] }).chosen).toBe(1);
  expect(tuned([undefined, undefined, undefined], { failed: [0, 1, 2] }).chosen).toBeUndefined();
});

it("knows the runs whose rate it chose", () => {
  const tuning = { metric: "loss", methods: [tuned([{ a: 1 }, { a: 2 }, { a: 3 }])] };
  expect(hasTunedRate(tuning, { name: "avg-seed3", seed: 3 })).toBe(true);
  expect(hasTunedRate(tuning, { name: "other-seed3", seed: 3 })).toBe(false);
});
