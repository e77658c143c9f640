import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { ConfigFields } from "../config-fields.ts";
import type { ModelConfig } from "../config.ts";
import type { ModelFamily } from "../family.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { gpt2 } from "./gpt2.ts";
import { granite } from "./granite.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { smollm3 } from "./smollm3.ts";

/** Every family that can be opened. */
const FAMILIES: readonly ModelFamily[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma,
  phi3,
  gemma2,
  gemma3,
  olmo2,
  smollm3,
  granite,
  gpt2,
];

const BY_TYPE: ReadonlyMap<string, ModelFamily> = new Map(FAMILIES.map((family) => [family.modelType, family]));

/** Values of `model_type` that can be opened. */
export const MODEL_TYPES: readonly string[] = [...BY_TYPE.keys()];

/** `LLaMA, Mistral, …`: the families in prose. */
export const FAMILY_TITLES: string = FAMILIES.map(({ title }) => title).join(", ");

/** Finds the family of a configuration that `parseModelConfig` made. */
export function familyOf({ family }: ModelConfig): ModelFamily {
  const found = BY_TYPE.get(family);
  if (found === undefined) throw new Error(`there is no model family '${family}'`);
  return found;
}

/**
 * Reads a Hugging Face `config.json` (transformers 4 or 5 style). Throws a `UserError` of kind `model` that names `where` and
 * the key. For an unknown `model_type` it names the known ones and the nearest.
 */
export function parseModelConfig(json: unknown, where: string): ModelConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UserError("model", `${where}: expected a JSON object, got ${JSON.stringify(json)?.slice(0, 40)}`);
  }
  const fields = new ConfigFields(json as Readonly<Record<string, unknown>>, where);
  const type = fields.json["model_type"];
  const family = BY_TYPE.get(type as string);
  if (family === undefined) {
    const near = typeof type === "string" ? nearest(type, MODEL_TYPES) : undefined;
    throw fields.fail(
      "model_type",
      `one of the supported families: ${MODEL_TYPES.join(", ")}`,
      near === undefined ? undefined : `The nearest type is ${near}, but a model of that type computes something else.`,
    );
  }
  if (fields.has("quantization_config")) {
    throw new UserError("model", `${where}: the weights are quantised (quantization_config), which is not supported`, {
      hint: "Use the model's float16, bfloat16 or float32 release.",
    });
  }
  return family.parse(fields);
}
