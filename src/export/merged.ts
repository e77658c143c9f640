import { readMerged } from "../model/merge.ts";
import { expectedTensors } from "../model/names.ts";
import { encodeHeader, planBytes, type SafetensorsPlan } from "../tensor/safetensors.ts";
import { encodeWeights } from "./encode-weights.ts";
import { dealToFiles } from "./shards.ts";
import { readBaseConfig, writeSideFiles } from "./side-files.ts";
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
    await writeSideFiles(source, folder, { dtype: TORCH_NAMES[dtype] });
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
  const shards = dealToFiles(tensors, planBytes, shardBytes).map((shard) => shard.map(({ weight }) => weight));
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

const five = (n: number): string => String(n).padStart(5, "0");
