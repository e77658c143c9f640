import type { AlgorithmName } from "../algorithms/registry.ts";
import { OBJECTIVES, type ObjectiveName } from "../train/objective-registry.ts";

/** Who reads a setting: the algorithms or the objectives of these names. */
export type Readers =
  | { readonly by: "federation.algorithm"; readonly names: readonly AlgorithmName[] }
  | { readonly by: "objective.name"; readonly names: readonly ObjectiveName[] };

const algorithms = (...names: readonly AlgorithmName[]): Readers => ({ by: "federation.algorithm", names });
const objectives = (...names: readonly ObjectiveName[]): Readers => ({ by: "objective.name", names });

const PREFERENCES = (Object.keys(OBJECTIVES) as ObjectiveName[]).filter((name) => name !== "sft");

/** Settings that have no effect but with some algorithms or objectives, by dotted key. Those that always have are not here. */
export const READ_BY: Readonly<Record<string, Readers>> = {
  "adapter.dropout": objectives("sft"),
  "data.maxPromptLength": objectives(...PREFERENCES),
  "objective.beta": objectives(...PREFERENCES),
  "objective.labelSmoothing": objectives("dpo"),
  "objective.gamma": objectives("simpo"),
  "objective.desirableWeight": objectives("kto"),
  "objective.undesirableWeight": objectives("kto"),
  "federation.proxMu": algorithms("fedprox"),
  "federation.server.learningRate": algorithms("scaffold", "fedavgm", "fedadagrad", "fedyogi", "fedadam"),
  "federation.server.beta1": algorithms("fedavgm", "fedyogi", "fedadam"),
  "federation.server.beta2": algorithms("fedyogi", "fedadam"),
  "federation.server.tau": algorithms("fedadagrad", "fedyogi", "fedadam"),
  "evaluation.crossClients": algorithms("local"),
};

/** Whether a setting has an effect in a configuration, whose values `valueOf` gives by dotted key. */
export function isRead(key: string, valueOf: (key: string) => unknown): boolean {
  const readers = Object.hasOwn(READ_BY, key) ? READ_BY[key] : undefined;
  return readers === undefined || (readers.names as readonly unknown[]).includes(valueOf(readers.by));
}
