import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EvaluationScore, RoundEvaluation } from "../../federation/protocol/messages.ts";
import { bestRound, hasRunOut, roundValues, type RoundValue } from "./best-round.ts";

const series = (...values: number[]): RoundValue[] => values.map((value, round) => ({ round, value }));
const out = (values: readonly RoundValue[], patience: number, minDelta = 0, metric = "loss"): boolean =>
  hasRunOut(metric, values, { patience, minDelta });
/** The round a run would stop after. */
const stopOf = (values: readonly RoundValue[], patience: number, minDelta = 0, metric = "loss"): number | undefined =>
  values.find((_, i) => out(values.slice(0, i + 1), patience, minDelta, metric))?.round;

describe("the best round", () => {
  test("is the lowest loss, the highest accuracy, whatever benchmark it is of, and the earliest of equals", () => {
    expect(bestRound("loss", series(4, 3, 2, 2, 5))).toEqual({ round: 2, value: 2 });
    expect(bestRound("riddles/perplexity", series(4, 3, 2, 2, 5))).toEqual({ round: 2, value: 2 });
    expect(bestRound("riddles/accuracy", series(0.1, 0.4, 0.4, 0.2))).toEqual({ round: 1, value: 0.4 });
  });

  test("is never one without a number", () => {
    expect(bestRound("loss", series(Number.NaN, 5, Number.NaN, Number.NEGATIVE_INFINITY))).toEqual({
      round: 1,
      value: 5,
    });
    expect(bestRound("loss", series(Number.NaN))).toBeUndefined();
    expect(bestRound("loss", [])).toBeUndefined();
  });
});

describe("patience", () => {
  test("counts evaluations in a row that were no better than the best", () => {
    const values = series(9, 5, 6, 5, 4, 5, 5, 5);
    expect([1, 2, 3, 4].map((patience) => stopOf(values, patience))).toEqual([2, 3, 7, undefined]);
    expect(stopOf(series(9), 1)).toBeUndefined();
    expect(stopOf(series(Number.NaN, Number.NaN), 1)).toBe(1);
    expect(stopOf(series(0.2, 0.2, 0.3), 2, 0, "accuracy")).toBeUndefined();
  });

  test("improvements no larger than minDelta do not count by themselves, but add up", () => {
    expect(stopOf(series(10, 9, 8.5, 8), 1, 1)).toBe(1);
    expect(stopOf(series(10, 9.5, 8.9, 8.6, 7.8), 2, 1)).toBeUndefined();
    expect(stopOf(series(10, 9.5, 9.2, 8.6), 2, 1)).toBe(2);
  });

  const values = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 30 });
  const patience = fc.integer({ min: 1, max: 8 });

  test("what has run out stays so, and less patience stops no later", () => {
    fc.assert(
      fc.property(values, patience, fc.double({ min: 0, max: 2, noNaN: true }), (numbers, most, minDelta) => {
        const all = series(...numbers);
        const prefixes = all.map((_, i) => out(all.slice(0, i + 1), most, minDelta));
        expect(prefixes).toEqual(prefixes.map((_, i) => prefixes.slice(0, i + 1).includes(true)));
        const [sooner = Infinity, later = Infinity] = [most, most + 1].map((each) => stopOf(all, each, minDelta));
        expect(sooner).toBeLessThanOrEqual(later);
      }),
    );
  });

  test("by a metric turned round stops at the same round", () => {
    fc.assert(
      fc.property(values, patience, (numbers, most) => {
        expect(stopOf(series(...numbers.map((value) => -value)), most, 0.5, "accuracy")).toBe(
          stopOf(series(...numbers), most, 0.5),
        );
      }),
    );
  });

  test("without minDelta a run stops exactly `patience` evaluations after its best so far", () => {
    fc.assert(
      fc.property(values, patience, (numbers, most) => {
        const stop = stopOf(series(...numbers), most);
        if (stop === undefined) return;
        expect(stop - bestRound("loss", series(...numbers.slice(0, stop + 1)))!.round).toBe(most);
      }),
    );
  });
});

describe("where the metric is taken", () => {
  const score = (set: string, loss: number, more: Partial<EvaluationScore> = {}): EvaluationScore => ({
    set,
    loss,
    records: 4,
    supervisedTokens: 8,
    count: 8,
    ...more,
  });
  const round = (at: number, ...scores: EvaluationScore[]): RoundEvaluation => ({ round: at, scores });
  const global = [
    round(0, score("a", 5, { count: 900 }), score("b", 7), score("common", 4)),
    round(2, score("a", 4, { count: 900 }), score("b", 5), score("common", 9)),
  ];

  test("is the common set, or the clients' sets, each weighing the same", () => {
    expect(roundValues({ metric: "loss" }, global)).toEqual({
      over: "common",
      chosenOn: "reported",
      values: [
        { round: 0, value: 4 },
        { round: 2, value: 9 },
      ],
    });
    expect(roundValues({ metric: "loss", over: "clients" }, global).values.map(({ value }) => value)).toEqual([6, 4.5]);
    const apart = global.map(({ round: at, scores }) => round(at, ...scores.slice(0, 2)));
    expect(roundValues({ metric: "loss" }, apart)).toMatchObject({
      over: "clients",
      values: [{ value: 6 }, { value: 4.5 }],
    });
  });

  test("is the validation parts, in a run that has scored them from its beginning", () => {
    const parts = [
      [score("a", 3), score("common", 8)],
      [score("a", 2), score("common", 6)],
    ];
    const both = global.map((evaluation, i) => ({ ...evaluation, validation: parts[i]! }));
    expect(roundValues({ metric: "loss" }, both)).toEqual({
      over: "common",
      chosenOn: "validation",
      values: [
        { round: 0, value: 8 },
        { round: 2, value: 6 },
      ],
    });
    expect(roundValues({ metric: "loss", over: "clients" }, both).values.map(({ value }) => value)).toEqual([3, 2]);
    // Of a round without these scores nothing is known; what is reported does not take its place.
    expect(roundValues({ metric: "loss" }, [both[0]!, global[1]!])).toMatchObject({
      chosenOn: "validation",
      values: [{ round: 0, value: 8 }],
    });
    for (const late of [[global[0]!, both[1]!], global]) {
      expect(roundValues({ metric: "loss" }, late)).toEqual(roundValues({ metric: "loss" }, global));
    }
    // A metric that the parts do not have is taken from what is reported.
    const labelled = both.map((evaluation) => ({
      ...evaluation,
      scores: [score("a", 5, { metrics: { accuracy: 0.25 } })],
    }));
    expect(roundValues({ metric: "accuracy" }, labelled)).toMatchObject({ chosenOn: "reported", over: "clients" });
  });

  test("is where there is such a metric", () => {
    const some = [round(0, score("a", 5, { metrics: { accuracy: 0.25 } }), score("common", 4))];
    expect(roundValues({ metric: "accuracy" }, some)).toMatchObject({
      over: "clients",
      values: [{ round: 0, value: 0.25 }],
    });
    expect(roundValues({ metric: "accuracy", over: "common" }, some).values).toEqual([]);
  });

  test("is a benchmark's own: the global adapter's, one client's, or the mean of the clients'", () => {
    const put = (value: number, client?: string) => ({
      benchmark: "riddles",
      ...(client === undefined ? {} : { client }),
      questions: 4,
      metrics: { accuracy: value },
    });
    const evaluations = [
      { ...round(0, score("a", 5)), benchmarks: [put(0.25)] },
      round(1, score("a", 5)),
      { ...round(2, score("a", 5)), benchmarks: [put(0.5, "a"), put(1, "b")] },
    ];
    const values = (client?: string) => roundValues({ metric: "riddles/accuracy" }, evaluations, client).values;
    expect(values()).toEqual([
      { round: 0, value: 0.25 },
      { round: 2, value: 0.75 },
    ]);
    expect(values("b")).toEqual([
      { round: 0, value: 0.25 },
      { round: 2, value: 1 },
    ]);
    expect(roundValues({ metric: "riddles/other" }, evaluations).values).toEqual([]);
  });

  test("is the client's own adapter's, where clients have such", () => {
    const own = [
      round(0, score("a", 5), score("b", 7), score("common", 4)),
      round(
        1,
        score("a", 1, { client: "a" }),
        score("b", 90, { client: "a" }),
        score("common", 3, { client: "a" }),
        score("b", 2, { client: "b" }),
        score("common", 6, { client: "b" }),
      ),
    ];
    const of = (over: "clients" | "common", client?: string): number[] =>
      roundValues({ metric: "loss", over }, own, client).values.map(({ value }) => value);
    expect([of("clients", "a"), of("clients", "b"), of("clients")]).toEqual([
      [5, 1],
      [7, 2],
      [6, 1.5],
    ]);
    expect([of("common", "a"), of("common", "b"), of("common")]).toEqual([
      [4, 3],
      [4, 6],
      [4, 4.5],
    ]);
  });
});
