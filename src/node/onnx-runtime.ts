import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import * as ort from "onnxruntime-node";
import type { Graph } from "../graph/graph.ts";
import { encodeOnnx } from "../graph/onnx.ts";
import { dtypeOf, type TensorData } from "../graph/value.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { Weights, WeightsFile } from "../model/weights.ts";
import type { Runtime, RuntimeTensor } from "../train/runtime.ts";
import { storageError, writeAtomically } from "./store/durable-file.ts";

/** Name and version of the engine. */
export const ENGINE_TITLE: string = `ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common}`;

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
      const options: ort.InferenceSession.SessionOptions = {
        executionProviders: ["cpu"],
        interOpNumThreads: 1,
        // Without it the arena keeps a plan for each shape it has seen: 1.8 times the memory, same speed.
        enableMemPattern: false,
        logSeverityLevel: 3,
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
        ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
      };
      const { file } = weights;
      const session =
        file === undefined
          ? await ort.InferenceSession.create(await modelWithWeights(graph, weights), options)
          : await ort.InferenceSession.create(await modelBesideWeights(graph, file), options);
      return {
        async run(feeds, outputs) {
          const inputs: Record<string, ort.Tensor> = {};
          for (const [name, { shape, data }] of feeds) {
            inputs[name] = new ort.Tensor(dtypeOf(data), data, shape);
          }
          const results = await session.run(inputs, outputs);
          return new Map(
            outputs.map((name): [string, RuntimeTensor] => {
              const { dims, data } = results[name]!;
              return [name, { shape: dims, data: data as TensorData }];
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

/** Encodes a model together with its weights, without files. Throws a `UserError` of kind `model` for weights of 2 GB or more. */
async function modelWithWeights(graph: Graph, weights: Weights): Promise<Uint8Array> {
  const embedded = new Map<string, Uint8Array>();
  let total = 0;
  for (const { name } of graph.parameters) {
    const { data } = await weights.read(name);
    embedded.set(name, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    total += data.byteLength;
    if (total >= MODEL_BYTES) {
      throw new UserError(
        "model",
        `the weights have more than ${MODEL_BYTES} bytes, the most that fit into an ONNX model`,
        {
          hint: "Open the model from a folder: its weights are then read from a file.",
        },
      );
    }
  }
  return encodeOnnx(graph, embedded);
}

/** Most bytes of weights: a protobuf message stays below 2^31 bytes, and the graph needs a few of them. */
const MODEL_BYTES = 2 ** 31 - 2 ** 24;

/** Writes a model whose weights are in the file beside it, and returns its file. */
async function modelBesideWeights(graph: Graph, file: WeightsFile): Promise<string> {
  const location = path.basename(file.path);
  const model = encodeOnnx(graph, (name) => {
    const offset = file.offsets.get(name);
    if (offset === undefined) throw new UserError("model", `the base model has no weight '${name}'`);
    return { location, offset };
  });
  return placeModel(path.dirname(file.path), model);
}

/** Writes the model beside the weights, where the engine looks for external data. The name is the content's hash. */
async function placeModel(folder: string, model: Uint8Array): Promise<string> {
  const target = path.join(folder, `graph-${createHash("sha256").update(model).digest("hex").slice(0, 24)}.onnx`);
  if (existsSync(target)) return target;
  try {
    await writeAtomically(target, model);
  } catch (error) {
    throw storageError(target, "write", error);
  }
  return target;
}
