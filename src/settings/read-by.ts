import { algorithmOf, type AlgorithmName, ALGORITHMS } from "../algorithms/registry.ts";
import { ATTACKS } from "../attacks/registry.ts";
import { itemKind } from "../data/items/registry.ts";
import { derived } from "../registry/additions.ts";
import { readersOf, type Registry } from "../registry/declared.ts";
import { objectiveOf, OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";
import { AGGREGATORS } from "../updates/aggregator-registry.ts";

/** The algorithms, aggregators or objectives that read a setting. The setting `by` chooses one of them. */
export interface Readers {
  readonly by: "federation.algorithm" | "federation.aggregator" | "objective.name" | "data.attack.name";
  readonly names: readonly string[];
}

/** Settings that only some algorithms, aggregators or objectives read, by dotted key. */
export const readBy: () => Readonly<Record<string, Readers>> = derived(() => {
  const objectives = Object.keys(OBJECTIVES) as ObjectiveName[];
  const preferences = objectives.filter((name) => itemKind(objectiveOf(name).items).isPreference);
  const learnsAnswers = objectives.filter((name) => !preferences.includes(name));
  const personal = (Object.keys(ALGORITHMS) as AlgorithmName[]).filter((name) => algorithmOf(name).ownAdapter);
  return {
    "adapter.dropout": { by: "objective.name", names: learnsAnswers },
    "data.maxPromptLength": { by: "objective.name", names: preferences },
    ...declared("objective", "objective.name", OBJECTIVES),
    ...declared("federation", "federation.algorithm", ALGORITHMS),
    ...declared("federation", "federation.aggregator", AGGREGATORS),
    ...declared("data.attack", "data.attack.name", ATTACKS),
    "evaluation.crossClients": { by: "federation.algorithm", names: personal },
  };
});

function declared(section: string, by: Readers["by"], registry: Registry): Record<string, Readers> {
  return Object.fromEntries([...readersOf(registry)].map(([key, names]) => [`${section}.${key}`, { by, names }]));
}

/** True if a setting has an effect in a configuration. `valueOf` gives the values of the configuration by dotted key. */
export function isRead(key: string, valueOf: (key: string) => unknown): boolean {
  const all = readBy();
  const readers = Object.hasOwn(all, key) ? all[key] : undefined;
  return readers === undefined || (readers.names as readonly unknown[]).includes(valueOf(readers.by));
}
