/** LoRA of one module. */
export interface LoraModule {
  readonly rank: number;
  /** Factor of B·A·x: alpha/rank, or alpha/√rank with rsLoRA. */
  readonly scale: number;
  /** True: the weight that it changes is [in, out]. */
  readonly transposed?: boolean;
}

/** The part of an adapter's configuration that shapes a graph. */
export interface LoraShape {
  /** The adapted linear modules, by full name. */
  readonly modules: ReadonlyMap<string, LoraModule>;
}

/** Makes a key that is equal for adapters of one engine, scorer or decoder. `undefined` is the bare base. */
export function shapeKey(lora: LoraShape | undefined): string {
  if (lora === undefined) return "";
  const modules = [...lora.modules].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(modules.map(([name, { rank, scale }]) => [name, rank, scale]));
}

/** Makes PEFT's names of a module's two LoRA tensors: A [rank, in] and B [out, rank]. */
export function loraNames(module: string): { a: string; b: string } {
  return { a: `base_model.model.${module}.lora_A.weight`, b: `base_model.model.${module}.lora_B.weight` };
}
