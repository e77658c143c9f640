import type { Platform } from "../experiment/ports.ts";
import { fileReader } from "./files.ts";
import { openModel } from "./model-source.ts";
import { onnxRuntime } from "./onnx-runtime.ts";

export interface NodePlatformOptions {
  /** What relative paths in a configuration are relative to. Default: the working directory. */
  readonly baseDir?: string;
  readonly threads?: number | undefined;
}

/** Node's side of every port an experiment needs. */
export function nodePlatform({ baseDir = process.cwd(), threads }: NodePlatformOptions = {}): Platform {
  return {
    files: fileReader(baseDir),
    runtime: onnxRuntime(threads === undefined ? {} : { threads }),
    openModel: (ref) => openModel(ref, { baseDir }),
  };
}
