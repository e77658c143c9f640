import { ACCURACY, LOSS, MARGIN, REWARDS } from "../settings/metric-names.ts";
import { differingKeys, type Leaves as RunLeaves } from "./settings.ts";
import type { StoredRun } from "./stored-run.ts";

type Leaves = ReadonlyMap<StoredRun, RunLeaves>;

/** The settings of each run. Runs with the same examples get equal `data.` settings, whatever their files are called. */
export function sameDataSettings(runs: readonly StoredRun[], leaves: Leaves): Map<StoredRun, Map<string, unknown>> {
  const byHash = new Map<string, StoredRun>();
  const isData = ([key]: [string, unknown]): boolean => key.startsWith("data.");
  return new Map(
    runs.map((run) => {
      const same = byHash.get(run.data) ?? run;
      byHash.set(run.data, same);
      const others = [...leaves.get(run)!].filter((entry) => !isData(entry));
      return [run, new Map([...others, ...[...leaves.get(same)!].filter(isData)])];
    }),
  );
}

/** Metrics that are different quantities in different rows, and the reasons. */
export interface Quantities {
  readonly incomparable: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

const OBJECTIVE = "objective.name";

/** Finds metrics that differ in meaning: every objective, and every strength of one, has its own loss and rewards. */
export function quantitiesOf(runs: readonly StoredRun[], leaves: Leaves): Quantities {
  const byObjective = new Map<string, StoredRun[]>();
  for (const run of runs) {
    const objective = String(leaves.get(run)!.get(OBJECTIVE));
    byObjective.set(objective, [...(byObjective.get(objective) ?? []), run]);
  }
  const accuracies = new Set(runs.filter(({ rounds }) => rounds.length > 0).map(accuracyOf));
  const advice = accuracies.size === 1 && !accuracies.has(undefined) ? "compare accuracy" : "do not compare them";
  const accuracyIsTwo = accuracies.has("labels") && accuracies.has("preferences");
  const incomparable = new Set<string>();
  const warnings: string[] = [];
  if (byObjective.size > 1) {
    for (const metric of [LOSS, MARGIN, ...REWARDS, ...(accuracyIsTwo ? [ACCURACY] : [])]) incomparable.add(metric);
    const [first, ...others] = [...byObjective].map(
      ([objective, [run, ...more]]) =>
        [`${run!.folder}${more.length === 0 ? "" : ` and ${more.length} more`}`, objective, more.length > 0] as const,
    );
    const learns = [...others, first!].map(
      ([who, objective, several], i) =>
        `${who} ${i === 0 ? (several ? "train with" : "trains with") : "with"} ${objective}`,
    );
    warnings.push(`${learns.join(", ")}: their losses, rewards and margins are different quantities; ${advice}`);
  }
  for (const [objective, same] of byObjective) {
    const differing = differingKeys(same.map((run) => leaves.get(run)!)).filter((key) => key.startsWith("objective."));
    if (differing.length === 0) continue;
    const rewards = differing.includes("objective.beta");
    for (const metric of [LOSS, ...(rewards ? [MARGIN, ...REWARDS] : [])]) incomparable.add(metric);
    const what = rewards ? "losses, rewards and margins" : "losses";
    const verb = differing.length === 1 ? "differs" : "differ";
    warnings.push(
      `${differing.join(" and ")} ${verb} between runs of ${objective}: their ${what} are different quantities; ${advice}`,
    );
  }
  return { incomparable, warnings };
}

/** The kind of accuracy that a run has: of labels or of preferences. */
function accuracyOf({ rounds }: StoredRun): "labels" | "preferences" | undefined {
  const scores = rounds.flatMap(({ heldOut, personal }) =>
    [heldOut, ...personal.values()].flatMap((sets) => [...sets.values()]),
  );
  if (scores.some(({ values }) => values.has("macroF1"))) return "labels";
  return scores.some(({ values }) => values.has(ACCURACY)) ? "preferences" : undefined;
}

/** Warns of runs whose numbers are not comparable with those of the first. */
export function comparabilityWarnings(runs: readonly StoredRun[], leaves: Leaves): string[] {
  const [first] = runs;
  if (first === undefined) return [];
  const warnings: string[] = [];
  const warn = (others: readonly StoredRun[], what: string): void => {
    if (others.length > 0) {
      const names = others.map(({ folder }) => folder).join(", ");
      warnings.push(`${names}: ${what} from ${first.folder}; the numbers are not comparable`);
    }
  };
  warn(
    runs.filter(({ model }) => model !== first.model),
    "a different base model",
  );
  const otherData = runs.filter((run) => !sameData(run, first, runs, leaves));
  warn(otherData, "different data");
  warn(
    runs.filter((run) => !otherData.includes(run) && !sameSets(run, first)),
    "different held-out sets",
  );
  return warnings;
}

/** True for equal data, and for data that differ only because another seed dealt the records. */
function sameData(run: StoredRun, first: StoredRun, runs: readonly StoredRun[], leaves: Leaves): boolean {
  if (run.data === first.data) return true;
  const ofSeed = runs.find(({ seed }) => seed === run.seed)!;
  if (ofSeed.data !== run.data || run.seed === first.seed) return false;
  const [mine, its] = [run, first].map((each) => [...leaves.get(each)!].filter(([key]) => key.startsWith("data.")));
  return JSON.stringify(mine) === JSON.stringify(its) && dealtBySeed(leaves.get(run)!);
}

function dealtBySeed(leaves: ReadonlyMap<string, unknown>): boolean {
  return leaves.has("data.train") || leaves.has("data.limit") || Number(leaves.get("data.heldOutRecords") ?? 0) > 0;
}

function sameSets(run: StoredRun, first: StoredRun): boolean {
  const counted = run.data === first.data;
  const sets = ({ rounds }: StoredRun): string | undefined => {
    const measured = rounds.find(({ heldOut }) => heldOut.size > 0);
    const named = [...(measured?.heldOut ?? [])].map(([set, { records }]) => `${set} ${counted ? records : ""}`);
    return measured && named.sort().join("\n");
  };
  const [mine, its] = [sets(run), sets(first)];
  return mine === undefined || its === undefined || mine === its;
}
