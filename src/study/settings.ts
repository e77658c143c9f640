import { nearest } from "../diagnostics/nearest.ts";
import type { Problem } from "../settings/explain.ts";
import { settingKeys } from "../settings/json-schema.ts";
import { isRead } from "../settings/read-by.ts";

/** A configuration's settings by dotted key. */
export type Leaves = ReadonlyMap<string, unknown>;

const MEASURING: ReadonlySet<string | undefined> = new Set([
  "limit",
  "labels",
  "validation",
  "part",
  "best",
  "earlyStopping",
]);

/** True for settings that change adapters or scores, except the seed. Runs that differ only in the others are one row. */
function changesResults(key: string): boolean {
  const [section, name] = key.split(".");
  if (section === "evaluation") return MEASURING.has(name);
  return section !== "output" && section !== "runtime" && key !== "seed";
}

/** Every setting of a configuration by its dotted key. Lists and mappings without fixed keys are one setting. */
export function leavesOf(config: Readonly<Record<string, unknown>>, prefix = ""): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  for (const [key, value] of Object.entries(config)) {
    const full = `${prefix}${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value) && full !== "data.fields") {
      for (const [inner, leaf] of leavesOf(value as Record<string, unknown>, `${full}.`)) leaves.set(inner, leaf);
    } else if (value !== undefined) {
      leaves.set(full, value);
    }
  }
  return leaves;
}

/** The settings that can tell runs apart: without the seed, and without those that have no effect in this run. */
export function distinguishingLeaves(config: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const leaves = leavesOf(config);
  return new Map([...leaves].filter(([key]) => changesResults(key) && isReadIn(leaves, key)));
}

export function isReadIn(leaves: Leaves, key: string): boolean {
  // The choice of the best round changes a score only with early stopping.
  if (/^evaluation\.(best\.|earlyStopping\.minDelta$)/.test(key) && !leaves.has("evaluation.earlyStopping.patience")) {
    return false;
  }
  if (key === "evaluation.part" && !leaves.has("evaluation.validation")) return false;
  return isRead(key, (other) => leaves.get(other));
}

/** A text that is equal for equal settings, in any order. */
export function leavesText(leaves: Leaves): string {
  return JSON.stringify([...leaves].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Keys with different values among the runs that read them, in order of first occurrence. */
export function differingKeys(all: readonly Leaves[]): string[] {
  const keys = new Set(all.flatMap((leaves) => [...leaves.keys()]));
  return [...keys].filter((key) => {
    const readers = all.filter((leaves) => isReadIn(leaves, key));
    return new Set(readers.map((leaves) => JSON.stringify(leaves.get(key)))).size > 1;
  });
}

/** Keys with different values in two configurations, whether they are read or not. */
export function changedKeys(a: Leaves, b: Leaves): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter(
    (key) => JSON.stringify(a.get(key)) !== JSON.stringify(b.get(key)),
  );
}

/** The reason why a setting cannot label rows, if there is one. `known`: settings besides those of the schema. */
export function labelProblem(key: string, known: Iterable<string> = []): Problem | undefined {
  const inSchema = settingKeys();
  const all = [...new Set([...inSchema.filter(changesResults), ...known])];
  if (all.includes(key)) return undefined;
  if (inSchema.includes(key)) {
    return {
      message: `rows cannot be labelled by '${key}'`,
      hint: `Runs that differ only in '${key}' are one row.`,
    };
  }
  const last = (full: string): string => full.split(".").at(-1)!;
  const byLast = new Map(all.toReversed().map((full) => [last(full), full]));
  const near = byLast.get(key) ?? nearest(key, all) ?? byLast.get(nearest(key, byLast.keys()) ?? "");
  return {
    message: `there is no setting '${key}' to label rows by`,
    hint: near === undefined ? "openfedllm run --help-all lists all settings." : `Did you mean '${near}'?`,
  };
}

/** The runs that are compared with a run of the same algorithm at another learning rate. */
export function tunedRuns<Run extends { readonly config: Readonly<Record<string, unknown>> }>(
  runs: readonly Run[],
): Set<Run> {
  const at = runs.map((run) => {
    const leaves = leavesOf(run.config);
    return { run, algorithm: leaves.get("federation.algorithm"), rate: leaves.get("training.learningRate") };
  });
  const tuned = at.filter(({ algorithm, rate }) =>
    at.some((other) => other.algorithm === algorithm && other.rate !== rate),
  );
  return new Set(tuned.map(({ run }) => run));
}
