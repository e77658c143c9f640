import { type AdapterConfig, adapterShapes, targetModules } from "../../model/adapter.ts";
import type { ModelConfig } from "../../model/config.ts";

/** An adapter that a run might have, and how many numbers one update of it has. */
export interface SizedAdapter {
  readonly what: string;
  readonly length: number;
}

/** Lists the adapter of a run and smaller ones: of lower rank, of one kind of module, and with A kept as it began. */
export function smallerAdapters(adapter: AdapterConfig, model: ModelConfig): readonly SizedAdapter[] {
  const kinds = [...new Set(targetModules(model, adapter.targets).map(({ name }) => name.split(".").at(-1)!))];
  const sized = (what: string, changes: Partial<AdapterConfig>): SizedAdapter => ({
    what,
    length: lengthOf({ ...adapter, ...changes }, model),
  });
  const lower = [4, 1].filter((rank) => rank < adapter.rank);
  const smallest = { rank: Math.min(1, adapter.rank), rankPattern: {} };
  const smallestKind = kinds
    .map((kind) => sized(`rank 1, ${kind} only`, { ...smallest, targets: [kind] }))
    .sort((a, b) => a.length - b.length)[0]!;
  return [
    sized(`as set: rank ${adapter.rank}, ${kinds.join(", ")}`, {}),
    ...lower.map((rank) => sized(`rank ${rank}, the same modules`, { rank, rankPattern: {} })),
    ...(kinds.length > 1 ? [smallestKind] : []),
    {
      what: "as set, but A frozen (FFA-LoRA; not in this version)",
      length: lengthOf(adapter, model, ".lora_B.weight"),
    },
  ];
}

function lengthOf(adapter: AdapterConfig, model: ModelConfig, ending = ""): number {
  let length = 0;
  for (const [name, shape] of adapterShapes(adapter, model)) {
    if (name.endsWith(ending)) length += shape.reduce((product, size) => product * size, 1);
  }
  return length;
}
