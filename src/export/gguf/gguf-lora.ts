import { loraNames } from "../../model/lora.ts";
import { pairRows } from "../../model/gguf-rules.ts";
import type { ExportTarget } from "../target.ts";
import { type GgufMetadata, type GgufTensor, writeGguf } from "./gguf-file.ts";
import { rulesOf } from "./gguf.ts";
import { encodeGgml } from "./quantize.ts";

const LORA_FILE = "adapter.gguf";

/** The adapter alone, for a GGUF file of its base. */
export const ggufLora: ExportTarget = {
  summary: "the adapter alone as GGUF, for llama.cpp's --lora with a GGUF file of the base",
  library: "gguf",
  dtypes: ["f32", "f16"],
  ofBaseAlone: false,
  loading: () => `\`\`\`sh
llama-cli -m BASE.gguf --lora FOLDER/${LORA_FILE} --temp 0
\`\`\``,
  async write(source, folder, { dtype, onProgress, signal }) {
    const { base } = source;
    const { modelConfig: config } = base;
    const { shape, params, config: adapter } = source.adapter!;
    const rules = rulesOf(source);
    const metadata: GgufMetadata = new Map([
      ["general.architecture", { string: rules.architecture }],
      ["general.type", { string: "adapter" }],
      ["general.name", { string: base.name }],
      ["adapter.type", { string: "lora" }],
      ["adapter.lora.alpha", { float32: adapter.alpha }],
    ]);
    const type = dtype as "f32" | "f16";
    const parts = [...shape.modules].flatMap(([module, lora]) => {
      const names = loraNames(module);
      const weight = `${module}.weight`;
      return [
        { module, weight, lora, part: "lora_a" as const, tensor: params.get(names.a)! },
        { module, weight, lora, part: "lora_b" as const, tensor: params.get(names.b)! },
      ];
    });
    const tensors = parts.map(({ weight, part, tensor }): GgufTensor => ({
      name: `${rules.tensorName(weight)}.${part}`,
      shape: tensor.shape,
      type,
    }));
    const file = await folder.create(LORA_FILE);
    try {
      await writeGguf(file, metadata, tensors, async ({ name }, i) => {
        signal?.throwIfAborted();
        const { weight, part, lora, tensor } = parts[i]!;
        onProgress({ done: i + 1, total: tensors.length });
        const data = Float32Array.from(tensor.data);
        if (part === "lora_a") return encodeGgml(data, type, name);
        // llama.cpp scales every module by alpha/rank.
        const factor = (lora.scale * lora.rank) / adapter.alpha;
        const scaled = factor === 1 ? data : data.map((value) => value * factor);
        const change = rules.change(config, weight);
        const rows = tensor.shape[0]!;
        return encodeGgml(change?.kind === "pair-rows" ? pairRows(scaled, rows, change.heads) : scaled, type, name);
      });
    } finally {
      await file.close();
    }
  },
};
