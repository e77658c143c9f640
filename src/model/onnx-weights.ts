import { UserError } from "../diagnostics/user-error.ts";
import { modelProto, ONNX_TYPES } from "../graph/onnx-schema.ts";
import { float16ToFloat32 } from "../tensor/float16.ts";
import type { Tensor } from "../tensor/params.ts";
import { formatShape } from "../tensor/shape.ts";

/** The fields of TensorProto that are read; 64-bit integers are decoded to objects that `Number` converts. */
interface TensorProto {
  readonly name: string;
  readonly dims: readonly unknown[];
  readonly dataType: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly rawData: Uint8Array;
  readonly dataLocation: number;
}

interface NodeProto {
  readonly name: string;
  readonly opType: string;
  readonly input: readonly string[];
}

/** Weights inside an ONNX file, by Hugging Face name. */
export interface OnnxWeights {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Dequantises one tensor of `shapes`; linear weights are [out, in]. */
  tensor(name: string): Tensor;
}

const QUANTIZED = "_quantized";

/** Reads the elements as numbers from whichever field has them. */
function elements(tensor: TensorProto, where: string): ArrayLike<number> {
  const { dataType, rawData, name } = tensor;
  if (tensor.dataLocation !== 0)
    throw new UserError("model", `${where}: tensor ${name} is in another file, which is not supported`);
  // A copy, because the bytes may begin anywhere in the file.
  const raw = (): ArrayBuffer => new Uint8Array(rawData).buffer;
  switch (dataType) {
    case ONNX_TYPES.float32:
      return rawData.length > 0 ? new Float32Array(raw()) : tensor.floatData;
    case ONNX_TYPES.float16:
      return float16ToFloat32(rawData.length > 0 ? new Uint16Array(raw()) : Uint16Array.from(tensor.int32Data));
    case ONNX_TYPES.int8:
      return rawData.length > 0 ? new Int8Array(raw()) : tensor.int32Data;
    case ONNX_TYPES.uint8:
      return rawData.length > 0 ? new Uint8Array(raw()) : tensor.int32Data;
    default:
      throw new UserError(
        "model",
        `${where}: tensor ${name} has ONNX type ${dataType}, expected float32, float16, int8 or uint8`,
      );
  }
}

/** [rows, columns] → [columns, rows]. */
function transpose({ shape, data }: Tensor): Tensor {
  const [rows = 0, columns = 0] = shape;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!;
  }
  return { shape: [columns, rows], data: out };
}

/**
 * Reads the weights of a Hugging Face decoder exported to ONNX and quantised by ONNX Runtime's dynamic quantisation: for a
 * weight `X` the initializers `X_quantized` (int8 or uint8), `X_scale` and `X_zero_point`, one of each for the whole
 * tensor; value = (q − zero point)·scale. Linear weights are inputs of MatMulInteger nodes, [in, out], and are found by
 * the node's name (`/model/layers.0/self_attn/q_proj/MatMul_quant`); other tensors are found by their own names. Throws a
 * `UserError` of kind `model` that names `where`.
 */
export function decodeOnnxWeights(bytes: Uint8Array, where: string): OnnxWeights {
  let graph: { node: readonly NodeProto[]; initializer: readonly TensorProto[] } | null;
  try {
    graph = (modelProto.decode(bytes) as unknown as { graph: typeof graph }).graph;
  } catch (cause) {
    throw new UserError("model", `${where} is not an ONNX file, or is cut short`, { cause });
  }
  if (graph === null) throw new UserError("model", `${where} is not an ONNX file: it has no graph`);
  const stored = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const linear = new Map<string, TensorProto>();
  for (const { opType, name, input } of graph.node) {
    const path = /^\/(.+)\/MatMul_quant$/.exec(name)?.[1];
    const weight = stored.get(input[1] ?? "");
    if (opType === "MatMulInteger" && path !== undefined && weight !== undefined) {
      linear.set(`${path.replaceAll("/", ".")}.weight`, weight);
    }
  }
  const scalar = (name: string): number => {
    const tensor = stored.get(name);
    const values = tensor === undefined ? [] : elements(tensor, where);
    if (values.length !== 1)
      throw new UserError("model", `${where}: expected one value in ${name}, got ${values.length}`);
    return values[0]!;
  };
  const sizeOf = (tensor: TensorProto): number[] => tensor.dims.map(Number);
  const dense = (tensor: TensorProto): Tensor => {
    const shape = sizeOf(tensor);
    const values = elements(tensor, where);
    if (values.length !== shape.reduce((a, b) => a * b, 1)) {
      throw new UserError("model", `${where}: tensor ${tensor.name} ${formatShape(shape)} has ${values.length} values`);
    }
    const data = Float32Array.from(values);
    if (!tensor.name.endsWith(QUANTIZED)) return { shape, data };
    const base = tensor.name.slice(0, -QUANTIZED.length);
    const zeroPoint = scalar(`${base}_zero_point`);
    const scale = scalar(`${base}_scale`);
    for (let i = 0; i < data.length; i++) data[i] = (data[i]! - zeroPoint) * scale;
    return { shape, data };
  };
  const shapes = new Map<string, readonly number[]>();
  for (const [name, tensor] of stored) {
    const base = name.endsWith(QUANTIZED) ? name.slice(0, -QUANTIZED.length) : name;
    shapes.set(base, sizeOf(tensor));
  }
  for (const [name, tensor] of linear) shapes.set(name, sizeOf(tensor).reverse());
  return {
    shapes,
    tensor(name) {
      const weight = linear.get(name);
      if (weight !== undefined) return transpose(dense(weight));
      const tensor = stored.get(name + QUANTIZED) ?? stored.get(name);
      if (tensor === undefined) throw new UserError("model", `${where} has no tensor ${name}`);
      return dense(tensor);
    },
  };
}
