import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { decodeOnnxWeights } from "../../model/onnx-weights.ts";
import { decodeElements, headerByteLength, parseHeader, type SafetensorsEntry } from "../../tensor/safetensors.ts";
import { exists, readJson } from "./model-files.ts";

/** Where a model's weights come from, before they are converted. */
export interface WeightsSource {
  /** Every file the weights depend on, relative to the model's folder. */
  readonly files: readonly string[];
  open(): Promise<OpenWeights>;
}

export interface OpenWeights {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** One tensor's elements in order, in pieces of bounded size. Linear weights are [out, in]. */
  pieces(name: string): AsyncIterable<Float32Array>;
  close(): Promise<void>;
}

/** Elements converted at a time: a tensor of any size costs at most this much memory, twice over. */
const PIECE_ELEMENTS = 4 * 1024 * 1024;

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const QUANTIZED_ONNX = "onnx/model_quantized.onnx";

/**
 * Finds the weights in a model's folder: one safetensors file, shards with an index, or a quantised ONNX export. Throws
 * a `UserError` of kind `model` that names what was looked for.
 */
export async function findWeights(dir: string): Promise<WeightsSource> {
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
  const pickled = await exists(path.join(dir, "pytorch_model.bin"));
  throw new UserError("model", `no weights in ${dir}: looked for ${SINGLE}, ${INDEX} and ${QUANTIZED_ONNX}`, {
    hint: pickled
      ? "pytorch_model.bin is not read; save the model again with save_pretrained(…, safe_serialization=True)."
      : "Give the folder of a whole Hugging Face model.",
  });
}

async function shardsOf(dir: string): Promise<string[]> {
  const where = path.join(dir, INDEX);
  const { weight_map: map } = (await readJson(where)) as { weight_map?: unknown };
  const shards = typeof map === "object" && map !== null ? [...new Set(Object.values(map))] : [];
  if (shards.length === 0 || !shards.every((file) => typeof file === "string" && path.basename(file) === file)) {
    throw new UserError("model", `${where}: weight_map must map tensor names to files in the same folder`);
  }
  for (const shard of shards as string[]) {
    if (!(await exists(path.join(dir, shard)))) {
      throw new UserError("model", `${path.join(dir, shard)} does not exist, but ${INDEX} names it`, {
        hint: `Copy all ${shards.length} shards into the folder.`,
      });
    }
  }
  return (shards as string[]).sort();
}

interface Located {
  readonly handle: FileHandle;
  readonly file: string;
  readonly entry: SafetensorsEntry;
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

async function openSafetensors(dir: string, files: readonly string[]): Promise<OpenWeights> {
  const located = new Map<string, Located>();
  const handles: FileHandle[] = [];
  const close = async (): Promise<void> => {
    for (const handle of handles) await handle.close();
  };
  try {
    for (const name of files) {
      const file = path.join(dir, name);
      const handle = await open(file);
      handles.push(handle);
      const { size } = await handle.stat();
      const start = await readExactly(handle, Math.min(8, size), 0, file);
      const header = await readExactly(handle, headerByteLength(start, file, size), 0, file);
      for (const entry of parseHeader(header, file, size).entries) located.set(entry.name, { handle, file, entry });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    shapes: new Map([...located].map(([name, { entry }]) => [name, entry.shape])),
    async *pieces(name) {
      const { handle, file, entry } = located.get(name)!;
      const { begin, end, dtype, shape } = entry;
      const count = shape.reduce((a, b) => a * b, 1);
      const elementBytes = count === 0 ? 0 : (end - begin) / count;
      for (let first = 0; first < count; first += PIECE_ELEMENTS) {
        const length = Math.min(PIECE_ELEMENTS, count - first) * elementBytes;
        const bytes = await readExactly(handle, length, begin + first * elementBytes, file);
        const values = decodeElements(dtype, bytes, `${file}: tensor ${name}`);
        yield values instanceof Float32Array ? values : Float32Array.from(values);
      }
    },
    close,
  };
}

async function openOnnx(file: string): Promise<OpenWeights> {
  const { size } = await stat(file);
  if (size >= 2 ** 31) throw new UserError("model", `${file} has ${size} bytes; an ONNX file holds at most 2^31`);
  const weights = decodeOnnxWeights(await readFile(file), file);
  return {
    shapes: weights.shapes,
    async *pieces(name) {
      yield weights.tensor(name).data as Float32Array;
    },
    close: async () => {},
  };
}
