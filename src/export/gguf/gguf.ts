import { UserError } from "../../diagnostics/user-error.ts";
import type { ModelConfig } from "../../model/config.ts";
import { familyOf } from "../../model/families/registry.ts";
import { type GgufRules, pairRows } from "../../model/gguf-rules.ts";
import { readMerged } from "../../model/merge.ts";
import { expectedTensors } from "../../model/names.ts";
import type { RotaryConfig } from "../../model/rotary-scaling.ts";
import { rotaryDivisors, rotaryNames } from "../../model/rotary.ts";
import { readBaseConfig } from "../side-files.ts";
import type { ExportDtype, ExportFolder, ExportOptions, ExportSource, ExportTarget } from "../target.ts";
import { type GgmlType, type GgufMetadata, type GgufTensor, type GgufValue, Q8_BLOCK, writeGguf } from "./gguf-file.ts";
import { encodeGgml } from "./quantize.ts";
import { tokenizerMetadata } from "./tokenizer-metadata.ts";

/** llama_ftype */
const FILE_TYPES: Readonly<Record<ExportDtype, number>> = { f32: 0, f16: 1, q8_0: 7, bf16: 32 };
const QUANTIZATION_VERSION = 2;
export const GGUF_FILE = "model.gguf";

/** Base and adapter as one file of llama.cpp, with the tokenizer and the chat template in it. */
export const gguf: ExportTarget = {
  summary: "base and adapter as one GGUF file, for llama.cpp and the programs built on it",
  library: "gguf",
  dtypes: ["f16", "q8_0", "bf16", "f32"],
  loading: () => `\`\`\`sh
llama-cli -m FOLDER/${GGUF_FILE} --temp 0
\`\`\``,
  write: (source, folder, options) => writeModel(source, folder, options),
};

/** Writes `model.gguf`. */
export async function writeModel(
  source: ExportSource,
  folder: ExportFolder,
  { dtype, onProgress, onNote, signal }: ExportOptions,
): Promise<void> {
  const { base, adapter } = source;
  const { modelConfig: config } = base;
  const rules = rulesOf(source);
  const json = await readBaseConfig(source);
  const { metadata, factors } = rotaryMetadata(config, rules, json);
  const context = rules.wholeContext(config);
  if (context < config.maxPositions) {
    onNote(
      `note: the model attends to its latest ${context} tokens in some layers, which llama.cpp does not do here: the file's context length is ${context}, within which both are the same`,
    );
  }
  const known = tokenizerMetadata(base);
  const all: GgufMetadata = new Map([
    ...headMetadata(rules, config, { name: base.name, dtype, context }),
    ...metadata,
    ...known,
  ]);
  const weights = [...expectedTensors(config)];
  const tensors = weights.map(([name, shape]): GgufTensor => ({
    name: rules.tensorName(name),
    shape,
    type: typeOf(dtype, shape),
  }));
  const rotary: GgufTensor[] =
    factors === undefined ? [] : [{ name: "rope_freqs.weight", shape: [factors.length], type: "f32" }];
  const file = await folder.create(GGUF_FILE);
  try {
    await writeGguf(file, all, [...tensors, ...rotary], async (tensor, i) => {
      signal?.throwIfAborted();
      const [name] = weights[i] ?? [];
      if (name === undefined) return encodeGgml(factors!, "f32", tensor.name);
      const { data } = await readMerged(base.weights, name, adapter);
      onProgress({ done: i + 1, total: tensors.length });
      return encodeGgml(changed(rules, config, name, data, tensor.shape[0]!), tensor.type, name);
    });
  } finally {
    await file.close();
  }
}

/** @throws UserError of kind `model` for a model that llama.cpp's architecture cannot hold. */
export function rulesOf({ base }: ExportSource): GgufRules {
  const { gguf: rules, title } = familyOf(base.modelConfig);
  if (rules === undefined) {
    throw new UserError("model", `${base.name} is a ${title} model, which is not exported to GGUF`, {
      hint: "Export with --to merged.",
    });
  }
  const lack = rules.lacks(base.modelConfig);
  if (lack === undefined) return rules;
  throw new UserError("model", `${base.name} has ${lack}, which llama.cpp's architecture ${rules.architecture} lacks`, {
    hint: "Export with --to merged.",
  });
}

/** A weight as llama.cpp wants it. */
function changed(rules: GgufRules, config: ModelConfig, name: string, data: Float32Array, rows: number): Float32Array {
  const change = rules.change(config, name);
  if (change === undefined) return data;
  return change.kind === "add-one" ? data.map((weight) => weight + 1) : pairRows(data, rows, change.heads);
}

/** Norms and biases stay float32: llama.cpp wants them so. A matrix whose rows are not whole blocks of q8_0 becomes f16. */
function typeOf(dtype: ExportDtype, shape: readonly number[]): GgmlType {
  if (shape.length === 1) return "f32";
  return dtype === "q8_0" && shape[1]! % Q8_BLOCK !== 0 ? "f16" : dtype;
}

function headMetadata(
  rules: GgufRules,
  config: ModelConfig,
  { name, dtype, context }: { readonly name: string; readonly dtype: ExportDtype; readonly context: number },
): [string, GgufValue][] {
  const sizes = Object.entries(rules.metadata(config)).map(([key, value]): [string, GgufValue] => [
    `${rules.architecture}.${key}`,
    typeof value === "number" ? { uint32: value } : { float32: value.float },
  ]);
  return [
    ["general.architecture", { string: rules.architecture }],
    ["general.type", { string: "model" }],
    ["general.name", { string: name }],
    ["general.file_type", { uint32: FILE_TYPES[dtype] }],
    ["general.quantization_version", { uint32: QUANTIZATION_VERSION }],
    [`${rules.architecture}.context_length`, { uint32: context }],
    ...sizes,
  ];
}

/** The rotation of positions: its base, and the scaling as llama.cpp has it. */
function rotaryMetadata(
  config: ModelConfig,
  { architecture, theta: fallback }: GgufRules,
  json: Readonly<Record<string, unknown>>,
): { metadata: [string, GgufValue][]; factors: Float32Array | undefined } {
  const { theta, type, factor } = rotaryNames(json, fallback);
  const metadata: [string, GgufValue][] = [[`${architecture}.rope.freq_base`, { float32: theta }]];
  if (type === "linear") {
    metadata.push(
      [`${architecture}.rope.scaling.type`, { string: "linear" }],
      [`${architecture}.rope.scaling.factor`, { float32: factor }],
    );
  }
  // Within the model's positions, dynamic is the default rotation.
  if (type === "default" || type === "linear" || type === "dynamic") return { metadata, factors: undefined };
  if (type !== "llama3" || architecture !== "llama") {
    const problem =
      type === "llama3"
        ? `llama.cpp has the rotation llama3 for LLaMA models only, not for ${architecture}`
        : `the GGUF export does not have the rotation ${type}`;
    throw new UserError("model", problem, { hint: "Export with --to merged." });
  }
  return { metadata, factors: rotaryDivisors((config as ModelConfig & { rotary: RotaryConfig }).rotary, theta) };
}
