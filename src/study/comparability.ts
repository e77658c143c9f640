import type { StoredRun } from "./stored-run.ts";

type Leaves = ReadonlyMap<StoredRun, ReadonlyMap<string, unknown>>;

/** Runs with the same examples have the same data, whatever their files are called and wherever they lie. */
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

/** What makes the numbers of some runs mean something else than those of the first. */
export function comparabilityWarnings(runs: readonly StoredRun[], leaves: Leaves): string[] {
  const [first] = runs;
  if (first === undefined) return [];
  const warnings: string[] = [];
  const warn = (others: readonly StoredRun[], what: string): void => {
    if (others.length > 0) {
      const names = others.map(({ folder }) => folder).join(", ");
      warnings.push(`${names}: ${what} than ${first.folder}; the numbers are not of the same thing`);
    }
  };
  warn(
    runs.filter(({ model }) => model !== first.model),
    "another base model",
  );
  warn(
    runs.filter((run) => leaves.get(run)!.get("objective.name") !== leaves.get(first)!.get("objective.name")),
    "another objective",
  );
  const otherData = runs.filter((run) => !sameData(run, first, runs, leaves));
  warn(otherData, "other data");
  warn(
    runs.filter((run) => !otherData.includes(run) && !sameSets(run, first)),
    "other held-out sets",
  );
  return warnings;
}

/** Where the seed deals records out, other seeds mean other hashes, and that is as it should be. */
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
