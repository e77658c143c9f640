import { toPeftConfig } from "../model/peft-config.ts";
import { toFloat32 } from "../tensor/params.ts";
import { encodeSafetensors } from "../tensor/safetensors.ts";
import type { ExportSource, ExportTarget } from "./target.ts";
import { writeWhole } from "./target.ts";

/** The adapter as PEFT saves it, with a base name that PEFT can open, or with a note. */
export const peft: ExportTarget = {
  summary: "the adapter alone as PEFT loads it",
  library: "peft",
  dtypes: ["f32"],
  ofBaseAlone: false,
  loading: (source) => {
    const base = hubBase(source);
    const place = base === undefined ? "path/to/the/base" : base.id;
    const revision = base?.revision === undefined ? "" : `, revision=${JSON.stringify(base.revision)}`;
    return `\`\`\`python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(place)}${revision})
model = PeftModel.from_pretrained(base, "FOLDER")
\`\`\``;
  },
  async write(source, folder, { onProgress, onNote }) {
    const { config, params } = source.adapter!;
    const base = hubBase(source);
    if (base === undefined) {
      onNote(
        `note: PEFT cannot open the base ${source.base.name} by its name. Write it with --to merged --base-only, and give PEFT that folder.`,
      );
    }
    await writeWhole(folder, "adapter_model.safetensors", encodeSafetensors(toFloat32(params), { format: "pt" }));
    const written = {
      ...toPeftConfig(config, params, base?.id ?? source.base.name),
      ...(base?.revision !== undefined && { revision: base.revision }),
    };
    await writeWhole(folder, "adapter_config.json", `${JSON.stringify(written, null, 2)}\n`);
    onProgress({ done: params.size, total: params.size });
  },
};

/** The base on the Hub, at the commit that was used; undefined for a folder or an npm package. */
export function hubBase({
  base,
}: ExportSource): { readonly id: string; readonly revision: string | undefined } | undefined {
  if (base.commit === undefined) return undefined;
  return { id: base.ref.replace(/^hf:/, "").replace(/@.*$/, ""), revision: base.commit };
}
