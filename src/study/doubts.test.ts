import { describe, expect, it } from "vitest";
import { type InventedFigures, inventedFigures } from "../../test/support/invented-course.ts";
import { DOUBTS, doubtsOf, heldOutRise, manyPassesAhead } from "./doubts.ts";

type Rule = keyof typeof DOUBTS;

const says = (rule: Rule, made: InventedFigures = {}): string | undefined => DOUBTS[rule](inventedFigures(made));

const NUMBERS = { score: 1, records: 1 };

describe("a reason to doubt a run", () => {
  it.each<[Rule, string, InventedFigures, InventedFigures]>([
    ["unfinished", "The run is not finished: 1 of 1 rounds are done.", { finished: false }, {}],
    [
      "attacked",
      "Hostile clients were simulated (data.attack: signFlip): the numbers are those of an attacked run.",
      { config: { data: { attack: { name: "signFlip" } } } },
      {},
    ],
    [
      "notFinite",
      "The held-out loss is not a number after round 1: training has diverged.",
      { heldOut: [{ a: 4 }, { a: Number.NaN }] },
      { heldOut: [{ a: 4 }, { a: 400 }] },
    ],
    [
      "lengthened",
      "The run was lengthened from 1 to 3 rounds, and its earlier rounds kept the learning rates of a shorter run: a run of 3 rounds from the start gives another adapter.",
      { lengths: [1], config: { federation: { rounds: 3 } } },
      { lengths: [1], config: { federation: { rounds: 3 }, training: { schedule: "constant" } } },
    ],
    [
      "heldOutRose",
      "Held-out loss rose from 4.000 before training to 4.001 at the end (+0.0%): the adapter answers new questions worse than the base. A lower training.learningRate or fewer passes (training.localEpochs or localSteps, federation.rounds) may help.",
      { heldOut: [{ a: 4 }, { a: 4.001 }] },
      { heldOut: [{ a: 4 }, { a: 4 }] },
    ],
    [
      "heldOutRose",
      "Held-out loss rose from 4.000 before training to 4.001 at the end (+0.0%): the adapter answers new questions worse than the adapter that it started from. A lower training.learningRate or fewer passes (training.localEpochs or localSteps, federation.rounds) may help.",
      { heldOut: [{ a: 4 }, { a: 4.001 }], config: { model: { base: "model", adapter: "before" } } },
      { heldOut: [{ a: 4 }, { a: 4 }], config: { model: { base: "model", adapter: "before" } } },
    ],
    [
      "heldOutRoseSince",
      "Held-out loss was lowest after round 1 (2.000) and rose to 2.011 until round 2 (+0.6%): the last adapter is not the best one.",
      { heldOut: [{ a: 4 }, { a: 2 }, { a: 2.011 }] },
      { heldOut: [{ a: 4 }, { a: 2 }, { a: 2.01 }] },
    ],
    [
      "heldOutRoseForSome",
      "Held-out loss rose for b (+2.0%), although it fell over all sets.",
      {
        heldOut: [
          { a: 4, b: 5 },
          { a: 3, b: 5.1 },
        ],
      },
      {
        heldOut: [
          { a: 4, b: 5 },
          { a: 3, b: 5 },
        ],
      },
    ],
    [
      "manyPasses",
      "Clients went more than 5 times through their records: a 5.1 times (20 records). The adapter may know these records by heart.",
      { records: { a: 20, b: 20 }, clients: [{ a: { examples: 102 }, b: { examples: 100 } }] },
      { records: { a: 20, b: 20 }, clients: [{ a: { examples: 100 }, b: { examples: 100 } }] },
    ],
    [
      "noHeldOut",
      "No records are held out: a training loss does not show how the model answers new questions.",
      { heldOut: [], clients: [{ a: {} }] },
      {},
    ],
    [
      "fewHeldOut",
      "Held-out sets of fewer than 30 records say little: a 29, b 29.",
      { heldOutRecords: 29 },
      { heldOutRecords: 30 },
    ],
    [
      "notAllEvaluated",
      "1 of 3 clients have no held-out score of their own at the end: c.",
      { records: { a: 50, b: 50, c: 50 } },
      { heldOut: [{ common: 4 }, { common: 3 }] },
    ],
    [
      "late",
      "A deadline closed 1 round of 1 without somebody: c, d.",
      { records: { a: 50, c: 50 }, clients: [{ a: {} }], late: ["c", "d"] },
      { records: { a: 50, c: 50 }, clients: [{ a: {} }] },
    ],
    ["refused", "1 update did not enter the result: b.", { refused: { b: "not finite" } }, {}],
    [
      "cutRecords",
      "Of 100 training records, 0 lost their end to data.maxLength and 2 were left out.",
      { cut: [0, 1] },
      { cut: [0, 0] },
    ],
    [
      "bestOnSameSet",
      "The best round was chosen on the records that are reported: its score is too good.",
      { best: { metric: "loss", round: 1, value: 3 } },
      { best: { metric: "loss", round: 1, value: 3, chosenOn: "validation" } },
    ],
    [
      "fewQuestions",
      "Benchmarks of fewer than 100 questions have wide intervals: gsm8k 99.",
      { benchmarks: [{ benchmark: "gsm8k", questions: 99, metrics: NUMBERS }] },
      { benchmarks: [{ benchmark: "gsm8k", questions: 100, metrics: NUMBERS }] },
    ],
    [
      "stillFalling",
      "Held-out loss still fell from round 1 to round 2 (-1.1%): more rounds may give more.",
      { heldOut: [{ a: 4 }, { a: 2 }, { a: 1.978 }] },
      { heldOut: [{ a: 4 }, { a: 2 }, { a: 1.981 }] },
    ],
    [
      "oneSeed",
      "This is one run with one seed (7): another seed gives other numbers, and nothing here shows how far apart they lie.",
      { seeds: 1 },
      { seeds: 2 },
    ],
    [
      "notTuned",
      "The learning rate 0.0003 was not tuned here: at another rate another method may be the best.",
      {},
      { tuned: true },
    ],
    [
      "simulated",
      "The federation was simulated: one process held the records of all clients, and no network lay between them.",
      {},
      { simulated: false },
    ],
  ])("%s: is said from its limit on, and not below", (rule, sentence, above, below) => {
    expect(says(rule, above)).toBe(sentence);
    expect(says(rule, below)).toBeUndefined();
  });

  it("has a test for each rule above, and lists the sentences of all in their order", () => {
    const all = doubtsOf(inventedFigures({ heldOutRecords: 8 }));
    expect(all).toEqual([
      "Held-out sets of fewer than 30 records say little: a 8, b 8.",
      says("oneSeed"),
      says("notTuned"),
      says("simulated"),
    ]);
    expect(Object.keys(DOUBTS)).toHaveLength(20);
  });

  it("calls a baseline a baseline", () => {
    const local = { config: { federation: { algorithm: "local", rounds: 1 } } };
    expect(says("simulated", local)).toBe(
      "The algorithm local is a baseline: it has no federation, and sends nothing.",
    );
  });

  it("is silent on what is not known", () => {
    const figures = {
      ...inventedFigures(),
      course: inventedFigures({ records: {}, simulated: false, clients: [{}] }).course,
    };
    expect(doubtsOf(figures)).toEqual([says("oneSeed"), says("notTuned")]);
  });

  it("weighs sets by what their losses are means over", () => {
    // Sets have equal counts here: 4.5 → 4.45, although b rose.
    expect(
      says("heldOutRose", {
        heldOut: [
          { a: 4, b: 5 },
          { a: 3.8, b: 5.1 },
        ],
      }),
    ).toBeUndefined();
  });
});

describe("a note of the same rules", () => {
  it("is of passes to come", () => {
    expect(manyPassesAhead({ client: "few", records: 64, passes: 5 }, false)).toBeUndefined();
    expect(manyPassesAhead({ client: "many", records: 63, passes: 320 / 63 }, false)).toBe(
      "many goes 5.1 times through its 63 records in this run and may learn them by heart; a lower training.localSteps or federation.rounds makes fewer passes.",
    );
    expect(manyPassesAhead({ client: "two", records: 2, passes: 1600 }, true)).toBe(
      "two goes 1600 times through its 2 records in this run and may learn them by heart; a lower training.localEpochs or federation.rounds makes fewer passes.",
    );
  });

  it("is of a rise in held-out loss, and not of equality or of no number", () => {
    expect(heldOutRise(3.376, 3.899, "the base")).toContain("from 3.376 before training to 3.899 at the end (+15.5%)");
    expect(heldOutRise(3, 3, "the base")).toBeUndefined();
    expect(heldOutRise(3, Number.NaN, "the base")).toBeUndefined();
  });
});
