import { expect, test } from "vitest";
import { openGolden } from "../../test/support/golden.ts";
import { stream } from "../tensor/random.ts";
import { initAdapter, loraShape } from "./adapter.ts";
import { joinAdapter } from "./joined-adapter.ts";
import { loraNames } from "./lora.ts";

const { modelConfig: config } = openGolden("llama");
const layer = "model.layers.1";
const projections = ["q_proj", "k_proj", "v_proj"].map((name) => `${layer}.self_attn.${name}`);

function adapterOf(targets: readonly string[], rank = 3, rankPattern: Record<string, number> = {}) {
  const random = stream(1, "adapter");
  // Twice as large an alpha as rank, whatever the rank: one scale for all.
  const alphaPattern = Object.fromEntries(Object.entries(rankPattern).map(([name, own]) => [name, 2 * own]));
  const settings = { rank, alpha: 2 * rank, dropout: 0, targets, rsLora: false, rankPattern, alphaPattern };
  const adapter = new Map(
    [...initAdapter(settings, config, 1)].map(([name, { shape, data }]) => [
      name,
      { shape, data: Float32Array.from(data, () => random.uniform() - 0.5) },
    ]),
  );
  return { adapter, lora: loraShape(settings, config) };
}

/** The transposed matrix times a row. */
function times(x: readonly number[], { shape, data }: { shape: readonly number[]; data: ArrayLike<number> }): number[] {
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: rows }, (_, i) => x.reduce((sum, value, j) => sum + value * data[i * columns + j]!, 0));
}

test.each([
  ["q and v", ["q_proj", "v_proj"], {}],
  ["k alone", ["k_proj"], {}],
  ["all", ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"], {}],
  ["all, each of its own rank", ["q_proj", "k_proj", "v_proj"], { k_proj: 5, v_proj: 1 }],
])("what the joined matrices add is what each module's own would: %s", (_, targets, ranks: Record<string, number>) => {
  const { adapter, lora } = adapterOf(targets, 3, ranks);
  const joined = joinAdapter(config, lora, adapter);
  const x = Array.from({ length: config.hiddenSize }, (_value, i) => Math.sin(i + 1));
  const wanted = projections.flatMap((module, i) => {
    const { a, b } = loraNames(module);
    const out = (i === 0 ? config.heads : config.kvHeads) * config.headDim;
    if (!lora.modules.has(module)) return Array.from({ length: out }, () => 0);
    return times(times(x, adapter.get(a)!), adapter.get(b)!);
  });
  const names = loraNames(`${layer}.self_attn.qkv_proj`);
  const got = times(times(x, joined.get(names.a)!), joined.get(names.b)!);
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 12));
});

test.each([
  ["other modules", ["down_proj", "o_proj"], 3],
  ["projections whose ranks are large together", ["q_proj", "v_proj"], 17],
])("%s keep their tensors", (_, targets, rank) => {
  const { adapter, lora } = adapterOf(targets, rank);
  expect(joinAdapter(config, lora, adapter)).toEqual(adapter);
});

test("a missing tensor is named", () => {
  const { adapter, lora } = adapterOf(["v_proj"]);
  const { b } = loraNames(`${layer}.self_attn.v_proj`);
  adapter.delete(b);
  expect(() => joinAdapter(config, lora, adapter)).toThrow(`the adapter has no tensor ${b}`);
});

test("projections of unlike scales keep their tensors: a product has one", () => {
  const settings = { rank: 3, alpha: 6, dropout: 0, targets: ["q_proj", "v_proj"], rsLora: false };
  const shape = loraShape({ ...settings, alphaPattern: { v_proj: 3 } }, config);
  const adapter = initAdapter(settings, config, 1);
  expect([...shape.modules.values()].map(({ scale }) => scale)).toEqual([2, 1, 2, 1]);
  expect(joinAdapter(config, shape, adapter)).toEqual(adapter);
});
