import { type FileHandle, open, readdir } from "node:fs/promises";
import path from "node:path";
import { excerpt } from "../../diagnostics/excerpt.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { type ByteSource, onnxWeights, safetensorsWeights, type SourceWeights } from "../../model/convert.ts";
import type { ModelConfig } from "../../model/config.ts";
import { ggufWeights } from "../../model/gguf-weights.ts";
import { exists, isFile, readJson } from "./model-files.ts";

/** The source of a model's weights, before the conversion. */
export interface WeightsSource {
  /** All files that the weights depend on, relative to the model's folder. */
  readonly files: readonly string[];
  open(): Promise<OpenWeights>;
}

/** Weights whose files are open. */
export interface OpenWeights extends SourceWeights {
  close(): Promise<void>;
}

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const QUANTIZED_ONNX = "onnx/model_quantized.onnx";
const GGUF = ".gguf";

/**
 * Finds the weights of a configuration in a model's folder: one safetensors file, shards with an index, a quantised ONNX
 * export, or a GGUF file. Throws a `UserError` of kind `model` that names the expected files.
 */
export async function findWeights(dir: string, config: ModelConfig): Promise<WeightsSource> {
  if (await exists(path.join(dir, SINGLE))) {
    return { files: [SINGLE], open: () => openSafetensors(dir, [SINGLE]) };
  }
  if (await exists(path.join(dir, INDEX))) {
    const shards = await shardsOf(dir);
    return { files: [INDEX, ...shards], open: () => openSafetensors(dir, shards) };
  }
  if (await exists(path.join(dir, QUANTIZED_ONNX))) {
    return { files: [QUANTIZED_ONNX], open: () => openOnnx(path.join(dir, QUANTIZED_ONNX)) };
  }
  const gguf = (await readdir(dir)).filter((file) => file.endsWith(GGUF)).sort();
  if (gguf.length > 1) {
    throw new UserError("model", `${dir} has ${gguf.length} GGUF files: ${excerpt(gguf.join(", "))}; expected one`, {
      hint: "Keep the one that is meant in a folder of its own, beside config.json and the tokenizer's files. Parts of a split file are joined with llama-gguf-split --merge.",
    });
  }
  if (gguf.length === 1) {
    const file = path.join(dir, gguf[0]!);
    return { files: gguf, open: () => withFiles([file], ([source]) => ggufWeights(source!, config)) };
  }
  const pickled = await exists(path.join(dir, "pytorch_model.bin"));
  throw new UserError(
    "model",
    `no weights in ${dir}: looked for ${SINGLE}, ${INDEX}, ${QUANTIZED_ONNX} and a file *${GGUF}`,
    {
      hint: pickled
        ? "pytorch_model.bin is not read; save the model again with save_pretrained(…, safe_serialization=True)."
        : "Give the folder of a whole Hugging Face model.",
    },
  );
}

async function shardsOf(dir: string): Promise<string[]> {
  const where = path.join(dir, INDEX);
  const { weight_map: map } = (await readJson(where)) as { weight_map?: unknown };
  const shards = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  if (shards.length === 0 || !shards.every((file) => typeof file === "string" && path.basename(file) === file)) {
    throw new UserError("model", `${where}: weight_map must map tensor names to files in the same folder`);
  }
  for (const shard of shards as string[]) {
    if (await isFile(path.join(dir, shard))) continue;
    if (await exists(path.join(dir, shard))) {
      throw new UserError("model", `${where}: weight_map names "${excerpt(shard)}", which is a folder`, {
        hint: "Copy the index and all shards again.",
      });
    }
    throw new UserError("model", `${path.join(dir, shard)} does not exist, but ${INDEX} names it`, {
      hint: `Copy all ${shards.length} shards into the folder.`,
    });
  }
  return (shards as string[]).sort();
}

const openSafetensors = (dir: string, names: readonly string[]): Promise<OpenWeights> =>
  withFiles(
    names.map((name) => path.join(dir, name)),
    safetensorsWeights,
  );

const openOnnx = (file: string): Promise<OpenWeights> => withFiles([file], ([source]) => onnxWeights(source!));

/** Opens files for as long as the weights in them are read. */
async function withFiles(
  files: readonly string[],
  read: (sources: readonly ByteSource[]) => Promise<SourceWeights>,
): Promise<OpenWeights> {
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => {
    for (const handle of handles) await handle.close();
  };
  try {
    const sources: ByteSource[] = [];
    for (const name of files) {
      const handle = await open(name);
      handles.push(handle);
      const { size } = await handle.stat();
      sources.push({ name, size, read: (position, length) => readExactly(handle, length, position, name) });
    }
    return { ...(await read(sources)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readExactly(handle: FileHandle, length: number, position: number, where: string): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new UserError("model", `${where} ended at byte ${position + filled} while it was read`);
    filled += bytesRead;
  }
  return bytes;
}
