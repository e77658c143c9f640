import { mkdtempSync, openSync, readFileSync, writeSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loraShape } from "../../src/model/adapter.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { parseModelConfig } from "../../src/model/families/registry.ts";
import type { LoraShape } from "../../src/model/lora.ts";
import { parsePeftConfig } from "../../src/model/peft-config.ts";
import type { Weights } from "../../src/model/weights.ts";
import { decodeSafetensors } from "../../src/tensor/safetensors.ts";
import type { Params } from "../../src/tensor/params.ts";
import { dtypeOf, type TensorData } from "../../src/graph/value.ts";
import type { RuntimeTensor } from "../../src/train/runtime.ts";
import type { Example } from "../../src/data/example.ts";

export const GOLDEN_FAMILIES = [
  "llama",
  "llama-tied",
  "llama3-rope",
  "llama-ranks",
  "mistral",
  "qwen2",
  "qwen3",
  "gemma",
  "llama-yarn",
  "phi3",
  "phi3-short",
  "phi3-long",
  "gemma2",
  "gemma3",
  "olmo2",
  "smollm3",
  "granite",
  "gpt2",
] as const;

const folder = path.join(import.meta.dirname, "..", "golden");

const goldenPath = (...parts: string[]): string => path.join(folder, ...parts);

// oxlint-disable-next-line typescript/no-explicit-any -- golden files are checked by the numbers in them
export const goldenJson = (...parts: string[]): any => JSON.parse(readFileSync(goldenPath(...parts), "utf8"));

export const goldenTensors = (...parts: string[]): Params => decodeSafetensors(readFileSync(goldenPath(...parts)));

type Stored = Params | ReadonlyMap<string, RuntimeTensor>;

/** Weights in a file of a fresh temporary folder, as a runtime wants them. */
export function weightsFromParams(params: Stored): Weights {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "openfedllm-golden-")), "weights.bin");
  const handle = openSync(file, "w");
  const offsets = new Map<string, number>();
  let offset = 0;
  for (const [name, { data }] of params) {
    offsets.set(name, offset);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    writeSync(handle, bytes, 0, bytes.length, offset);
    offset = Math.ceil((offset + bytes.length) / 4096) * 4096;
  }
  closeSync(handle);
  return { ...weightsInMemory(params), fingerprint: file, file: { path: file, offsets } };
}

/** Weights in memory alone. */
export function weightsInMemory(params: Stored): Weights {
  return {
    fingerprint: "memory",
    shapes: new Map([...params].map(([name, { shape }]) => [name, shape])),
    async read(name) {
      const { shape, data } = params.get(name)!;
      return { dtype: dtypeOf(data as TensorData), shape, data: data.slice() as TensorData };
    },
  };
}

export interface GoldenModel {
  readonly modelConfig: ModelConfig;
  readonly lora: LoraShape;
  readonly weights: Weights;
  readonly adapter: Params;
}

export function openGolden(family: string): GoldenModel {
  const modelConfig = parseModelConfig(goldenJson(family, "model", "config.json"), family);
  const adapterConfig = parsePeftConfig(goldenJson(family, "adapter", "adapter_config.json"));
  return {
    modelConfig,
    lora: loraShape(adapterConfig, modelConfig),
    weights: weightsFromParams(goldenTensors(family, "model", "model.safetensors")),
    adapter: goldenTensors(family, "adapter", "adapter_model.safetensors"),
  };
}

/** A prompt and its answer, of which the answer is learnt. */
export function answerTo(prompt: readonly number[], answer: readonly number[]): Example {
  return {
    id: "",
    tokens: Int32Array.from([...prompt, ...answer]),
    supervised: Uint8Array.from([...prompt.map(() => 0), ...answer.map(() => 1)]),
  };
}

/** Largest difference, relative to the largest entry of the expected tensor. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Infinity;
  let error = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    error = Math.max(error, Math.abs(got[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return error / largest;
}

/** The sequences of a golden batch. */
export function goldenExamples(family: string): Example[] {
  const batch: { input_ids: number[][]; attention_mask: number[][]; labels: number[][] } = goldenJson(
    family,
    "batch.json",
  );
  return batch.input_ids.map((ids, i) => {
    const length = batch.attention_mask[i]!.reduce((a, b) => a + b, 0);
    return {
      id: String(i),
      tokens: Int32Array.from(ids.slice(0, length)),
      supervised: Uint8Array.from(batch.labels[i]!.slice(0, length), (label) => (label === -100 ? 0 : 1)),
    };
  });
}
