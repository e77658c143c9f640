import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { modelProto } from "../graph/onnx-schema.ts";
import { decodeOnnxWeights } from "./onnx-weights.ts";

const bytes = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function model(initializer: object[]): Uint8Array {
  const node = [
    {
      opType: "MatMulInteger",
      name: "/model/layers.0/mlp/up_proj/MatMul_quant",
      input: ["x_quantized", "onnx::MatMul_7_quantized"],
    },
    { opType: "MatMulInteger", name: "/somewhere/else", input: ["x_quantized", "onnx::MatMul_7_quantized"] },
    { opType: "Gather", name: "/model/Gather", input: ["e_quantized", "ids"] },
  ];
  return modelProto.encode(modelProto.fromObject({ irVersion: 8, graph: { node, initializer } })).finish();
}

const quantised = (
  name: string,
  dataType: number,
  dims: number[],
  data: ArrayBufferView,
  zeroPoint: number,
  scale: number,
) => [
  { name: `${name}_quantized`, dataType, dims, rawData: bytes(data) },
  { name: `${name}_zero_point`, dataType, int32Data: [zeroPoint] },
  { name: `${name}_scale`, dataType: 1, floatData: [scale] },
];

const tensor = (initializer: object[]) => () => decodeOnnxWeights(model(initializer), "m.onnx").tensor("w");

describe("decodeOnnxWeights", () => {
  it("dequantises, transposing linear weights only", () => {
    const weights = decodeOnnxWeights(
      model([
        ...quantised("onnx::MatMul_7", 3, [2, 3], Int8Array.of(-128, 0, 127, 1, 2, 3), 1, 0.5),
        ...quantised("e", 2, [2, 2], Uint8Array.of(0, 255, 128, 1), 128, 0.25),
        { name: "norm", dataType: 1, dims: [2], rawData: bytes(Float32Array.of(1.5, -2)) },
        { name: "half", dataType: 10, dims: [1], rawData: bytes(Uint16Array.of(0x3c00)) },
      ]),
      "m.onnx",
    );
    expect(weights.tensor("model.layers.0.mlp.up_proj.weight")).toEqual({
      shape: [3, 2],
      data: Float32Array.of(-64.5, 0, -0.5, 0.5, 63, 1),
    });
    expect(weights.shapes.get("model.layers.0.mlp.up_proj.weight")).toEqual([3, 2]);
    expect(weights.tensor("e")).toEqual({ shape: [2, 2], data: Float32Array.of(-32, 31.75, 0, -31.75) });
    expect(weights.tensor("norm")).toEqual({ shape: [2], data: Float32Array.of(1.5, -2) });
    expect(weights.tensor("half").data).toEqual(Float32Array.of(1));
    expect(() => weights.tensor("none")).toThrow("m.onnx has no tensor none");
  });

  it("refuses what it would misread", () => {
    const good = quantised("w", 3, [2], Int8Array.of(1, 2), 0, 1);
    expect(tensor(good)).not.toThrow();
    expect(tensor([good[0]!, good[1]!])).toThrow("expected one value in w_scale, got 0");
    expect(tensor([good[0]!, good[1]!, { ...good[2], floatData: [1, 2] }])).toThrow(
      "expected one value in w_scale, got 2",
    );
    expect(tensor([{ ...good[0], dims: [3] }, good[1]!, good[2]!])).toThrow("tensor w_quantized [3] has 2 values");
    expect(tensor([{ name: "w", dataType: 7, dims: [1] }])).toThrow("has ONNX type 7");
    expect(tensor([{ name: "w", dataType: 1, dims: [1], dataLocation: 1 }])).toThrow("is in another file");
  });

  it("refuses what is no ONNX file", () => {
    for (const data of [
      new Uint8Array(0),
      new TextEncoder().encode("version https://git-lfs"),
      model([]).subarray(0, 20),
    ]) {
      expect(() => decodeOnnxWeights(data, "m.onnx")).toThrow(UserError);
      expect(() => decodeOnnxWeights(data, "m.onnx")).toThrow("m.onnx is not an ONNX file");
    }
  });
});
