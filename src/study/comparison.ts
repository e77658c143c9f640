import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { COMMON_SET } from "../experiment/client-records.ts";
import { comparabilityWarnings, sameDataSettings } from "./comparability.ts";
import { isPersonal, LOSS } from "./measure.ts";
import { differingKeys, tellingLeaves, valueText } from "./settings.ts";
import { plannedRounds, type StoredRound, type StoredRun } from "./stored-run.ts";

/** Runs that differ in their seed only; an unfinished run is a group by itself. */
export interface Group {
  /** One cell for each of the comparison's `columns`. */
  readonly cells: readonly string[];
  /** For a chart. */
  readonly label: string;
  /** One a seed. */
  readonly runs: readonly StoredRun[];
  /** The round an unfinished run has come to. */
  readonly unfinished: { readonly round: number; readonly of: number | undefined } | undefined;
  /** Whether every client ends with an adapter of its own, and there is none in common. */
  readonly personal: boolean;
}

export interface Comparison {
  /** Headings of what tells the groups apart. */
  readonly columns: readonly string[];
  /** What every run began from: one, unless runs with other data or another base model were put beside them. */
  readonly bases: readonly Group[];
  readonly groups: readonly Group[];
  /** Those that were measured; `loss` first. */
  readonly metrics: readonly string[];
  /** Held-out sets, `common` last. */
  readonly sets: readonly string[];
  /** Why some runs should not be put side by side. */
  readonly warnings: readonly string[];
}

export interface CompareOptions {
  /** Settings that label the groups. Default: those that differ, `federation.algorithm` first. */
  readonly by?: readonly string[];
  /** Labels groups by the names of their folders instead. */
  readonly names?: boolean;
}

const ALGORITHM = "federation.algorithm";

/**
 * Puts runs side by side.
 *
 * @throws UserError of kind `config` for a key of `by` that no run has.
 */
export function compareRuns(runs: readonly StoredRun[], { by = [], names = false }: CompareOptions = {}): Comparison {
  const leaves = telling(runs);
  checkKeys(by, [...leaves.values()]);
  const { groups: members, duplicates } = groupsOf(runs, leaves);
  const differing = differingKeys(members.map(([first]) => leaves.get(first!)!)).sort(
    (a, b) => Number(b === ALGORITHM) - Number(a === ALGORITHM),
  );
  const all = [...new Set([...by, ...differing])];
  const keys = all.length === 0 ? [ALGORITHM] : all;
  const cellsOf = (group: readonly StoredRun[], of: readonly string[]): string[] =>
    names ? [stem(group)] : of.map((key) => valueText(leaves.get(group[0]!)!.get(key)));
  const short = by.length > 0 && new Set(members.map((group) => cellsOf(group, by).join())).size === members.length;
  const groups = members.map((group): Group => {
    const first = group[0]!;
    const label = names ? stem(group) : keyLabel(short ? by : keys, leaves.get(first)!);
    const unfinished = first.finished
      ? undefined
      : { round: first.rounds.at(-1)?.round ?? 0, of: plannedRounds(first) };
    return {
      cells: cellsOf(group, keys),
      label: unfinished === undefined ? label : `${label} (${roundText(unfinished)})`,
      runs: group,
      unfinished,
      personal: group.some((run) => run.rounds.some(isPersonal)),
    };
  });
  const columns = names ? ["run"] : keys.map((key) => key.split(".").at(-1)!);
  return {
    columns,
    bases: basesOf(runs, leaves, groups, columns.length),
    groups,
    metrics: metricsOf(runs),
    sets: setsOf(runs),
    warnings: [...comparabilityWarnings(runs, leaves), ...duplicates],
  };
}

export function unfinishedText(unfinished: NonNullable<Group["unfinished"]>): string {
  return `unfinished, ${roundText(unfinished)}`;
}

function roundText({ round, of }: NonNullable<Group["unfinished"]>): string {
  return `round ${round}${of === undefined ? "" : ` of ${of}`}`;
}

/** Each run's settings, with the base model and the data named alike where they are the same. */
function telling(runs: readonly StoredRun[]): Map<StoredRun, ReadonlyMap<string, unknown>> {
  const bases = new Map<string, unknown>();
  const leaves = new Map<StoredRun, ReadonlyMap<string, unknown>>();
  for (const run of runs) {
    const own = tellingLeaves(run.config);
    if (!bases.has(run.model)) bases.set(run.model, own.get("model.base"));
    leaves.set(run, own.set("model.base", bases.get(run.model)));
  }
  return sameDataSettings(runs, leaves);
}

function checkKeys(by: readonly string[], leaves: readonly ReadonlyMap<string, unknown>[]): void {
  const known = new Set(leaves.flatMap((each) => [...each.keys()]));
  for (const key of by) {
    if (known.has(key)) continue;
    const near = nearest(key, known) ?? [...known].find((full) => full.split(".").at(-1) === key);
    throw new UserError("config", `no run has a setting '${key}' to label it by`, {
      hint: near === undefined ? "All settings there are: openfedllm run --help-all" : `Did you mean '${near}'?`,
    });
  }
}

/** A seed that comes twice in a group would make its spread look smaller than it is. */
function groupsOf(
  runs: readonly StoredRun[],
  leaves: ReadonlyMap<StoredRun, ReadonlyMap<string, unknown>>,
): { groups: StoredRun[][]; duplicates: string[] } {
  const byKey = new Map<string, StoredRun[]>();
  const duplicates: string[] = [];
  for (const run of runs) {
    const settings = JSON.stringify([...leaves.get(run)!].sort(([a], [b]) => (a < b ? -1 : 1)));
    const key = run.finished ? settings : `${settings} ${run.folder}`;
    const group = byKey.get(key) ?? [];
    byKey.set(key, group);
    const twin = group.find(({ seed }) => seed === run.seed);
    if (twin === undefined) group.push(run);
    else duplicates.push(`${run.folder} has the settings and the seed of ${twin.folder} and is left out`);
  }
  return { groups: [...byKey.values()], duplicates };
}

/** `fedavg` for the folders fedavg-seed1 and fedavg-seed2. */
function stem(group: readonly StoredRun[]): string {
  const stems = new Set(group.map(({ name, seed }) => name.replace(new RegExp(`-seed${seed}$`), "")));
  return [...stems].join(", ");
}

/** `fedprox, proxMu 0.01`: an algorithm says by itself what it is, a number does not. */
function keyLabel(keys: readonly string[], leaves: ReadonlyMap<string, unknown>): string {
  return keys
    .map((key) => {
      const value = leaves.get(key);
      const bare = typeof value === "string" || keys.length === 1;
      const text = valueText(value);
      return bare && typeof value !== "number" ? text : `${key.split(".").at(-1)} ${text}`;
    })
    .join(", ");
}

/** Settings that what the base measures depends on. */
const MEASURED = /^(data\.|objective\.|evaluation\.(limit|labels)|fidelity$)/;

function basesOf(
  runs: readonly StoredRun[],
  leaves: ReadonlyMap<StoredRun, ReadonlyMap<string, unknown>>,
  groups: readonly Group[],
  columns: number,
): Group[] {
  const byKey = new Map<string, StoredRun[]>();
  for (const run of runs) {
    if (baseRound(run) === undefined) continue;
    const measured = [...leaves.get(run)!].filter(([key]) => MEASURED.test(key));
    const key = JSON.stringify([run.model, measured]);
    const bases = byKey.get(key) ?? [];
    byKey.set(key, bases);
    if (!bases.some(({ seed }) => seed === run.seed)) bases.push(run);
  }
  return [...byKey.values()].map((bases): Group => {
    const of = groups.filter((group) => group.runs.some((run) => bases.includes(run))).map(({ label }) => label);
    const label = byKey.size === 1 ? "base" : `base of ${of.join("; ")}`;
    return {
      cells: [label, ...Array<string>(columns - 1).fill("")],
      label,
      runs: bases,
      unfinished: undefined,
      personal: false,
    };
  });
}

/** What a run measured before it trained. */
export function baseRound({ rounds }: StoredRun): StoredRound | undefined {
  return rounds.find(({ round, heldOut }) => round === 0 && heldOut.size > 0);
}

/** The last round that was measured after training began. */
export function lastRound({ rounds }: StoredRun): StoredRound | undefined {
  return rounds.findLast(({ round, heldOut, personal }) => round > 0 && (heldOut.size > 0 || personal.size > 0));
}

function scoresOf(runs: readonly StoredRun[]) {
  return runs.flatMap(({ rounds }) =>
    rounds.flatMap(({ heldOut, personal }) => [heldOut, ...personal.values()].flatMap((scores) => [...scores])),
  );
}

function metricsOf(runs: readonly StoredRun[]): string[] {
  const found = new Set(scoresOf(runs).flatMap(([, { values }]) => [...values.keys()]));
  return [LOSS, ...[...found].filter((name) => name !== LOSS)].filter((name) => found.has(name));
}

function setsOf(runs: readonly StoredRun[]): string[] {
  const found = new Set(scoresOf(runs).map(([set]) => set));
  return [...[...found].filter((set) => set !== COMMON_SET), ...(found.has(COMMON_SET) ? [COMMON_SET] : [])];
}
