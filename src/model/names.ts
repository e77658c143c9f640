import { UserError } from "../diagnostics/user-error.ts";
import { formatShape, sameShape } from "../tensor/params.ts";
import type { ModelConfig } from "./config.ts";

/** One linear layer of the decoder. Its weight `<name>.weight` is [out, in], its bias, if any, `<name>.bias` [out]. */
export interface LinearModule {
  /** `model.layers.0.self_attn.q_proj` */
  readonly name: string;
  readonly layer: number;
  readonly in: number;
  readonly out: number;
  readonly bias: boolean;
}

/** Every linear layer but the LM head, in the order data passes them. */
export function linearModules(config: ModelConfig): readonly LinearModule[] {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, qkvBias, outputBias, mlpBias } = config;
  return Array.from({ length: config.layers }, (_, layer): LinearModule[] => {
    const module = (name: string, inSize: number, outSize: number, bias: boolean): LinearModule => ({
      name: `model.layers.${layer}.${name}`,
      layer,
      in: inSize,
      out: outSize,
      bias,
    });
    return [
      module("self_attn.q_proj", hiddenSize, heads * headDim, qkvBias),
      module("self_attn.k_proj", hiddenSize, kvHeads * headDim, qkvBias),
      module("self_attn.v_proj", hiddenSize, kvHeads * headDim, qkvBias),
      module("self_attn.o_proj", heads * headDim, hiddenSize, outputBias),
      module("mlp.gate_proj", hiddenSize, intermediateSize, mlpBias),
      module("mlp.up_proj", hiddenSize, intermediateSize, mlpBias),
      module("mlp.down_proj", intermediateSize, hiddenSize, mlpBias),
    ];
  }).flat();
}

/** The base weights a configuration implies: Hugging Face name → shape, in the order data passes them. */
export function expectedTensors(config: ModelConfig): ReadonlyMap<string, readonly number[]> {
  const { vocabSize, hiddenSize, headDim, layers, qkNorm, tiedHead } = config;
  const shapes = new Map<string, readonly number[]>([["model.embed_tokens.weight", [vocabSize, hiddenSize]]]);
  const modules = linearModules(config);
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [hiddenSize]);
    for (const { name, in: inSize, out: outSize, bias } of modules.filter((module) => module.layer === layer)) {
      shapes.set(`${name}.weight`, [outSize, inSize]);
      if (bias) shapes.set(`${name}.bias`, [outSize]);
    }
    if (qkNorm) {
      shapes.set(`${prefix}.self_attn.q_norm.weight`, [headDim]);
      shapes.set(`${prefix}.self_attn.k_norm.weight`, [headDim]);
    }
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [hiddenSize]);
  }
  shapes.set("model.norm.weight", [hiddenSize]);
  if (!tiedHead) shapes.set("lm_head.weight", [vocabSize, hiddenSize]);
  return shapes;
}

/**
 * Throws a `UserError` of kind `model` that names `where`, the tensor, its shape and the expected one, if any tensor the
 * configuration implies is missing or misshapen. Tensors beyond those are allowed: checkpoints carry unused buffers.
 */
export function checkShapes(shapes: ReadonlyMap<string, readonly number[]>, config: ModelConfig, where: string): void {
  const fail = (problem: string): UserError =>
    new UserError("model", `${where}: tensor ${problem}`, {
      hint: "Take config.json and the weights from the same model, all of its files.",
    });
  for (const [name, expected] of expectedTensors(config)) {
    const got = shapes.get(name);
    if (got === undefined) throw fail(`${name} is missing; config.json implies it, ${formatShape(expected)}`);
    if (!sameShape(got, expected)) {
      throw fail(`${name} is ${formatShape(got)}, but config.json implies ${formatShape(expected)}`);
    }
  }
}
