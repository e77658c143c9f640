import { describe, expect, test } from "vitest";
import { product } from "../src/graph/dims.ts";
import { interpret } from "../src/graph/interpreter.ts";
import type { NdArray } from "../src/graph/op-row.ts";
import { linear } from "../src/model/blocks-linear.ts";
import { FEEDS } from "../src/model/feeds.ts";
import { loraNames } from "../src/model/lora.ts";
import { ModelGraph } from "../src/model/model-graph.ts";
import { sequenceGradients } from "../src/model/sequence-gradients.ts";
import { onnxRuntime } from "../src/node/onnx-runtime.ts";
import { addScaled, globalNorm, type Params, scale, zerosLike } from "../src/tensor/params.ts";
import { stream } from "../src/tensor/random.ts";
import type { Example } from "../src/data/example.ts";
import type { PairExample } from "../src/data/items/pair.ts";
import type { TrainingItem } from "../src/data/items/registry.ts";
import { openGradientEngine, type StepGradients } from "../src/train/gradient-engine.ts";
import type { Objective } from "../src/train/objective.ts";
import { objectiveOf } from "../src/train/objective-registry.ts";
import { openRecordGradientEngine } from "../src/train/record-gradients.ts";
import { referenceOf } from "../src/train/reference.ts";
import { openScorer } from "../src/train/scorer.ts";
import { answerTo, GOLDEN_FAMILIES, goldenJson, openGolden, relativeError } from "./support/golden.ts";

const runtime = onnxRuntime();
const maxLength = 32;

/** Sequences of different lengths: a record's own tokens are fewer than the batch's longest. */
function examplesOf(family: string): Example[] {
  const { prompt, chosen } = goldenJson(family, "pair.json") as Record<string, number[][]>;
  return prompt!.map((tokens, i) => ({ ...answerTo(tokens, chosen![i]!.slice(0, 2 + i)), id: `record ${i}` }));
}

function pairsOf(family: string): PairExample[] {
  const { prompt, chosen, rejected } = goldenJson(family, "pair.json") as Record<string, number[][]>;
  return prompt!.map((tokens, i) => ({
    id: `pair ${i}`,
    chosen: answerTo(tokens, chosen![i]!),
    rejected: answerTo(tokens, rejected![i]!),
  }));
}

interface Setup {
  readonly objective: Objective;
  readonly microBatchTokens?: number;
  readonly dropout?: number;
}

/** The gradients of all items at once, in the order of the items. */
async function together(family: string, items: readonly TrainingItem[], setup: Setup): Promise<Params[]> {
  const golden = openGolden(family);
  const { dropout = 0, microBatchTokens = 1000, objective } = setup;
  const engine = await openRecordGradientEngine({
    ...golden,
    runtime,
    maxLength,
    dropout,
    microBatchTokens,
    objective,
  });
  const gradients: Params[] = [];
  await engine.each(
    golden.adapter,
    items,
    (...key) => stream(3, ...key),
    (place, gradient) => (gradients[place] = gradient),
  );
  await engine.dispose();
  return gradients;
}

/** The slow twin: plain steps, with `steps` of the items' places in each. */
async function plainSteps(
  family: string,
  items: readonly TrainingItem[],
  { objective, dropout = 0 }: Setup,
  steps: readonly (readonly number[])[] = items.map((_, i) => [i]),
): Promise<StepGradients[]> {
  const golden = openGolden(family);
  const engine = await openGradientEngine({
    ...golden,
    runtime,
    maxLength,
    dropout,
    microBatchTokens: 1000,
    objective,
  });
  const results: StepGradients[] = [];
  for (const places of steps) {
    const own = places.map((i) => items[i]!);
    results.push(await engine.step(golden.adapter, own, (s, module) => stream(3, own[0]!.id, s!, module!)));
  }
  await engine.dispose();
  return results;
}

function expectAlike(got: Params, expected: Params): void {
  expect([...got.keys()]).toEqual([...expected.keys()]);
  for (const [name, { data }] of expected) {
    expect(relativeError(got.get(name)!.data, data), name).toBeLessThan(2e-5);
  }
}

test("the numbers of PyTorch's autograd, one record after another: norms, factors and the sum of what is clipped", () => {
  const { per_example_lora: golden } = goldenJson("privacy", "mechanisms.json");
  const { x, W, A, B, target, lengths, norm, factor, clip } = golden;
  const [batch, length, width] = [x.length, x[0].length, x[0][0].length];
  const [out, rank] = [B.length, A.length];
  const graph = new ModelGraph({ modules: new Map([["m", { rank, scale: golden.scale }]]) }, { maxLength: length });
  const { builder } = graph;
  const rows = product(["batch", "length"]);
  const y = linear(graph, builder.input("x", "float32", [rows, width]), { name: "m", in: width, out, bias: false });
  const off = builder.op("add", [y, builder.input("minusTarget", "float32", [rows, out])], {});
  const weights = builder.input("weights", "float32", [rows, out]);
  const loss = builder.op("dot", [builder.op("multiply", [off, off], {}), weights], {});
  const names = loraNames("m");
  for (const [name, value] of sequenceGradients(graph, loss)) builder.output(name, value);
  const array = (shape: number[], nested: unknown): NdArray => ({
    shape,
    data: Float64Array.from([nested].flat(4) as number[]),
  });
  const ownMean = lengths.flatMap((own: number) =>
    Array.from({ length }, (_, t) => Array.from({ length: out }, () => (t < own ? 1 / own : 0))),
  );
  const results = interpret(
    builder.build(),
    new Map([
      [
        FEEDS.ids,
        array(
          [batch, length],
          Array.from({ length: batch * length }, () => 0),
        ),
      ],
      [FEEDS.rows, array([0], [])],
      ["x", array([batch * length, width], x)],
      [
        "minusTarget",
        array(
          [batch * length, out],
          target.flat(2).map((t: number) => -t),
        ),
      ],
      ["weights", array([batch * length, out], ownMean)],
      ["m.weight", array([out, width], W)],
      [names.a, array([rank, width], A)],
      [names.b, array([out, rank], B)],
    ]),
  );
  const records = lengths.map((_: number, i: number): Params => {
    const of = (name: string) => {
      const { shape, data } = results.get(name)!;
      const size = shape[1]! * shape[2]!;
      return { shape: shape.slice(1), data: data.slice(i * size, (i + 1) * size) };
    };
    return new Map([
      [names.a, of(names.a)],
      [names.b, of(names.b)],
    ]);
  });
  let sum: Params = zerosLike(records[0]);
  for (const [i, record] of records.entries()) {
    expect(globalNorm(record)).toBeCloseTo(norm[i], 10);
    expect(Math.min(1, clip / globalNorm(record))).toBeCloseTo(factor[i], 13);
    sum = addScaled(sum, Math.min(1, clip / globalNorm(record)), record);
  }
  expect(relativeError(sum.get(names.a)!.data, Float64Array.from(golden.clipped_sum_A.flat()))).toBeLessThan(1e-13);
  expect(relativeError(sum.get(names.b)!.data, Float64Array.from(golden.clipped_sum_B.flat()))).toBeLessThan(1e-13);
});

describe("a record's gradient is that of a step with this record alone", () => {
  test.each(GOLDEN_FAMILIES)("sft, %s", async (family) => {
    const items = examplesOf(family);
    const objective = objectiveOf("sft");
    const twins = await plainSteps(family, items, { objective });
    const gradients = await together(family, items, { objective });
    expect(gradients).toHaveLength(items.length);
    for (const [i, gradient] of gradients.entries()) expectAlike(gradient, twins[i]!.gradients);
  });

  test.each(["dpo", "ipo", "hinge", "simpo", "orpo"] as const)("%s: the pair is the record", async (name) => {
    const family = "llama";
    const golden = openGolden(family);
    const objective = objectiveOf(name, { labelSmoothing: 0.1 });
    const scorer = await openScorer({ ...golden, runtime, maxLength, microBatchTokens: 1000 });
    const pairs = pairsOf(family);
    const items = objective.reference ? await referenceOf(scorer, zerosLike(golden.adapter), pairs) : pairs;
    await scorer.dispose();
    const twins = await plainSteps(family, items, { objective });
    const gradients = await together(family, items, { objective });
    for (const [i, gradient] of gradients.entries()) expectAlike(gradient, twins[i]!.gradients);
    // The loss of a step is the mean over its pairs, so the mean of their gradients is today's gradient.
    const [all] = await plainSteps(family, items, { objective }, [items.map((_, i) => i)]);
    const sum = gradients.reduce((total, gradient) => addScaled(total, 1, gradient));
    expectAlike(scale(sum, 1 / items.length), all!.gradients);
  });

  test("with dropout: its masks are its own, whatever else is in the step", async () => {
    const setup = { objective: objectiveOf("sft"), dropout: 0.3 };
    const items = examplesOf("llama");
    const twins = await plainSteps("llama", items, setup);
    const gradients = await together("llama", items, setup);
    for (const [i, gradient] of gradients.entries()) expectAlike(gradient, twins[i]!.gradients);
    const [, second, ...others] = items;
    const [alone] = await together("llama", [second!, ...others], setup);
    expectAlike(alone!, gradients[1]!);
  });
});

test("the split into micro-batches changes rounding alone", async () => {
  const setup = { objective: objectiveOf("sft") };
  const items = [...examplesOf("qwen3"), ...examplesOf("qwen3").map((item) => ({ ...item, id: `${item.id} again` }))];
  const one = await together("qwen3", items, { ...setup, microBatchTokens: 1 });
  const all = await together("qwen3", items, setup);
  for (const [i, gradient] of all.entries()) expectAlike(gradient, one[i]!);
});

test("by supervised tokens the records' gradients make today's gradient of sft", async () => {
  const objective = objectiveOf("sft");
  const items = examplesOf("llama");
  const gradients = await together("llama", items, { objective });
  const counts = items.map((item) => objective.count(item));
  const tokens = counts.reduce((a, b) => a + b, 0);
  const weighted = gradients.map((gradient, i) => scale(gradient, counts[i]! / tokens));
  const [all] = await plainSteps("llama", items, { objective }, [items.map((_, i) => i)]);
  expectAlike(
    weighted.reduce((total, gradient) => addScaled(total, 1, gradient)),
    all!.gradients,
  );
});

test.each([
  ["kto", {}, "kto: its reference point is a mean over the batch"],
  ["orpo", { likelihood: "sequence" }, "orpo: its likelihood is a mean over the tokens of the batch"],
] as const)("%s %o is refused: a record has no loss of its own", async (name, settings, message) => {
  const objective = objectiveOf(name, settings);
  const engine = openRecordGradientEngine({
    ...openGolden("llama"),
    runtime,
    maxLength,
    dropout: 0,
    microBatchTokens: 1000,
    objective,
  });
  await expect(engine).rejects.toThrow(message);
});
