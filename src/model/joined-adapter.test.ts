import { expect, test } from "vitest";
import { openGolden } from "../../test/support/golden.ts";
import { stream } from "../tensor/random.ts";
import { initAdapter } from "./adapter.ts";
import { joinAdapter } from "./joined-adapter.ts";
import { loraNames } from "./lora.ts";

const { config } = openGolden("llama");
const [rank, layer] = [3, "model.layers.1"];
const projections = ["q_proj", "k_proj", "v_proj"].map((name) => `${layer}.self_attn.${name}`);

function adapterOf(targets: readonly string[]) {
  const random = stream(1, "adapter");
  const adapter = new Map(
    [...initAdapter({ rank, alpha: 6, dropout: 0, targets, rsLora: false }, config, 1)].map(
      ([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data, () => random.uniform() - 0.5) }],
    ),
  );
  const modules = new Set([...adapter.keys()].map((name) => name.replace(/^base_model\.model\.(.*)\.lora_.*$/, "$1")));
  return { adapter, lora: { rank, scale: 2, modules } };
}

/** Row of `x` times a matrix that lies transposed, [out, in], or not. */
function times(x: readonly number[], shape: readonly number[], data: ArrayLike<number>, transposed: boolean): number[] {
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: transposed ? rows : columns }, (_, i) =>
    x.reduce((sum, value, j) => sum + value * data[transposed ? i * columns + j! : j * columns + i]!, 0),
  );
}

test.each([
  ["q and v", ["q_proj", "v_proj"]],
  ["k alone", ["k_proj"]],
  ["all", ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"]],
])("what the joined matrices add is what each module's own would: %s", (_, targets) => {
  const { adapter, lora } = adapterOf(targets);
  const joined = joinAdapter(config, lora, adapter);
  const x = Array.from({ length: config.hiddenSize }, (_value, i) => Math.sin(i + 1));
  const wanted = projections.flatMap((module, i) => {
    const { a, b } = loraNames(module);
    const out = (i === 0 ? config.heads : config.kvHeads) * config.headDim;
    if (!lora.modules.has(module)) return Array.from({ length: out }, () => 0);
    const [down, up] = [adapter.get(a)!, adapter.get(b)!];
    return times(times(x, down.shape, down.data, true), up.shape, up.data, true);
  });
  const names = loraNames(`${layer}.self_attn.qkv_proj`);
  const [down, up] = [joined.get(names.a)!, joined.get(names.b)!];
  const got = times(times(x, down.shape, down.data, true), up.shape, up.data, false);
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 12));
});

test("other modules keep their A and get their B transposed", () => {
  const { adapter, lora } = adapterOf(["down_proj"]);
  const joined = joinAdapter(config, lora, adapter);
  expect([...joined.keys()].toSorted()).toEqual([...adapter.keys()].toSorted());
  const { a, b } = loraNames(`${layer}.mlp.down_proj`);
  expect(joined.get(a)).toBe(adapter.get(a));
  const [before, after] = [adapter.get(b)!, joined.get(b)!];
  expect(after.shape).toEqual(before.shape.toReversed());
  const last = config.hiddenSize - 1;
  expect(after.data[config.hiddenSize + last]).toBe(before.data[last * rank + 1]);
});

test("a missing tensor is named", () => {
  const { adapter, lora } = adapterOf(["v_proj"]);
  const { b } = loraNames(`${layer}.self_attn.v_proj`);
  adapter.delete(b);
  expect(() => joinAdapter(config, lora, adapter)).toThrow(`the adapter has no tensor ${b}`);
});
