import os from "node:os";
import path from "node:path";
import type { Platform } from "../experiment/ports.ts";
import { fileReader } from "./files.ts";
import { openEncodingHelp } from "./encoding/encoding-help.ts";
import { type HubOptions, lazyHub } from "./hub/hub.ts";
import { loadAdapter } from "./model/adapter-files.ts";
import { openModel, type ModelOptions } from "./model/model-source.ts";
import { onnxRuntime } from "./onnx-runtime.ts";
import { findTrainedAdapter } from "./trained-adapter.ts";

export interface NodePlatformOptions extends Pick<HubOptions, "onDownload" | "onNote" | "signal"> {
  /** The start of relative paths in a configuration. Default: the working directory. */
  readonly baseDir?: string;
  /** Default: one for each processor. */
  readonly threads?: number | undefined;
  /** Gets the progress of the first conversion of a base's weights. */
  readonly onConvert?: ModelOptions["onProgress"];
}

/** Node's side of every port an experiment needs. */
export function nodePlatform({
  baseDir = process.cwd(),
  threads = os.availableParallelism(),
  onConvert,
  ...hubOptions
}: NodePlatformOptions = {}): Platform {
  const hub = lazyHub(hubOptions);
  return {
    files: fileReader(baseDir, hub),
    runtime: onnxRuntime({ threads }),
    threads,
    openModel: (ref) =>
      openModel(ref, {
        baseDir,
        hub,
        ...(onConvert && { onProgress: onConvert }),
        ...(hubOptions.onNote && { onNote: hubOptions.onNote }),
      }),
    openAdapter: loadAdapter,
    async openTrainedAdapter(ref) {
      // What the base is called does not matter here.
      const { folder, run } = await findTrainedAdapter(path.resolve(baseDir, ref), "-");
      return { ...(await loadAdapter(folder)), baseHash: run?.baseHash };
    },
    openEncodingHelp: (setup, records) => openEncodingHelp(setup, records, threads),
  };
}
