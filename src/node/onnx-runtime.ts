import { createHash, randomUUID } from "node:crypto";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as ort from "onnxruntime-node";
import { encodeOnnx } from "../graph/onnx.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { Runtime, RuntimeTensor } from "../train/runtime.ts";
import { storageError } from "./store/durable-file.ts";

export interface OnnxRuntimeOptions {
  /**
   * Threads of one operation; default: the engine's choice. Most shapes give the same bits with any number, but where a
   * product has more columns than rows the engine may split its sums by the number of threads.
   */
  readonly threads?: number;
  /** File to write a profile of the engine's operations to (a chrome://tracing JSON), for benchmarks. */
  readonly profile?: string;
}

/** The Runtime port on `onnxruntime-node`'s CPU provider. */
export function onnxRuntime({ threads, profile }: OnnxRuntimeOptions = {}): Runtime {
  return {
    async load(graph, weights) {
      const { file } = weights;
      if (file === undefined) throw new Error("onnxRuntime needs weights that lie in a file");
      const model = encodeOnnx(graph, {
        location: path.basename(file.path),
        offset(name) {
          const offset = file.offsets.get(name);
          if (offset === undefined) throw new UserError("model", `the base model has no weight '${name}'`);
          return offset;
        },
      });
      const session = await ort.InferenceSession.create(placeModel(path.dirname(file.path), model), {
        executionProviders: ["cpu"],
        interOpNumThreads: 1,
        // Without it the arena keeps a plan for each shape it has seen: 1.8 times the memory, same speed.
        enableMemPattern: false,
        logSeverityLevel: 3,
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
        ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      });
      return {
        async run(feeds, outputs) {
          const inputs: Record<string, ort.Tensor> = {};
          for (const [name, { shape, data }] of feeds) {
            inputs[name] = new ort.Tensor(data instanceof BigInt64Array ? "int64" : "float32", data, shape);
          }
          const results = await session.run(inputs, outputs);
          return new Map(
            outputs.map((name): [string, RuntimeTensor] => {
              const { dims, data } = results[name]!;
              return [name, { shape: dims, data: data as Float32Array | BigInt64Array }];
            }),
          );
        },
        async dispose() {
          if (profile !== undefined) session.endProfiling();
          await session.release();
        },
      };
    },
  };
}

/** External data is looked up beside the model file, so the model is put beside the weights, named by its content. */
function placeModel(folder: string, model: Uint8Array): string {
  const target = path.join(folder, `graph-${createHash("sha256").update(model).digest("hex").slice(0, 24)}.onnx`);
  if (existsSync(target)) return target;
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, model, { flush: true });
    renameSync(temporary, target);
  } catch (error) {
    throw storageError(target, "write", error);
  }
  return target;
}
