/** The frozen base weights of one model, by Hugging Face name (`model.layers.0.self_attn.q_proj.weight`), as float32. */
export interface Weights {
  /** Changes whenever any weight does; the identity a run is bound to. */
  readonly fingerprint: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads one tensor (a copy). Throws a `UserError` of kind `model` for a name the model does not have. */
  read(name: string): Promise<Float32Array>;
  /** Where a runtime in the same process can map the bytes instead of copying them; absent where there is no such file. */
  readonly file?: WeightsFile;
}

/** All weights as little-endian float32 in one file. */
export interface WeightsFile {
  readonly path: string;
  /** Byte offset of each tensor, a multiple of 4096. */
  readonly offsets: ReadonlyMap<string, number>;
}
