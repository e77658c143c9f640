import { type InferenceEngine, openInferenceEngine } from "../decode/inference-engine.ts";
import type { Runtime } from "../train/runtime.ts";
import type { Prepared } from "./prepare.ts";

/** Opens the base of an experiment for inference with its template. `maxLength` in tokens; default `data.maxLength`. */
export function openInference(
  { config, model, tokenizer }: Prepared,
  runtime: Runtime,
  maxLength: number = config.data.maxLength,
): InferenceEngine {
  const { template, system } = config.data;
  return openInferenceEngine({ runtime, base: model, tokenizer, template, system, maxLength });
}
