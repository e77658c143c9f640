import { UserError } from "../diagnostics/user-error.ts";
import { encodeOnnx, type WeightPlace } from "../graph/onnx.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../model/config.ts";
import { exportedGraph } from "../model/language-model.ts";
import { readMerged } from "../model/merge.ts";
import type { RotaryConfig } from "../model/rotary-scaling.ts";
import { encodeWeights } from "./encode-weights.ts";
import { dealToFiles } from "./shards.ts";
import { writeSideFiles } from "./side-files.ts";
import type { ExportFolder, ExportOptions, ExportSource, ExportTarget } from "./target.ts";
import { writeWhole } from "./target.ts";

/** The names of transformers.js: that of the option `dtype`, and the file that it opens for it. */
const FORMATS = {
  f32: { bytes: 4, option: "fp32", file: "model.onnx" },
  f16: { bytes: 2, option: "fp16", file: "model_fp16.onnx" },
} as const;
type OnnxDtype = keyof typeof FORMATS;

/** Largest file of weights: a browser holds one in an ArrayBuffer, which ends near 2 GB. */
const MOST_FILE_BYTES = 2_000_000_000;
/** Weights begin at whole pages, so that an engine can map them. */
const PAGE = 4096;

/** Base and adapter as an ONNX decoder with a key-value cache, laid out as transformers.js loads it. */
export const onnx: ExportTarget = {
  summary: "base and adapter as an ONNX decoder, for transformers.js in Node and browsers",
  library: "transformers.js",
  dtypes: ["f32", "f16"],
  loading: (_source, dtype) => `\`\`\`js
import { env, pipeline } from "@huggingface/transformers";

env.localModelPath = "path/to";
const generate = await pipeline("text-generation", "this/folder", { dtype: "${FORMATS[dtype as OnnxDtype].option}" });
const [{ generated_text: messages }] = await generate([{ role: "user", content: "…" }], { max_new_tokens: 128 });
console.log(messages.at(-1).content);
\`\`\``,
  async write(source, folder, options) {
    const { option, file } = FORMATS[options.dtype as OnnxDtype];
    const files = await writeModel(source, folder, options);
    const forTransformersJs = { dtype: option, use_external_data_format: { [file]: files } };
    await writeSideFiles(source, folder, { dtype: "float32", "transformers.js_config": forTransformersJs });
  },
};

/** Writes the graph and its weights to `onnx/`. @returns the number of files of weights. */
async function writeModel(
  { base, adapter }: ExportSource,
  folder: ExportFolder,
  { dtype, shardBytes, onProgress, signal }: ExportOptions,
): Promise<number> {
  const { file } = FORMATS[dtype as OnnxDtype];
  refuseRotationByLength(base);
  const graph = exportedGraph(base.modelConfig);
  const size = (parameter: Value): number => bytesOf(parameter, dtype as OnnxDtype);
  const shards = dealToFiles(graph.parameters, size, Math.min(shardBytes, MOST_FILE_BYTES), PAGE);
  const places = new Map<string, WeightPlace>();
  let done = 0;
  for (const [i, shard] of shards.entries()) {
    const location = `${file}_data${i === 0 ? "" : `_${i}`}`;
    const written = await folder.create(`onnx/${location}`);
    try {
      let at = 0;
      for (const { weight: parameter, offset } of shard) {
        signal?.throwIfAborted();
        const { data } = await readMerged(base.weights, parameter.name, adapter);
        const stored = formatOf(parameter, dtype as OnnxDtype);
        const bytes = encodeWeights(data, stored, parameter.name);
        await written.write(new Uint8Array(offset - at));
        await written.write(bytes);
        at = offset + bytes.length;
        places.set(parameter.name, { location, offset, ...(stored === "f16" ? { stored: "float16" } : {}) });
        onProgress({ done: ++done, total: graph.parameters.length });
      }
    } finally {
      await written.close();
    }
  }
  await writeWhole(
    folder,
    `onnx/${file}`,
    encodeOnnx(graph, (name) => places.get(name)!),
  );
  return shards.length;
}

/** One graph serves texts of every length, and its rotation is one. */
function refuseRotationByLength({ name, modelConfig }: ExportSource["base"]): void {
  const { rotary } = modelConfig as ModelConfig & { readonly rotary?: RotaryConfig };
  if (rotary?.long === undefined) return;
  throw new UserError(
    "model",
    `${name} rotates longer texts otherwise (longrope), which the ONNX export does not have`,
    {
      hint: "Export with --to merged.",
    },
  );
}

/** Norms and biases stay float32. */
function formatOf({ shape }: Value, dtype: OnnxDtype): OnnxDtype {
  return shape.length === 1 ? "f32" : dtype;
}

function bytesOf(parameter: Value, dtype: OnnxDtype): number {
  const elements = (parameter.shape as number[]).reduce((a, b) => a * b, 1);
  return elements * FORMATS[formatOf(parameter, dtype)].bytes;
}
