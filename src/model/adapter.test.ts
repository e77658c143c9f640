import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { decodeSafetensors } from "../tensor/safetensors.ts";
import { type AdapterConfig, adapterShapes, checkAdapter, initAdapter, loraShape, targetModules } from "./adapter.ts";
import { GOLDEN_FAMILIES } from "../../test/support/golden.ts";
import { parseModelConfig } from "./families/registry.ts";
import { parsePeftConfig, toPeftConfig } from "./peft-config.ts";

const noParams = new Map();
const golden = (path: string): Buffer => readFileSync(new URL(`../../test/golden/${path}`, import.meta.url));
const json = (path: string): unknown => JSON.parse(golden(path).toString());
const llama = parseModelConfig(json("llama/model/config.json"), "config.json");
const lora = (rest: Partial<AdapterConfig> = {}): AdapterConfig => ({
  rank: 4,
  alpha: 8,
  dropout: 0,
  targets: ["q_proj", "v_proj"],
  rsLora: false,
  ...rest,
});

const names = (targets: AdapterConfig["targets"]): string[] => targetModules(llama, targets).map(({ name }) => name);
/** The error a call throws. */
function errorOf(call: () => unknown): UserError {
  try {
    call();
  } catch (thrown) {
    return thrown as UserError;
  }
  throw new Error("did not throw");
}
const change = (edit: (params: Map<string, { shape: number[]; data: Float32Array }>) => void): (() => void) => {
  const params = new Map(
    [...adapterShapes(lora(), llama)].map(([name, shape]) => [
      name,
      { shape: [...shape], data: new Float32Array(shape[0]! * shape[1]!) },
    ]),
  );
  edit(params);
  return () => checkAdapter(params, lora(), llama, "dir");
};
const peft = (rest: object = {}): unknown => ({ ...toPeftConfig(lora(), noParams, "org/base"), ...rest });

describe("targetModules", () => {
  it("matches whole names and dotted endings, as PEFT does", () => {
    expect(names(["v_proj", "q_proj"])).toEqual([
      "model.layers.0.self_attn.q_proj",
      "model.layers.0.self_attn.v_proj",
      "model.layers.1.self_attn.q_proj",
      "model.layers.1.self_attn.v_proj",
    ]);
    expect(names(["self_attn.o_proj"])).toHaveLength(2);
    expect(names(["model.layers.1.mlp.up_proj"])).toEqual(["model.layers.1.mlp.up_proj"]);
    expect(names("all-linear")).toHaveLength(14);
    expect(names("all-linear")).not.toContain("lm_head");
  });

  it("refuses a target that matches nothing and names the nearest", () => {
    for (const target of ["qproj", "proj", "layers.2.mlp.up_proj"])
      expect(() => names([target])).toThrow(`'${target}'`);
    expect(errorOf(() => names(["q_proj", "gate_porj"]))).toBeInstanceOf(UserError);
    expect(errorOf(() => names(["q_proj", "gate_porj"])).hint).toBe(
      "Did you mean 'gate_proj'? Legal: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, or all-linear.",
    );
    expect(() => names([])).toThrow("no target modules");
  });
});

describe("initAdapter", () => {
  const adapter = lora({ rank: 64, targets: "all-linear" });
  const params = initAdapter(adapter, llama, 7);

  it("A is uniform in ±1/√in, B is zero", () => {
    for (const [name, { shape, data }] of params) {
      if (name.endsWith("lora_B.weight")) {
        expect(data.every((x) => x === 0)).toBe(true);
        continue;
      }
      const bound = 1 / Math.sqrt(shape[1]!);
      const variance = Float64Array.from(data).reduce((sum, x) => sum + x * x, 0) / data.length;
      expect(Math.max(...data.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.max(...data.map(Math.abs))).toBeGreaterThan(bound * 0.99);
      // Standard error of the mean square of n uniforms: bound²·√(4/45)/√n.
      expect(Math.abs(variance - bound ** 2 / 3)).toBeLessThan(
        (4 * bound ** 2 * Math.sqrt(4 / 45)) / Math.sqrt(data.length),
      );
    }
    checkAdapter(params, adapter, llama);
  });

  it("each tensor depends on the seed and its name alone", () => {
    const few = initAdapter(lora({ rank: 64, targets: ["down_proj", "q_proj"] }), llama, 7);
    for (const [name, tensor] of few) expect(params.get(name)).toEqual(tensor);
    const name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
    expect(initAdapter(adapter, llama, 8).get(name)).not.toEqual(params.get(name));
    expect(params.get(name)!.data).not.toEqual(params.get(name.replace("q_proj", "k_proj"))!.data);
  });
});

describe("loraShape", () => {
  const q0 = "model.layers.0.self_attn.q_proj";
  const q1 = "model.layers.1.self_attn.q_proj";
  const v0 = "model.layers.0.self_attn.v_proj";
  const of = (rest: Partial<AdapterConfig>) => loraShape(lora(rest), llama).modules;

  it("scales by alpha/rank, or by alpha/√rank", () => {
    expect(of({}).get(q0)).toEqual({ rank: 4, scale: 2 });
    expect(of({ rsLora: true }).get(q0)).toEqual({ rank: 4, scale: 4 });
  });

  it("gives a module the rank and alpha of the first pattern that matches it", () => {
    const patterns = {
      rankPattern: { [q1]: 16, q_proj: 2, "attn.v_proj": 9 },
      alphaPattern: { "self_attn.v_proj": 1 },
    };
    const modules = of(patterns);
    expect([q0, q1, v0].map((name) => modules.get(name))).toEqual([
      { rank: 2, scale: 4 },
      { rank: 16, scale: 0.5 },
      { rank: 4, scale: 0.25 },
    ]);
    expect(of({ ...patterns, rsLora: true }).get(q1)).toEqual({ rank: 16, scale: 2 });
    const shapes = adapterShapes(lora(patterns), llama);
    expect(shapes.get(`base_model.model.${q1}.lora_A.weight`)).toEqual([16, 32]);
    expect(shapes.get(`base_model.model.${q0}.lora_B.weight`)).toEqual([32, 2]);
  });
});

describe.each(GOLDEN_FAMILIES)("PEFT's adapter of golden %s", (family) => {
  const model = parseModelConfig(json(`${family}/model/config.json`), "config.json");

  it("is read, and has the tensors we expect of it", () => {
    const adapter = parsePeftConfig(json(`${family}/adapter/adapter_config.json`));
    expect(adapter).toMatchObject({ rank: 4, alpha: 8, dropout: 0, rsLora: false });
    expect(targetModules(model, adapter.targets)).toEqual(targetModules(model, "all-linear"));
    checkAdapter(decodeSafetensors(golden(`${family}/adapter/adapter_model.safetensors`)), adapter, model);
  });
});

describe("checkAdapter", () => {
  const name = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";

  it("names the tensor and both shapes", () => {
    expect(change(() => {})).not.toThrow();
    expect(change((p) => p.set(name, { shape: [4, 16], data: new Float32Array(64) }))).toThrow(
      `dir: tensor ${name} is [4, 16], expected [16, 4]`,
    );
    expect(change((p) => p.delete(name))).toThrow(`dir: tensor ${name} is missing, expected [16, 4]`);
    expect(change((p) => p.set("x", { shape: [1], data: new Float32Array(1) }))).toThrow(
      "tensor x [1] belongs to no target",
    );
    expect(change((p) => p.get(name)!.data.fill(Number.NaN))).toThrow(`${name} has values that are not finite`);
  });
});

describe("adapter_config.json", () => {
  it("round-trips", () => {
    const adapter = lora({ alpha: 16.5, dropout: 0.05, rsLora: true });
    expect(parsePeftConfig(JSON.parse(JSON.stringify(toPeftConfig(adapter, noParams, "org/base"))))).toEqual(adapter);
    const all = parsePeftConfig(
      toPeftConfig(lora({ targets: "all-linear" }), initAdapter(lora({ targets: "all-linear" }), llama, 1), "org/base"),
    );
    expect(targetModules(llama, all.targets)).toEqual(targetModules(llama, "all-linear"));
    expect(toPeftConfig(lora(), noParams, "org/base")).toMatchObject({
      base_model_name_or_path: "org/base",
      peft_type: "LORA",
    });
  });

  it("names the modules of all-linear, and says whose weights are [in, out]", () => {
    const written = (family: string) => {
      const model = parseModelConfig(json(`${family}/model/config.json`), family);
      const all = lora({ targets: "all-linear" });
      const { target_modules, fan_in_fan_out } = toPeftConfig(all, initAdapter(all, model, 1), "org/base");
      return [target_modules, fan_in_fan_out];
    };
    expect(written("llama")).toEqual([
      ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
      false,
    ]);
    expect(written("phi3")).toEqual([["o_proj", "down_proj", "gate_up_proj", "qkv_proj"], false]);
    expect(written("gpt2")).toEqual([["c_attn", "c_fc", "c_proj"], true]);
  });

  it("round-trips ranks and alphas of single modules, in their order", () => {
    const adapter = lora({ rankPattern: { v_proj: 2, "self_attn.q_proj": 16 }, alphaPattern: { q_proj: 0.5 } });
    const read = parsePeftConfig(JSON.parse(JSON.stringify(toPeftConfig(adapter, noParams, "org/base"))));
    expect(read).toEqual(adapter);
    expect(Object.keys(read.rankPattern!)).toEqual(["v_proj", "self_attn.q_proj"]);
    expect(Object.keys(toPeftConfig(lora(), noParams, "org/base")).filter((key) => key.endsWith("_pattern"))).toEqual(
      [],
    );
  });

  it("reads what older and newer PEFT write", () => {
    expect(parsePeftConfig({ peft_type: "LORA", target_modules: ["q_proj"] })).toEqual({
      rank: 8,
      alpha: 8,
      dropout: 0,
      targets: ["q_proj"],
      rsLora: false,
    });
    expect(parsePeftConfig(peft({ target_modules: "all-linear" })).targets).toBe("all-linear");
    expect(parsePeftConfig(peft({ target_modules: "model.layers.0.mlp.up_proj" })).targets).toEqual([
      "model.layers.0.mlp.up_proj",
    ]);
    expect(() => parsePeftConfig(peft({ some_new_option: null, other: {}, another: false }))).not.toThrow();
  });

  it.each([
    [{ peft_type: "IA3" }, 'peft_type is "IA3"; only LORA is supported'],
    [{ bias: "all" }, 'bias is "all"'],
    [{ use_dora: true }, "use_dora is set: DoRA"],
    [{ rank_pattern: { ".*q_proj": 8 } }, "rank_pattern names the pattern '.*q_proj'; only names of modules"],
    [{ rank_pattern: { q_proj: 1.5 } }, "rank_pattern gives q_proj 1.5, expected a whole number above 0"],
    [{ alpha_pattern: { q_proj: 0 } }, "alpha_pattern gives q_proj 0, expected a number above 0"],
    [{ alpha_pattern: ["q_proj"] }, 'alpha_pattern is ["q_proj"], expected an object of numbers by module name'],
    [{ modules_to_save: ["lm_head"] }, "modules_to_save is set"],
    [{ layers_to_transform: [0] }, "layers_to_transform is set"],
    [{ layers_to_transform: 0 }, "layers_to_transform is set"],
    [{ init_lora_weights: "pissa" }, "changes the base weights"],
    [{ task_type: "SEQ_CLS" }, "CAUSAL_LM is supported"],
    [{ use_qalora: true }, "use_qalora is set, which is not a known setting"],
    [{ target_modules: ".*\\.q_proj$" }, "is the pattern"],
    [{ target_modules: null }, "expected a list of module names"],
    [{ r: 0 }, "r is 0"],
    [{ lora_alpha: "8" }, 'lora_alpha is "8"'],
    [{ lora_dropout: 1 }, "lora_dropout is 1"],
  ])("refuses %j", (rest, message) => {
    expect(() => parsePeftConfig(peft(rest), "a/adapter_config.json")).toThrow(message);
    expect(() => parsePeftConfig(peft(rest))).toThrow(UserError);
  });
});
