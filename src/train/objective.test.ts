import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backward } from "../graph/backward.ts";
import { GraphBuilder } from "../graph/graph.ts";
import { interpret } from "../graph/interpreter.ts";
import type { NdArray } from "../graph/op-row.ts";
import type { Example } from "../data/example.ts";
import type { PairExample } from "../data/items/pair.ts";
import type { RatedExample } from "../data/items/rated.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import type { Objective } from "./objective.ts";
import { OBJECTIVES, type ObjectiveName } from "./objective-registry.ts";
import { scoresOf } from "./scorer.ts";
import { meansOf } from "./tally.ts";

/** Values of every setting that some objective reads. */
interface ObjectiveSettings {
  readonly beta?: number;
  readonly labelSmoothing: number;
  readonly gamma: number;
  readonly desirableWeight: number;
  readonly undesirableWeight: number;
}

/** Without the schema, which allows no label smoothing of ½. */
const made = (name: ObjectiveName, settings: ObjectiveSettings): Objective => OBJECTIVES[name].make(settings as never);

const plain: ObjectiveSettings = { labelSmoothing: 0, gamma: 0.5, desirableWeight: 1, undesirableWeight: 1 };

/** A sequence with this many supervised tokens. */
const sequence = (tokens: number): Example => ({
  id: "",
  tokens: new Int32Array(tokens + 1),
  supervised: Uint8Array.from({ length: tokens + 1 }, (_, i) => (i === 0 ? 0 : 1)),
});

/** Token log-probabilities of one item, and what else decides its loss. */
interface Drawn {
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly baseFirst: number;
  readonly baseSecond: number;
  readonly desirable: boolean;
}

const logProbability = fc.double({ min: -8, max: -0.01, noNaN: true });
const drawn: fc.Arbitrary<Drawn[]> = fc.array(
  fc.record({
    first: fc.array(logProbability, { minLength: 1, maxLength: 6 }),
    second: fc.array(logProbability, { minLength: 1, maxLength: 6 }),
    baseFirst: fc.double({ min: -30, max: 0, noNaN: true }),
    baseSecond: fc.double({ min: -30, max: 0, noNaN: true }),
    desirable: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
const settings: fc.Arbitrary<ObjectiveSettings> = fc.record({
  beta: fc.double({ min: 0.05, max: 2, noNaN: true }),
  labelSmoothing: fc.constantFrom(0, 0.1, 0.5),
  gamma: fc.double({ min: 0, max: 2, noNaN: true }),
  desirableWeight: fc.double({ min: 0.5, max: 2, noNaN: true }),
  undesirableWeight: fc.double({ min: 0.5, max: 2, noNaN: true }),
});

function itemOf(kind: Objective["items"], { first, second, baseFirst, baseSecond, desirable }: Drawn): TrainingItem {
  const [a, b] = [sequence(first.length), sequence(second.length)];
  if (kind === "example") return a;
  if (kind === "pair") {
    const reference = { chosen: baseFirst, rejected: baseSecond };
    return { id: "", chosen: a, rejected: b, reference } satisfies PairExample;
  }
  const reference = { answer: baseFirst, mismatched: baseSecond };
  return { id: "", answer: a, mismatched: b, desirable, reference } satisfies RatedExample;
}

const rowsOf = (objective: Objective, draws: readonly Drawn[]): number[] =>
  draws.flatMap(({ first, second }) => (objective.items === "pair" ? [...first, ...second] : first));

/** The step's mean as the host has it. */
function hostLoss(objective: Objective, draws: readonly Drawn[], rows: readonly number[], divergence: number): number {
  let sum = 0;
  let count = 0;
  let at = 0;
  for (const draw of draws) {
    const item = itemOf(objective.items, draw);
    const counts = objective.sequences(item).map(({ tokens }) => tokens.length - 1);
    const size = counts.reduce((a, b) => a + b, 0);
    // In float64, as `scoresOf` would lose what the differences below are made of.
    let row = at;
    const scores = counts.map((tokens) => {
      const own = rows.slice(row, (row += tokens));
      return { logProbability: own.reduce((a, b) => a + b, 0), tokens };
    });
    sum += objective.evaluate(item, scores, divergence).loss;
    count += objective.count(item);
    at += size;
  }
  return sum / count;
}

function totalOf(objective: Objective, draws: readonly Drawn[]): number {
  return draws.reduce((sum, draw) => sum + objective.count(itemOf(objective.items, draw)), 0);
}

/** The same, and its gradient, by the graph. */
function graphLoss(
  objective: Objective,
  draws: readonly Drawn[],
  rows: readonly number[],
  divergence: number,
  total: number = totalOf(objective, draws),
): { loss: number; gradient: Float64Array } {
  const builder = new GraphBuilder();
  const logProbabilities = builder.input("logProbabilities", "float32", ["rows"]);
  const loss = objective.loss(builder, logProbabilities);
  builder.output("loss", loss);
  builder.output("gradient", backward(builder, loss, [logProbabilities])[0]!);
  const items = draws.map((draw) => itemOf(objective.items, draw));
  const values = new Map<string, NdArray>([
    ["logProbabilities", { shape: [rows.length], data: Float64Array.from(rows) }],
  ]);
  for (const [name, { shape, data }] of objective.feeds(items, { total, divergence, items })) {
    values.set(name, { shape, data: Float64Array.from(data, Number) });
  }
  const results = interpret(builder.build(), values);
  return { loss: results.get("loss")!.data[0]!, gradient: results.get("gradient")!.data };
}

describe.each(Object.keys(OBJECTIVES) as ObjectiveName[])("%s", (name) => {
  test("the graph's loss is the host's, and its gradient the host's by central differences", () => {
    fc.assert(
      fc.property(drawn, settings, fc.double({ min: 0, max: 5, noNaN: true }), (draws, given, divergence) => {
        const objective = made(name, given);
        const rows = rowsOf(objective, draws);
        const { loss, gradient } = graphLoss(objective, draws, rows, divergence);
        const expected = hostLoss(objective, draws, rows, divergence);
        // What is fed is float32.
        expect(Math.abs(loss - expected)).toBeLessThan(2e-5 * Math.max(1, Math.abs(expected)));
        const step = 1e-5;
        rows.forEach((_, i) => {
          const at = (by: number): number => hostLoss(objective, draws, rows.with(i, rows[i]! + by), divergence);
          const [up, middle, down] = [at(step), at(0), at(-step)];
          // Not across the hinge's kink.
          if (name === "hinge" && Math.abs(up - 2 * middle + down) > 1e-9) return;
          const numeric = (up - down) / (2 * step);
          expect(Math.abs(gradient[i]! - numeric)).toBeLessThan(1e-4 * Math.max(1, Math.abs(numeric)));
        });
      }),
      { numRuns: 60 },
    );
  });

  test("parts of a step add up to it", () => {
    fc.assert(
      fc.property(drawn, settings, (draws, given) => {
        const objective = made(name, given);
        const whole = graphLoss(objective, draws, rowsOf(objective, draws), 1).loss;
        const total = totalOf(objective, draws);
        const parts = draws.map((draw) => graphLoss(objective, [draw], rowsOf(objective, [draw]), 1, total).loss);
        expect(Math.abs(parts.reduce((a, b) => a + b, 0) - whole)).toBeLessThan(2e-5 * Math.max(1, Math.abs(whole)));
      }),
      { numRuns: 30 },
    );
  });
});

describe("closed forms", () => {
  const pair = (chosen: number, rejected: number, reference = { chosen: 0, rejected: 0 }): PairExample => ({
    id: "x",
    chosen: sequence(chosen),
    rejected: sequence(rejected),
    reference,
  });
  const score = (logProbability: number, tokens: number) => ({ logProbability, tokens });

  test("dpo of a model equal to its base: log 2, and a tie", () => {
    const item = pair(3, 2, { chosen: -7, rejected: -4 });
    const { loss, metrics } = made("dpo", plain).evaluate(item, [score(-7, 3), score(-4, 2)], 0);
    expect(loss).toBeCloseTo(Math.LN2, 15);
    expect(meansOf(metrics)).toEqual({ chosenReward: 0, rejectedReward: 0, margin: 0, accuracy: 0.5 });
  });

  test("label smoothing of one half does not care which answer is preferred; without it, it does", () => {
    const scores = [score(-9, 3), score(-4, 2)] as const;
    const losses = (labelSmoothing: number): number[] => {
      const { evaluate } = made("dpo", { ...plain, beta: 0.7, labelSmoothing });
      return [evaluate(pair(3, 2), scores, 0).loss, evaluate(pair(2, 3), [scores[1], scores[0]], 0).loss];
    };
    const [one, other] = losses(0.5);
    expect(one).toBeCloseTo(other!, 12);
    expect(losses(0)[0]! - losses(0)[1]!).toBeCloseTo(0.7 * 5, 12);
  });

  test("ipo is at rest where the difference of mean ratios is 1/(2β)", () => {
    const objective = made("ipo", { ...plain, beta: 0.25 });
    const { loss, metrics } = objective.evaluate(pair(2, 4), [score(-2, 2), score(-12, 4)], 0);
    expect(loss).toBe(0);
    // Rewards are β times means: −1 and −3.
    expect(meansOf(metrics)).toEqual({ chosenReward: -0.25, rejectedReward: -0.75, margin: 0.5, accuracy: 1 });
  });

  test("simpo of equal means pays log(1 + e^γ)", () => {
    const { loss } = made("simpo", { ...plain, gamma: 1.5 }).evaluate(pair(2, 4), [score(-2, 2), score(-4, 4)], 0);
    expect(loss).toBeCloseTo(Math.log1p(Math.exp(1.5)), 12);
  });

  test("orpo of equal odds pays the likelihood and λ·log 2", () => {
    const { loss } = made("orpo", { ...plain, beta: 3 }).evaluate(pair(2, 4), [score(-2, 2), score(-4, 4)], 0);
    expect(loss).toBeCloseTo(1 + 3 * Math.LN2, 12);
  });

  test("kto pays half of each weight for an answer as far from the base as all", () => {
    const objective = made("kto", { ...plain, desirableWeight: 3, undesirableWeight: 5 });
    const rated = (desirable: boolean): RatedExample => ({
      id: "x",
      answer: sequence(2),
      mismatched: sequence(1),
      desirable,
      reference: { answer: -8, mismatched: -1 },
    });
    expect(objective.evaluate(rated(true), [score(-6, 2)], 2)).toEqual({
      loss: 1.5,
      metrics: { chosenReward: { sum: 0.2, count: 1 } },
    });
    expect(objective.evaluate(rated(false), [score(-6, 2)], 2).loss).toBe(2.5);
  });

  test("kto's z₀ is the mean log-ratio of the mismatched answers, never below 0", async () => {
    const items = [-3, -5].map((mismatched): RatedExample => ({
      id: "x",
      answer: sequence(2),
      mismatched: sequence(1),
      desirable: true,
      reference: { answer: 0, mismatched },
    }));
    const z0 = (...logProbabilities: number[]): Promise<number> =>
      made("kto", plain).divergence!(items, async () => logProbabilities.map((l) => score(l, 1)));
    expect(await z0(-1, -4)).toBeCloseTo((2 + 1) / 2, 12);
    expect(await z0(-1, -9)).toBe(0);
  });
});

test("scoresOf cuts the rows of a batch by sequence", () => {
  expect(scoresOf(Float32Array.of(-1, -2, -4, -8), [3, 0, 1])).toEqual([
    { logProbability: -7, tokens: 3 },
    { logProbability: 0, tokens: 0 },
    { logProbability: -8, tokens: 1 },
  ]);
});

test("orpo with the likelihood of the sequence gives every token of prompts and chosen answers one weight", () => {
  const objective = OBJECTIVES.orpo.make({ beta: 0.5, likelihood: "sequence" } as never);
  const answer = (prompt: number, tokens: number): Example => ({
    id: "",
    tokens: new Int32Array(prompt + tokens),
    supervised: Uint8Array.from({ length: prompt + tokens }, (_, i) => (i < prompt ? 0 : 1)),
  });
  const items: PairExample[] = [
    { id: "short", chosen: answer(2, 1), rejected: answer(2, 2) },
    { id: "long", chosen: answer(5, 4), rejected: answer(5, 1) },
  ];
  // 2 and 8 tokens are predicted in the chosen sequences; rows: chosen, rejected, and the whole of the chosen one.
  const coefficients = (some: readonly PairExample[]): number[] => [
    ...(new Map(objective.feeds(some, { total: 2, divergence: 0, items })).get("objective.coefficients")!
      .data as Float32Array),
  ];
  const tenths = (count: number): number[] => Array.from({ length: count }, () => Math.fround(-1 / 10));
  const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);
  const [short, long] = [
    [...zeros(1 + 2), ...tenths(2)],
    [...zeros(4 + 1), ...tenths(8)],
  ];
  expect(coefficients(items)).toEqual([...short, ...long]);
  expect(coefficients([items[1]!])).toEqual(long);
});
