import { ggufLora } from "./gguf/gguf-lora.ts";
import { gguf } from "./gguf/gguf.ts";
import { merged } from "./merged.ts";
import { ollama } from "./ollama/ollama.ts";
import { onnx } from "./onnx.ts";
import { peft } from "./peft.ts";
import type { ExportTarget } from "./target.ts";

export type ExportTargetName = "peft" | "merged" | "gguf" | "gguf-lora" | "onnx" | "ollama";

/** Every format that a finished model can be written in, by its name on the command line. */
export const EXPORT_TARGETS: Readonly<Record<ExportTargetName, ExportTarget>> = {
  peft,
  merged,
  gguf,
  "gguf-lora": ggufLora,
  onnx,
  ollama,
};
