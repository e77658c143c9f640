import { algorithmOf, type AlgorithmName, ALGORITHMS } from "../algorithms/registry.ts";
import { itemKind } from "../data/items/registry.ts";
import { readersOf, type Registry } from "../registry/declared.ts";
import { objectiveOf, OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";
import { AGGREGATORS } from "../updates/aggregator-registry.ts";

/** The algorithms, aggregators or objectives that read a setting. The setting `by` chooses one of them. */
export interface Readers {
  readonly by: "federation.algorithm" | "federation.aggregator" | "objective.name";
  readonly names: readonly string[];
}

const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];
const PREFERENCES = OBJECTIVE_NAMES.filter((name) => itemKind(objectiveOf(name).items).isPreference);
const LEARNS_ANSWERS = OBJECTIVE_NAMES.filter((name) => !PREFERENCES.includes(name));
const PERSONAL = (Object.keys(ALGORITHMS) as AlgorithmName[]).filter((name) => algorithmOf(name).ownAdapter);

/** Settings that only some algorithms, aggregators or objectives read, by dotted key. */
export const READ_BY: Readonly<Record<string, Readers>> = {
  "adapter.dropout": { by: "objective.name", names: LEARNS_ANSWERS },
  "data.maxPromptLength": { by: "objective.name", names: PREFERENCES },
  ...declared("objective", "objective.name", OBJECTIVES),
  ...declared("federation", "federation.algorithm", ALGORITHMS),
  ...declared("federation", "federation.aggregator", AGGREGATORS),
  "evaluation.crossClients": { by: "federation.algorithm", names: PERSONAL },
};

function declared(section: string, by: Readers["by"], registry: Registry): Record<string, Readers> {
  return Object.fromEntries([...readersOf(registry)].map(([key, names]) => [`${section}.${key}`, { by, names }]));
}

/** True if a setting has an effect in a configuration. `valueOf` gives the values of the configuration by dotted key. */
export function isRead(key: string, valueOf: (key: string) => unknown): boolean {
  const readers = Object.hasOwn(READ_BY, key) ? READ_BY[key] : undefined;
  return readers === undefined || (readers.names as readonly unknown[]).includes(valueOf(readers.by));
}
