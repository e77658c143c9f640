import os from "node:os";
import type { Platform } from "../experiment/ports.ts";
import { fileReader } from "./files.ts";
import { openModel, type ModelOptions } from "./model-source.ts";
import { onnxRuntime } from "./onnx-runtime.ts";

export interface NodePlatformOptions {
  /** What relative paths in a configuration are relative to. Default: the working directory. */
  readonly baseDir?: string;
  /** Default: one a processor. */
  readonly threads?: number | undefined;
  /** Told how far the first conversion of a base's weights is. */
  readonly onConvert?: ModelOptions["onProgress"];
}

/** Node's side of every port an experiment needs. */
export function nodePlatform({
  baseDir = process.cwd(),
  threads = os.availableParallelism(),
  onConvert,
}: NodePlatformOptions = {}): Platform {
  return {
    files: fileReader(baseDir),
    runtime: onnxRuntime({ threads }),
    threads,
    openModel: (ref) => openModel(ref, { baseDir, ...(onConvert && { onProgress: onConvert }) }),
  };
}
