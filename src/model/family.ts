import type { Value } from "../graph/value.ts";
import type { ConfigFields } from "./config-fields.ts";
import type { ModelConfig } from "./config.ts";
import type { GgufRules } from "./gguf-rules.ts";
import type { ModelGraph } from "./model-graph.ts";

/**
 * One linear layer of the decoder. Its weight `<name>.weight` is [out, in], or [in, out] where it is transposed; its bias, if
 * any, is `<name>.bias` [out].
 */
export interface LinearModule {
  /** `model.layers.0.self_attn.q_proj` */
  readonly name: string;
  readonly in: number;
  readonly out: number;
  readonly bias: boolean;
  /** True: the weight is [in, out] (GPT-2's Conv1D). */
  readonly transposed?: boolean;
  /** Name of the one product that decoding makes of all modules of one input with the same name here. */
  readonly joinedAs?: string;
}

/**
 * All rules for the models of one `model_type`. A family composes its layers from the blocks (`blocks-*.ts`);
 * `registry.ts` lists it.
 */
export interface ModelFamily<C extends ModelConfig = ModelConfig> {
  /** `model_type` of `config.json`. */
  readonly modelType: string;
  /** The family's name in prose. */
  readonly title: string;
  /** Reads `config.json`; absent keys have the defaults of transformers. Throws a `UserError` of kind `model`. */
  parse(fields: ConfigFields): C;
  /** Every linear layer but the LM head, in the order data passes them. */
  linears(config: C): readonly LinearModule[];
  /** Hugging Face name → shape of the base weights, in the order data passes them. */
  tensors(config: C): ReadonlyMap<string, readonly number[]>;
  /** Embeds the ids: the first layer's input [tokens, hidden]. */
  embed(graph: ModelGraph, config: C): Value;
  /** [tokens, hidden] → [tokens, hidden]; the last layer → [rows, hidden] (`chosenRows`). */
  layer(graph: ModelGraph, config: C, x: Value, layer: number): Value;
  /** [rows, hidden] → logits [rows, vocabulary]. */
  head(graph: ModelGraph, config: C, x: Value): Value;
  /** Name of the embedding table. */
  readonly embedding: string;
  /** The family in llama.cpp's file format; absent: it is not exported to it. */
  readonly gguf?: GgufRules<C>;
}
