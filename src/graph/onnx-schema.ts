import protobuf from "protobufjs/light.js";

const optional = (type: string, id: number): protobuf.IField => ({ type, id });
const repeated = (type: string, id: number): protobuf.IField => ({ rule: "repeated", type, id });

/** The part of onnx.proto (ONNX IR version 10) that the program's graphs use and that weight files need. */
const root = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: optional("int64", 1),
        producerName: optional("string", 2),
        graph: optional("GraphProto", 7),
        opsetImport: repeated("OperatorSetIdProto", 8),
      },
    },
    OperatorSetIdProto: { fields: { domain: optional("string", 1), version: optional("int64", 2) } },
    GraphProto: {
      fields: {
        node: repeated("NodeProto", 1),
        name: optional("string", 2),
        initializer: repeated("TensorProto", 5),
        input: repeated("ValueInfoProto", 11),
        output: repeated("ValueInfoProto", 12),
      },
    },
    NodeProto: {
      fields: {
        input: repeated("string", 1),
        output: repeated("string", 2),
        name: optional("string", 3),
        opType: optional("string", 4),
        attribute: repeated("AttributeProto", 5),
        domain: optional("string", 7),
      },
    },
    AttributeProto: {
      fields: {
        name: optional("string", 1),
        f: optional("float", 2),
        i: optional("int64", 3),
        s: optional("bytes", 4),
        floats: repeated("float", 7),
        ints: repeated("int64", 8),
        type: optional("int32", 20),
      },
    },
    TensorProto: {
      fields: {
        dims: repeated("int64", 1),
        dataType: optional("int32", 2),
        floatData: repeated("float", 4),
        int32Data: repeated("int32", 5),
        int64Data: repeated("int64", 7),
        name: optional("string", 8),
        rawData: optional("bytes", 9),
        externalData: repeated("StringStringEntryProto", 13),
        dataLocation: optional("int32", 14),
      },
    },
    StringStringEntryProto: { fields: { key: optional("string", 1), value: optional("string", 2) } },
    ValueInfoProto: { fields: { name: optional("string", 1), type: optional("TypeProto", 2) } },
    TypeProto: { fields: { tensorType: optional("TensorTypeProto", 1) } },
    TensorTypeProto: { fields: { elemType: optional("int32", 1), shape: optional("TensorShapeProto", 2) } },
    TensorShapeProto: { fields: { dim: repeated("DimensionProto", 1) } },
    DimensionProto: { fields: { dimValue: optional("int64", 1), dimParam: optional("string", 2) } },
  },
});

/** Encodes and decodes whole ONNX models: `modelProto.encode(message).finish()`, `modelProto.decode(bytes)`. */
export const modelProto: protobuf.Type = root.lookupType("ModelProto");

/** TensorProto.DataType */
export const ONNX_TYPES = { float32: 1, uint8: 2, int8: 3, int64: 7, bool: 9, float16: 10 } as const;
