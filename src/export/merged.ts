import { readMerged } from "../model/merge.ts";
import { expectedTensors } from "../model/names.ts";
import { encodeHeader, planBytes, type SafetensorsPlan } from "../tensor/safetensors.ts";
import { encodeWeights } from "./encode-weights.ts";
import { copySideFiles, readBaseConfig } from "./side-files.ts";
import type { ExportFolder, ExportOptions, ExportSource, ExportTarget } from "./target.ts";
import { writeWhole } from "./target.ts";

const TORCH_NAMES = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;
const SAFETENSORS_NAMES = { f32: "F32", f16: "F16", bf16: "BF16" } as const;
type MergedDtype = keyof typeof TORCH_NAMES;

/** Base and adapter as one Hugging Face model: what `merge_and_unload` and `save_pretrained` of PEFT leave. */
export const merged: ExportTarget = {
  summary: "base and adapter as one Hugging Face model, for transformers, vLLM and others",
  library: "transformers",
  dtypes: ["f32", "f16", "bf16"],
  async defaultDtype(source) {
    const config = await readBaseConfig(source);
    const own = config["dtype"] ?? config["torch_dtype"];
    const known = (Object.keys(TORCH_NAMES) as MergedDtype[]).find((dtype) => TORCH_NAMES[dtype] === own);
    return known ?? "f32";
  },
  loading: () => `\`\`\`python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
\`\`\``,
  async write(source, folder, options) {
    const dtype = options.dtype as MergedDtype;
    await writeShards(source, folder, dtype, options);
    const { torch_dtype: _old, quantization_config: _none, ...config } = await readBaseConfig(source);
    const written = { ...config, dtype: TORCH_NAMES[dtype] };
    await writeWhole(folder, "config.json", `${JSON.stringify(written, null, 2)}\n`);
    await copySideFiles(source, folder);
  },
};

async function writeShards(
  source: ExportSource,
  folder: ExportFolder,
  dtype: MergedDtype,
  { shardBytes, onProgress, signal }: ExportOptions,
): Promise<void> {
  const { base, adapter } = source;
  const tensors = [...expectedTensors(base.modelConfig)].map(([name, shape]): SafetensorsPlan => ({
    name,
    dtype: SAFETENSORS_NAMES[dtype],
    shape,
  }));
  const shards = shardsOf(tensors, shardBytes);
  const weightMap: Record<string, string> = {};
  let done = 0;
  for (const [i, shard] of shards.entries()) {
    const name =
      shards.length === 1 ? "model.safetensors" : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`;
    const file = await folder.create(name);
    try {
      await file.write(encodeHeader(shard, { format: "pt" }));
      for (const { name: tensor } of shard) {
        signal?.throwIfAborted();
        const { data } = await readMerged(base.weights, tensor, adapter);
        await file.write(encodeWeights(data, dtype, tensor));
        weightMap[tensor] = name;
        onProgress({ done: ++done, total: tensors.length });
      }
    } finally {
      await file.close();
    }
  }
  if (shards.length === 1) return;
  const total = tensors.reduce((sum, tensor) => sum + planBytes(tensor), 0);
  const index = { metadata: { total_size: total }, weight_map: weightMap };
  await writeWhole(folder, "model.safetensors.index.json", `${JSON.stringify(index, null, 2)}\n`);
}

/** Deals tensors in order to files of at most `shardBytes`; a larger tensor has a file of its own. */
function shardsOf(tensors: readonly SafetensorsPlan[], shardBytes: number): SafetensorsPlan[][] {
  const shards: SafetensorsPlan[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    const bytes = planBytes(tensor);
    if (shards.length === 0 || bytes > room) {
      shards.push([]);
      room = shardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  return shards;
}

const five = (n: number): string => String(n).padStart(5, "0");
