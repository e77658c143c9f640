import { UserError } from "../diagnostics/user-error.ts";
import { firstNonFinite } from "../tensor/params.ts";
import { decodeElements, headerByteLength, parseHeader, type SafetensorsEntry } from "../tensor/safetensors.ts";
import type { ModelConfig } from "./config.ts";
import { checkShapes, expectedTensors } from "./names.ts";
import { decodeOnnxWeights } from "./onnx-weights.ts";

/** Bytes that are read in parts: a file, a blob, a download. */
export interface ByteSource {
  /** Names the source in errors. */
  readonly name: string;
  readonly size: number;
  /** Reads exactly `length` bytes, or throws. */
  read(position: number, length: number): Promise<Uint8Array>;
}

/** Weights in their published format. */
export interface SourceWeights {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Reads one tensor's elements in order, in pieces of bounded size. Linear weights are [out, in]. */
  pieces(name: string): AsyncIterable<Float32Array>;
}

/** Elements that are converted at a time. A tensor of any size costs at most twice their memory. */
const PIECE_ELEMENTS = 4 * 1024 * 1024;

/** Opens the weights of safetensors files: one file, or the shards of one model. */
export async function safetensorsWeights(files: readonly ByteSource[]): Promise<SourceWeights> {
  const located = new Map<string, { readonly file: ByteSource; readonly entry: SafetensorsEntry }>();
  for (const file of files) {
    const start = await file.read(0, Math.min(8, file.size));
    const header = await file.read(0, headerByteLength(start, file.name, file.size));
    for (const entry of parseHeader(header, file.name, file.size).entries) located.set(entry.name, { file, entry });
  }
  nameAsLanguageModel(located);
  return {
    shapes: new Map([...located].map(([name, { entry }]) => [name, entry.shape])),
    async *pieces(name) {
      const { file, entry } = located.get(name)!;
      const { begin, end, dtype, shape } = entry;
      const count = shape.reduce((a, b) => a * b, 1);
      const elementBytes = count === 0 ? 0 : (end - begin) / count;
      for (let first = 0; first < count; first += PIECE_ELEMENTS) {
        const length = Math.min(PIECE_ELEMENTS, count - first) * elementBytes;
        const bytes = await file.read(begin + first * elementBytes, length);
        const values = decodeElements(dtype, bytes, `${file.name}: tensor ${name}`);
        yield values instanceof Float32Array ? values : Float32Array.from(values);
      }
    },
  };
}

/** The embedding of a model that was saved without its head, and what stands before its names in one with a head. */
const HEADLESS = [
  ["embed_tokens.weight", "model."],
  ["wte.weight", "transformer."],
] as const;

/** Names the tensors of a model that was saved without its head (`LlamaModel`, `GPT2Model`) as those of one with a head. */
function nameAsLanguageModel<T>(tensors: Map<string, T>): void {
  const names = [...tensors.keys()];
  const prefix = HEADLESS.find(([embedding]) => tensors.has(embedding))?.[1];
  if (prefix === undefined || names.some((name) => name.startsWith(prefix))) return;
  for (const name of names.filter((each) => !each.startsWith("lm_head."))) {
    tensors.set(`${prefix}${name}`, tensors.get(name)!);
    tensors.delete(name);
  }
}

/** Opens the weights of a quantised ONNX export. Throws a `UserError` of kind `model` for a file above protobuf's 2^31 bytes. */
export async function onnxWeights(file: ByteSource): Promise<SourceWeights> {
  const { name, size } = file;
  if (size >= 2 ** 31) throw new UserError("model", `${name} has ${size} bytes; an ONNX file holds at most 2^31`);
  const weights = decodeOnnxWeights(await file.read(0, size), name);
  return {
    shapes: weights.shapes,
    async *pieces(tensor) {
      yield weights.tensor(tensor).data as Float32Array;
    },
  };
}

/** The size of a page, so that a runtime can map each tensor. */
const ALIGNMENT_BYTES = 4096;

/** The offset of each tensor in one file of float32, little-endian, with zeros between. */
export interface WeightsLayout {
  readonly bytes: number;
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly offset: number }[];
}

/** Makes the layout of the tensors that a configuration implies, in the order data passes them. */
export function weightsLayout(model: ModelConfig): WeightsLayout {
  let bytes = 0;
  const tensors = [...expectedTensors(model)].map(([name, shape]) => {
    const offset = Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    bytes = offset + byteSize(shape);
    return { name, shape, offset };
  });
  return { bytes, tensors };
}

/** Bytes of a tensor as float32. */
export function byteSize(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
}

/**
 * Converts a model's weights to bytes, each piece with its position in the layout. Throws a `UserError` of kind `model` that
 * names `where`, for a tensor that is missing, has the wrong shape or is not finite.
 */
export async function* convertWeights(
  source: SourceWeights,
  model: ModelConfig,
  where: string,
): AsyncGenerator<{ readonly position: number; readonly bytes: Uint8Array }> {
  checkShapes(source.shapes, model, where);
  for (const { name, shape, offset } of weightsLayout(model).tensors) {
    let position = offset;
    for await (const piece of source.pieces(name)) {
      if (firstNonFinite(new Map([[name, { shape, data: piece }]])) !== undefined) {
        throw new UserError("model", `${where}: tensor ${name} has values that are not finite`, {
          hint: "Download or copy the file again.",
        });
      }
      const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
      yield { position, bytes };
      position += bytes.length;
    }
    if (position - offset !== byteSize(shape)) {
      throw new Error(`tensor ${name}: got ${position - offset} bytes of ${byteSize(shape)}`);
    }
  }
}
