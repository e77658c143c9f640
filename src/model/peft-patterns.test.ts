import { expect, it } from "vitest";
import type { Params } from "../tensor/params.ts";
import { parsePeftConfig } from "./peft-config.ts";
import { hasPatterns, withoutPatterns } from "./peft-patterns.ts";

const Q0 = "model.layers.0.self_attn.q_proj";
const V1 = "model.layers.1.self_attn.v_proj";
const tensors = (ranks: Readonly<Record<string, number>>): Params =>
  new Map(
    Object.entries(ranks).map(([module, rank]) => [
      `base_model.model.${module}.lora_A.weight`,
      { shape: [rank, 2], data: new Float32Array(2 * rank) },
    ]),
  );
const peft = (more: object) => ({
  peft_type: "LORA",
  r: 4,
  lora_alpha: 8,
  target_modules: ["q_proj", "v_proj"],
  ...more,
});

it("tells patterns from names", () => {
  expect(hasPatterns(peft({ rank_pattern: { v_proj: 2 }, layers_to_transform: null, exclude_modules: [] }))).toBe(
    false,
  );
  expect(hasPatterns(peft({ target_modules: "all-linear" }))).toBe(false);
  expect(hasPatterns(peft({ target_modules: String.raw`.*\.0\..*q_proj` }))).toBe(true);
  expect(hasPatterns(peft({ layers_to_transform: 1 }))).toBe(true);
  expect(hasPatterns(peft({ alpha_pattern: { "layers.[01].q_proj": 2 } }))).toBe(true);
});

it("takes modules and ranks from the tensors, and the first alpha that matches", () => {
  const config = peft({
    target_modules: String.raw`.*(0\.self_attn\.q|1\.self_attn\.v)_proj`,
    layers_pattern: "layers",
    exclude_modules: "k_proj",
    rank_pattern: { ".*v_proj": 2 },
    alpha_pattern: { v_pro: 1, "layers\\.[12]\\..*": 16, v_proj: 32 },
  });
  expect(parsePeftConfig(withoutPatterns(config, tensors({ [Q0]: 4, [V1]: 2 }), "a"))).toEqual({
    rank: 4,
    alpha: 8,
    dropout: 0,
    targets: [Q0, V1],
    rsLora: false,
    rankPattern: { [V1]: 2 },
    alphaPattern: { [V1]: 16 },
  });
});

it.each(["(a+)+$", "(?:a|aa)*b", ".*.*.*.*x", "a{2}{3}{4}{5}", "(", String.raw`(a)\1`, "x".repeat(300)])(
  "refuses the pattern %j, which may take long to match or be wrong",
  (pattern) => {
    const config = peft({ layers_to_transform: [1], alpha_pattern: { [pattern]: 2 } });
    expect(() => withoutPatterns(config, tensors({ [V1]: 4 }), "a.json")).toThrow(
      expect.objectContaining({ kind: "model", message: expect.stringContaining("which is not supported") as string }),
    );
  },
);
