/** Element storage: Float32Array for adapters and weights, Float64Array where a caller needs the extra digits. */
export type Floats = Float32Array | Float64Array;

/** A dense row-major tensor. `data.length` is the product of `shape`. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Floats;
}

/**
 * Named tensors: an adapter, an update, a gradient, an optimizer moment. Names are PEFT's
 * (`base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`). Never changed in place by library code.
 */
export type Params = ReadonlyMap<string, Tensor>;
