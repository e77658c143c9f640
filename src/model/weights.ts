import type { DType, TensorData } from "../graph/value.ts";

/** One weight as it is stored. A quantised one comes in several, its codes and its scales, each under its own name. */
export interface WeightTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** The frozen base weights of one model, by Hugging Face name (`model.layers.0.self_attn.q_proj.weight`). */
export interface Weights {
  /** Changes whenever any weight does; the identity a run is bound to. */
  readonly fingerprint: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads one tensor (a copy). Throws a `UserError` of kind `model` for a name the model does not have. */
  read(name: string): Promise<WeightTensor>;
  /** Where a runtime in the same process can map the bytes instead of copying them; absent where there is no such file. */
  readonly file?: WeightsFile;
}

/** All weights in one file, little-endian. */
export interface WeightsFile {
  readonly path: string;
  /** Byte offset of each tensor, a multiple of 4096. */
  readonly offsets: ReadonlyMap<string, number>;
}
