import { afterAll, describe, expect, test } from "vitest";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { zerosLike } from "../src/tensor/params.ts";
import { stream } from "../src/tensor/random.ts";
import type { PairExample } from "../src/data/items/pair.ts";
import type { RatedExample } from "../src/data/items/rated.ts";
import type { TrainingItem } from "../src/data/items/registry.ts";
import { openGradientEngine, type StepGradients } from "../src/train/gradient-engine.ts";
import { measure } from "../src/train/measure.ts";
import type { Objective, ScoreSequences } from "../src/train/objective.ts";
import { objectiveOf, type ObjectiveName, OBJECTIVES } from "../src/train/objective-registry.ts";
import { referenceOf } from "../src/train/reference.ts";
import { openScorer, type Scorer } from "../src/train/scorer.ts";
import { meansOf } from "../src/train/tally.ts";
import { answerTo, GOLDEN_FAMILIES, goldenJson, goldenTensors, openGolden, relativeError } from "./support/golden.ts";

interface RatedJson {
  readonly prompt: number[];
  readonly answer: number[];
  readonly mismatched: number[];
  readonly desirable: boolean;
}

interface CaseJson {
  readonly title: string;
  readonly objective: Exclude<ObjectiveName, "sft">;
  readonly settings: object;
  readonly items: string;
  readonly loss: number;
  readonly z0: number;
  readonly values: readonly Readonly<Record<string, number>>[];
}

const plain = { labelSmoothing: 0, gamma: 0.5, desirableWeight: 1, undesirableWeight: 1 };
const shared = { runtime: onnxRuntime(), maxLength: 32 };

function pairsOf(family: string): PairExample[] {
  const { prompt, chosen, rejected } = goldenJson(family, "pair.json") as Record<string, number[][]>;
  return prompt!.map((tokens, i) => ({
    id: `pair ${i}`,
    chosen: answerTo(tokens, chosen![i]!),
    rejected: answerTo(tokens, rejected![i]!),
  }));
}

function ratedOf(items: readonly RatedJson[]): RatedExample[] {
  return items.map(({ prompt, answer, mismatched, desirable }, i) => ({
    id: `rated ${i}`,
    answer: answerTo(prompt, answer),
    mismatched: answerTo(prompt, mismatched),
    desirable,
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** A golden model with its scorer; what tests open is closed at the end. */
function openFamily(family: string) {
  const golden = openGolden(family);
  let scorer: Scorer | undefined;
  const open = async (): Promise<Scorer> =>
    (scorer ??= await openScorer({ ...shared, ...golden, microBatchTokens: 1000 }));
  afterAll(() => scorer?.dispose());
  return {
    golden,
    scorer: open,
    step: async (
      objective: Objective,
      items: readonly TrainingItem[],
      microBatchTokens: number,
      { adapter = golden.adapter, dropout = 0 } = {},
    ): Promise<StepGradients> => {
      const score: ScoreSequences = async (...of) => (await open()).score(...of);
      const engine = await openGradientEngine({ ...shared, ...golden, dropout, microBatchTokens, objective, score });
      const step = await engine.step(adapter, items, (...key) => stream(3, ...key));
      await engine.dispose();
      return step;
    },
  };
}

/** One item at a time, and all together. */
const BUDGETS = [1, 1000];

/** PyTorch, transformers and peft made these numbers: scripts/golden/make_golden.py. */
describe.each(GOLDEN_FAMILIES)("dpo on %s against PyTorch", (family) => {
  const { golden, scorer, step } = openFamily(family);
  const expected = goldenJson(family, "expected.json").dpo as { loss: number; pairs: Record<string, number>[] };
  const objective = objectiveOf("dpo", { ...plain, beta: goldenJson(family, "pair.json").beta });

  test.each(BUDGETS)("loss, rewards and every gradient, %i tokens together", async (microBatchTokens) => {
    const pairs = await referenceOf(await scorer(), zerosLike(golden.adapter), pairsOf(family));
    const { loss, count, gradients, metrics } = await step(objective, pairs, microBatchTokens);
    expect(count).toBe(2);
    expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
    const wanted = goldenTensors(family, "dpo_grads.safetensors");
    expect([...gradients.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [name, { data }] of wanted) {
      expect(relativeError(gradients.get(name)!.data, data), name).toBeLessThan(1e-4);
    }
    const means = meansOf(metrics);
    expect(Math.abs(means["chosenReward"]! - mean(expected.pairs.map((p) => p["chosen_reward"]!)))).toBeLessThan(1e-4);
    expect(Math.abs(means["rejectedReward"]! - mean(expected.pairs.map((p) => p["rejected_reward"]!)))).toBeLessThan(
      1e-4,
    );
  });

  test("reference and rewards of each pair, forward only", async () => {
    const pairs = await referenceOf(await scorer(), zerosLike(golden.adapter), pairsOf(family));
    for (const [i, wanted] of expected.pairs.entries()) {
      const { reference } = pairs[i]!;
      expect(Math.abs(reference!.chosen - wanted["ref_chosen_logp"]!)).toBeLessThan(1e-4);
      expect(Math.abs(reference!.rejected - wanted["ref_rejected_logp"]!)).toBeLessThan(1e-4);
      const means = meansOf((await measure(await scorer(), objective, golden.adapter, [pairs[i]!])).metrics);
      expect(Math.abs(means["chosenReward"]! - wanted["chosen_reward"]!)).toBeLessThan(1e-4);
      expect(Math.abs(means["rejectedReward"]! - wanted["rejected_reward"]!)).toBeLessThan(1e-4);
      expect(means["accuracy"]).toBe(wanted["chosen_reward"]! > wanted["rejected_reward"]! ? 1 : 0);
    }
  });
});

/** scripts/golden/make_objectives.py, from the papers' formulas. */
describe.each(["llama", "qwen3"])("%s against PyTorch:", (family) => {
  const { golden, scorer, step } = openFamily(family);
  const file = goldenJson(family, "objectives.json") as {
    rated: Record<string, RatedJson[]>;
    cases: CaseJson[];
    orpo_trl: { beta: number; loss: number; single: number[] };
  };
  const allGradients = goldenTensors(family, "objectives_grads.safetensors");

  describe("orpo with the likelihood of the sequence, as trl's forward computes it", () => {
    const { beta, single, ...whole } = file.orpo_trl;
    const objective = objectiveOf("orpo", { beta, likelihood: "sequence" });

    test.each(BUDGETS)("loss and every gradient of a batch, %i tokens together", async (microBatchTokens) => {
      const { loss, gradients } = await step(objective, pairsOf(family), microBatchTokens);
      expect(Math.abs(loss - whole.loss)).toBeLessThan(1e-5);
      for (const [tensor, { data }] of gradients) {
        expect(relativeError(data, allGradients.get(`orpo-trl/${tensor}`)!.data), tensor).toBeLessThan(1e-4);
      }
    });

    test("forward only: the loss of each pair alone, which is not that of the answer's likelihood", async () => {
      const ofAnswer = objectiveOf("orpo", { beta });
      for (const [i, pair] of pairsOf(family).entries()) {
        const measured = async (by: Objective): Promise<number> =>
          (await measure(await scorer(), by, golden.adapter, [pair])).loss;
        expect(Math.abs((await measured(objective)) - single[i]!)).toBeLessThan(1e-5);
        expect(Math.abs((await measured(ofAnswer)) - single[i]!)).toBeGreaterThan(1e-3);
      }
    });
  });

  describe.each(file.cases)("$title", ({ title, objective: name, settings, items: which, ...expected }) => {
    const objective = objectiveOf(name, settings);
    const items = async (): Promise<TrainingItem[]> =>
      referenceOf<TrainingItem>(
        await scorer(),
        zerosLike(golden.adapter),
        which === "pairs" ? pairsOf(family) : ratedOf(file.rated[which]!),
      );

    test.each(BUDGETS)("loss and every gradient, %i tokens together", async (microBatchTokens) => {
      const { loss, count, gradients } = await step(objective, await items(), microBatchTokens);
      expect(count).toBe(expected.values.length);
      expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
      for (const [tensor, { data }] of gradients) {
        expect(relativeError(data, allGradients.get(`${title}/${tensor}`)!.data), tensor).toBeLessThan(1e-4);
      }
    });

    test("forward only, in float64: the same loss, and each item's rewards", async () => {
      const all = await items();
      expect(
        Math.abs((await measure(await scorer(), objective, golden.adapter, all)).loss - expected.loss),
      ).toBeLessThan(1e-5);
      const divergence = await objective.divergence?.(all, async (s) => (await scorer()).score(golden.adapter, s));
      expect(Math.abs((divergence ?? 0) - expected.z0)).toBeLessThan(1e-4);
      for (const [i, wanted] of expected.values.entries()) {
        const scores = await (await scorer()).score(golden.adapter, objective.sequences(all[i]!));
        const { loss, metrics } = objective.evaluate(all[i]!, scores, divergence ?? 0);
        expect(Math.abs(loss - wanted["loss"]!)).toBeLessThan(1e-4);
        const { chosenReward, rejectedReward } = meansOf(metrics);
        const chosen = wanted["chosen_reward"] ?? wanted["reward"]!;
        const rejected = wanted["rejected_reward"] ?? wanted["reward"]!;
        if (chosenReward !== undefined) expect(Math.abs(chosenReward - chosen)).toBeLessThan(1e-4);
        if (rejectedReward !== undefined) expect(Math.abs(rejectedReward - rejected)).toBeLessThan(1e-4);
      }
    });
  });

  test("the cases hold what they are to show", () => {
    const byTitle = new Map(file.cases.map((c) => [c.title, c]));
    expect(byTitle.get("hinge-half")!.values.map(({ loss }) => loss === 0)).toContain(true);
    expect(byTitle.get("hinge-half")!.values.map(({ loss }) => loss === 0)).toContain(false);
    expect(byTitle.get("kto")!.z0).toBeGreaterThan(1);
    expect(byTitle.get("kto-weighted")!.z0).toBe(0);
    expect(new Set(file.cases.map((c) => c.objective)).size).toBe(Object.keys(OBJECTIVES).length - 1);
  });

  test("pairs whose hinges are off have no loss and no gradient", async () => {
    const pairs = await referenceOf(await scorer(), zerosLike(golden.adapter), pairsOf(family));
    const { loss, gradients } = await step(objectiveOf("hinge", { ...plain, beta: 100 }), pairs, 1000);
    expect(loss).toBe(0);
    for (const { data } of gradients.values()) expect(data.every((g) => g === 0)).toBe(true);
  });
});

describe("a step of any objective", () => {
  const { golden, scorer, step } = openFamily("llama");
  /** Uneven lengths and both kinds of item. */
  const prompts = [3, 9, 5, 1, 12].map((length, i) => Array.from({ length }, (_, j) => 3 + ((7 * i + 5 * j) % 90)));
  const answer = (seed: number, length: number): number[] =>
    Array.from({ length }, (_, j) => 3 + ((11 * seed + 3 * j * j) % 90));
  const pairs = prompts.map((prompt, i): PairExample => ({
    id: `p${i}`,
    chosen: answerTo(prompt, answer(i, 2 + 3 * i)),
    rejected: answerTo(prompt, answer(i + 20, 9 - 2 * i)),
  }));
  const rated = prompts.map((prompt, i): RatedExample => ({
    id: `r${i}`,
    answer: answerTo(prompt, answer(i, 2 + 3 * i)),
    mismatched: answerTo(prompt, answer(i + 40, 4)),
    desirable: i % 3 !== 1,
  }));
  const itemsFor = async ({ items }: Objective): Promise<TrainingItem[]> => {
    if (items === "example") return pairs.map(({ chosen }) => chosen);
    return referenceOf<TrainingItem>(await scorer(), zerosLike(golden.adapter), items === "pair" ? pairs : rated);
  };

  test.each(Object.keys(OBJECTIVES) as ObjectiveName[])(
    "%s: loss, gradient and metrics do not depend on the split, with dropout neither",
    async (name) => {
      const objective = objectiveOf(name, { ...plain, labelSmoothing: 0.1, undesirableWeight: 1.3 });
      const items = await itemsFor(objective);
      for (const [dropout, budgets] of [
        [0, [1, 60]],
        [0.4, [60]],
      ] as const) {
        const whole = await step(objective, items, 10_000, { dropout });
        for (const budget of budgets) {
          const parts = await step(objective, items, budget, { dropout });
          expect(Math.abs(parts.loss - whole.loss)).toBeLessThan(1e-5);
          expect(parts.count).toBe(whole.count);
          expect(parts.supervisedTokens).toBe(whole.supervisedTokens);
          for (const [tensor, { data }] of whole.gradients) {
            expect(relativeError(parts.gradients.get(tensor)!.data, data), tensor).toBeLessThan(2e-5);
          }
          const [a, b] = [meansOf(parts.metrics), meansOf(whole.metrics)];
          expect(Object.keys(a).sort()).toEqual(Object.keys(b).sort());
          for (const key of Object.keys(a)) expect(Math.abs(a[key]! - b[key]!), key).toBeLessThan(1e-5);
        }
        if (dropout > 0) continue;
        // The slow twin on another graph agrees, chunk by chunk.
        const measured = await measure(await scorer(), objective, golden.adapter, items);
        expect(Math.abs(measured.loss - whole.loss)).toBeLessThan(1e-5);
        expect(measured.count).toBe(whole.count);
        expect(measured.supervisedTokens).toBe(whole.supervisedTokens);
        expect(Object.keys(meansOf(measured.metrics)).sort()).toEqual(Object.keys(meansOf(whole.metrics)).sort());
      }
    },
  );

  test("dpo of an adapter that changes nothing: log 2, no reward, and accuracy at chance", async () => {
    const adapter = zerosLike(golden.adapter);
    const items = await itemsFor(objectiveOf("dpo", plain));
    const { loss, metrics } = await step(objectiveOf("dpo", plain), items, 1000, { adapter });
    expect(loss).toBeCloseTo(Math.LN2, 5);
    const { accuracy, margin } = meansOf(metrics);
    expect(accuracy).toBe(0.5);
    expect(Math.abs(margin!)).toBeLessThan(1e-5);
    const forward = meansOf((await measure(await scorer(), objectiveOf("dpo", plain), adapter, items)).metrics);
    expect(forward).toEqual({ chosenReward: 0, rejectedReward: 0, margin: 0, accuracy: 0.5 });
  });

  test("items of another kind, without a reference or without an answer are refused by name", async () => {
    const [pair] = pairs;
    await expect(step(objectiveOf("dpo", plain), [pair!.chosen], 1000)).rejects.toThrow(
      /dpo learns from pairs.*single/,
    );
    await expect(step(objectiveOf("sft", plain), [pair!], 1000)).rejects.toThrow("'p0' is a pair");
    await expect(step(objectiveOf("kto", plain), [pair!], 1000)).rejects.toThrow("'p0' is a pair");
    await expect(step(objectiveOf("dpo", plain), [pair!], 1000)).rejects.toThrow(/'p0' has none.*referenceOf/);
    const silent = { ...pair!, rejected: { ...pair!.rejected, supervised: new Uint8Array(12) } };
    await expect(step(objectiveOf("simpo", plain), [silent], 1000)).rejects.toThrow("'p0': its rejected answer");
  });

  test("kto asks for a scorer when it is opened", async () => {
    const objective = objectiveOf("kto", plain);
    await expect(
      openGradientEngine({ ...shared, ...golden, dropout: 0, microBatchTokens: 1000, objective }),
    ).rejects.toThrow("pass the `score` of a scorer");
  });
});
