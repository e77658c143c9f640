import { resolveDim, type Dim } from "./dims.ts";
import type { Emitter, EmitOptions, OnnxAttribute } from "./emitter.ts";
import type { Graph } from "./graph.ts";
import { modelProto, ONNX_TYPES } from "./onnx-schema.ts";
import { OPS } from "./ops.ts";
import type { OpRow } from "./op-row.ts";
import { ELEMENT_BYTES, type Value } from "./value.ts";

/** Where a frozen weight lies in a file beside the model. */
export interface WeightPlace {
  /** File name, relative to the folder the model file is in. */
  readonly location: string;
  /** First byte. */
  readonly offset: number;
  /** Its number format there, where it is another than the graph's: the model then converts it at its start. */
  readonly stored?: "float16";
}

/** Frozen weights in files beside the model. */
export type ExternalWeights = (name: string) => WeightPlace;

/** Frozen weights inside the model, which must stay below 2 GB: parameter → its bytes, little-endian. */
export type EmbeddedWeights = ReadonlyMap<string, Uint8Array>;

/** AttributeProto.AttributeType */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;

const OPSET = 21;
const IR_VERSION = 10;

/** Lowers a graph to the bytes of an ONNX model. The same graph gives the same bytes. */
export function encodeOnnx(graph: Graph, weights: ExternalWeights | EmbeddedWeights): Uint8Array {
  const places = typeof weights === "function" ? weights : undefined;
  const lowering = new Lowering(graph, (name) => places?.(name).stored !== undefined);
  const model = {
    irVersion: IR_VERSION,
    producerName: "openfedllm",
    opsetImport: [
      { domain: "", version: OPSET },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name: "graph",
      node: lowering.onnxNodes,
      initializer: [
        ...lowering.initializers,
        ...graph.constants.map(({ value, data }) =>
          initializer(value.name, ONNX_TYPES.float32, value.shape as number[], bytesOf(data)),
        ),
        ...graph.parameters.map((parameter) =>
          typeof weights === "function" ? external(parameter, weights(parameter.name)) : embedded(parameter, weights),
        ),
      ],
      input: graph.inputs.map((value) => valueInfo(value.name, value)),
      output: [...graph.outputs].map(([name, value]) => valueInfo(name, value)),
    },
  };
  return modelProto.encode(modelProto.fromObject(model)).finish();
}

class Lowering implements Emitter {
  readonly onnxNodes: object[] = [];
  readonly initializers: object[] = [];
  readonly #made = new Map<string, string>();
  /** The input and the axis that each free dimension is read from. */
  readonly #sources = new Map<string, { input: string; axis: number }>();
  #counter = 0;

  /** @param narrow whether a parameter is stored in fewer bits than the graph computes with. */
  constructor(graph: Graph, narrow: (parameter: string) => boolean) {
    for (const { name, shape } of graph.inputs) {
      shape.forEach((dim, axis) => {
        if (typeof dim === "string" && !this.#sources.has(dim)) this.#sources.set(dim, { input: name, axis });
      });
    }
    const names = new Map<Value, string>();
    for (const value of [...graph.inputs, ...graph.parameters, ...graph.constants.map((c) => c.value)])
      names.set(value, value.name);
    for (const parameter of graph.parameters.filter(({ name }) => narrow(name))) {
      names.set(parameter, this.node("Cast", [parameter.name], { to: ONNX_TYPES[parameter.dtype] }));
    }
    for (const node of graph.nodes) {
      const row = OPS[node.op] as OpRow<unknown>;
      const inputs = node.inputs.map((input) => names.get(input)!);
      const outputs = row.lower(this, inputs, node.attributes, node.inputs);
      node.outputs.forEach((output, i) => names.set(output, outputs[i]!));
    }
    for (const [name, value] of graph.outputs) {
      this.onnxNodes.push({ input: [names.get(value)!], output: [name], opType: "Identity" });
    }
  }

  nodes(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute>,
    options: EmitOptions,
  ): readonly string[] {
    const outputs = Array.from({ length: options.outputs ?? 1 }, () => `v${this.#counter++}`);
    this.onnxNodes.push({
      name: `n${this.#counter++}`,
      opType: op,
      domain: options.domain ?? "",
      input: inputs,
      output: outputs,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return outputs;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute> = {},
    options: EmitOptions = {},
  ): string {
    return this.nodes(op, inputs, attributes, options)[0]!;
  }

  #constant(key: string, type: number, shape: number[], data: ArrayBufferView): string {
    return this.once(key, () => {
      const name = `c${this.#counter++}`;
      this.initializers.push(initializer(name, type, shape, bytesOf(data)));
      return name;
    });
  }

  ints(values: readonly number[]): string {
    return this.#constant(
      `ints:${values.join(",")}`,
      ONNX_TYPES.int64,
      [values.length],
      BigInt64Array.from(values, BigInt),
    );
  }

  int(value: number): string {
    return this.#constant(`int:${value}`, ONNX_TYPES.int64, [], BigInt64Array.of(BigInt(value)));
  }

  float(value: number): string {
    return this.#constant(`float:${value}`, ONNX_TYPES.float32, [], Float32Array.of(value));
  }

  dim(dim: Dim): string {
    if (typeof dim === "number") return this.ints([dim]);
    return this.once(`dim:${dim}`, () =>
      dim
        .split("*")
        .map((factor) => {
          const source = this.#sources.get(factor);
          if (source === undefined) return this.ints([resolveDim(factor, new Map())]);
          const shape = this.once(`shape-of:${source.input}`, () => this.node("Shape", [source.input]));
          return this.once(`axis:${factor}`, () => this.node("Gather", [shape, this.ints([source.axis])], { axis: 0 }));
        })
        .reduce((a, b) => this.node("Mul", [a, b])),
    );
  }

  once(key: string, make: () => string): string {
    let name = this.#made.get(key);
    if (name === undefined) this.#made.set(key, (name = make()));
    return name;
  }
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function attribute(name: string, value: OnnxAttribute): object {
  if (typeof value === "number") return { name, type: INT, i: value };
  if (typeof value === "string") return { name, type: STRING, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: FLOAT, f: value.float };
  return { name, type: INTS, ints: value };
}

function initializer(name: string, dataType: number, dims: readonly number[], rawData: Uint8Array): object {
  return { name, dataType, dims, rawData };
}

function byteLength({ dtype, shape }: Value): number {
  return (shape as number[]).reduce((a, b) => a * b, ELEMENT_BYTES[dtype]);
}

function embedded(parameter: Value, weights: EmbeddedWeights): object {
  const { name, dtype, shape } = parameter;
  const bytes = weights.get(name);
  if (bytes?.length !== byteLength(parameter)) {
    throw new Error(`weight '${name}' has ${bytes?.length} bytes, expected ${byteLength(parameter)}`);
  }
  return initializer(name, ONNX_TYPES[dtype], shape as number[], bytes);
}

function external(parameter: Value, { location, offset, stored }: WeightPlace): object {
  const { name, dtype, shape } = parameter;
  const length = byteLength(parameter) / (stored === undefined ? 1 : ELEMENT_BYTES[dtype] / 2);
  const entries = { location, offset: String(offset), length: String(length) };
  return {
    name,
    dataType: ONNX_TYPES[stored ?? dtype],
    dims: shape,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  };
}

function valueInfo(name: string, { dtype, shape }: Value): object {
  const dim = shape.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: ONNX_TYPES[dtype], shape: { dim } } } };
}
