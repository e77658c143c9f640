import { algorithmOf } from "../../algorithms/registry.ts";
import { type AdapterConfig, initAdapter, targetModules } from "../../model/adapter.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { parameterCount } from "../../tensor/params.ts";

/** An adapter that a run might have, and how many numbers one update of it has. */
export interface SizedAdapter {
  readonly what: string;
  readonly length: number;
}

/** Lists the adapter of a run and smaller ones: of lower rank, of one kind of module, and with A kept as it began. */
export function smallerAdapters(
  { adapter, federation, fidelity }: Pick<ExperimentConfig, "adapter" | "federation" | "fidelity">,
  model: ModelConfig,
): readonly SizedAdapter[] {
  const sized = (what: string, changes: Partial<AdapterConfig>, factors = federation.factors): SizedAdapter => {
    const { update } = algorithmOf(federation.algorithm, { ...federation, factors }, fidelity);
    const groups = Object.values(update(initAdapter({ ...adapter, ...changes }, model, 0), 1));
    return { what, length: groups.reduce((sum, { like }) => sum + parameterCount(like), 0) };
  };
  const kinds = [...new Set(targetModules(model, adapter.targets).map(({ name }) => name.split(".").at(-1)!))];
  const rank = Math.min(1, adapter.rank);
  const smallestKind = kinds
    .map((kind) => sized(`rank 1, ${kind} only`, { rank, targets: [kind] }))
    .sort((a, b) => a.length - b.length)[0]!;
  return [
    sized(`as set: rank ${adapter.rank}, ${kinds.join(", ")}`, {}),
    ...[4, 1].filter((lower) => lower < adapter.rank).map((lower) => sized(`rank ${lower}`, { rank: lower })),
    ...(kinds.length > 1 ? [smallestKind] : []),
    ...(federation.factors === undefined
      ? [
          sized(`rank ${adapter.rank}, A frozen (federation.factors: ffa)`, {}, "ffa"),
          sized("rank 1, A frozen", { rank }, "ffa"),
        ]
      : []),
  ];
}
