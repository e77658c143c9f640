import type { DType, TensorData } from "../graph/value.ts";

/** One weight as it is stored. A quantised weight is several of them, codes and scales, each under its own name. */
export interface WeightTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** The frozen base weights of one model, by Hugging Face name (`model.layers.0.self_attn.q_proj.weight`). */
export interface Weights {
  /** Changes if any weight does. A run's identity depends on it. */
  readonly fingerprint: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads one tensor (a copy). Throws a `UserError` of kind `model` for a name the model does not have. */
  read(name: string): Promise<WeightTensor>;
  /** A file that a runtime in the same process can map instead of copying the bytes; absent where there is none. */
  readonly file?: WeightsFile;
}

/** All weights in one file, little-endian. */
export interface WeightsFile {
  readonly path: string;
  /** Byte offset of each tensor, a multiple of 4096. */
  readonly offsets: ReadonlyMap<string, number>;
}
