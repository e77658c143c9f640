/** The part of an adapter's configuration that shapes a graph. */
export interface LoraShape {
  readonly rank: number;
  /** Factor of B·A·x: alpha/rank, or alpha/√rank with rsLoRA. */
  readonly scale: number;
  /** Full names of the adapted linear modules. */
  readonly modules: ReadonlySet<string>;
}

/** Equal for adapters that one decoder serves; undefined: the bare base. */
export function shapeKey(lora: LoraShape | undefined): string {
  return lora === undefined ? "" : JSON.stringify([lora.rank, lora.scale, ...[...lora.modules].sort()]);
}

/** PEFT's names of a module's two LoRA tensors: A [rank, in] and B [out, rank]. */
export function loraNames(module: string): { a: string; b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}
