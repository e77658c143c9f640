import { UserError } from "../diagnostics/user-error.ts";
import { COMMON_SET } from "../experiment/records/client-records.ts";
import { ACCURACY, betterWay, LOSS } from "../settings/metric-names.ts";
import { comparabilityWarnings, quantitiesOf, sameDataSettings } from "./comparability.ts";
import { isPersonal } from "./metric-values.ts";
import { type SettingTexts, settingTexts } from "./setting-texts.ts";
import { differingKeys, labelProblem, type Leaves, leavesText, distinguishingLeaves } from "./settings.ts";
import { plannedRounds, type StoredRound, type StoredRun } from "./stored-run.ts";

/** Runs that differ in their seed only; an unfinished run is a group by itself. */
export interface Group {
  /** One cell for each of the comparison's `columns`. */
  readonly cells: readonly string[];
  /** Name of the group in charts. */
  readonly label: string;
  /** The runs, one for each seed. */
  readonly runs: readonly StoredRun[];
  /** `unfinished, round 3 of 8`, or `metrics.json is missing`; undefined for finished runs. */
  readonly state: string | undefined;
  /** True if every client has its own final adapter, and there is no common one. */
  readonly personal: boolean;
}

export interface Comparison {
  /** Headings of the settings that tell the groups apart. */
  readonly columns: readonly string[];
  /** The untrained bases: one, unless the runs differ in objective, data or base. */
  readonly bases: readonly Group[];
  readonly groups: readonly Group[];
  /** Measured metrics, `loss` first. */
  readonly metrics: readonly string[];
  /** Held-out sets, `common` last. */
  readonly sets: readonly string[];
  /** Metrics that are different quantities in different rows. */
  readonly incomparable: ReadonlySet<string>;
  /** True if every run learns answers, so that a loss is in nats per token. */
  readonly nats: boolean;
  /** Meanings of the letters in cells. */
  readonly legend: readonly string[];
  /** Reasons against comparing some of the runs. */
  readonly warnings: readonly string[];
}

export interface CompareOptions {
  /** Settings that label the groups. Default: those that differ, `federation.algorithm` first. */
  readonly by?: readonly string[];
  /** Labels groups by the names of their folders instead, behind the settings of `by`. */
  readonly names?: boolean;
}

const ALGORITHM = "federation.algorithm";

/**
 * Groups runs that differ in their seed only, and compares the groups.
 *
 * @throws UserError of kind `config` for a key of `by` that is no setting, or one that tells no rows apart.
 */
export function compareRuns(runs: readonly StoredRun[], { by = [], names = false }: CompareOptions = {}): Comparison {
  const leaves = distinguishing(runs);
  checkKeys(by, [...leaves.values()]);
  const { groups: members, duplicates } = groupsOf(runs, leaves);
  const firsts = members.map(([first]) => ({ folder: first!.folder, leaves: leaves.get(first!)! }));
  const differing = differingKeys(firsts.map((each) => each.leaves)).sort(
    (a, b) => Number(b === ALGORITHM) - Number(a === ALGORITHM),
  );
  const all = [...new Set([...by, ...(names ? [] : differing)])];
  const keys = all.length === 0 && !names ? [ALGORITHM] : all;
  const texts = settingTexts(keys, firsts);
  const called = namesOf(members);
  const cells = firsts.map((first, i) => [
    ...keys.map((key) => texts.cell(key, first.leaves)),
    ...(names ? [called[i]!] : []),
  ]);
  const short =
    by.length > 0 && new Set(cells.map((each) => each.slice(0, by.length).join("\n"))).size === members.length;
  const groups = members.map((group, i): Group => {
    const label = names && !short ? called[i]! : texts.label(short ? by : keys, firsts[i]!.leaves);
    const progress = group[0]!.finished ? undefined : progressText(group[0]!);
    return {
      cells: cells[i]!,
      label: progress === undefined ? label : `${label} (${progress})`,
      runs: group,
      state: progress?.replace(/^round/, "unfinished, round"),
      personal: group.some((run) => run.rounds.some(isPersonal)),
    };
  });
  const columns = [...keys.map((key) => texts.heading(key)), ...(names ? ["run"] : [])];
  const quantities = quantitiesOf(runs, leaves);
  return {
    columns,
    bases: basesOf(runs, leaves, groups, columns.length),
    groups,
    metrics: metricsOf(runs),
    sets: setsOf(runs),
    incomparable: quantities.incomparable,
    nats: runs.every((run) => leaves.get(run)!.get("objective.name") === "sft"),
    legend: texts.legend,
    warnings: [...comparabilityWarnings(runs, leaves), ...quantities.warnings, ...duplicates],
  };
}

/** The metric that is shown by default: the loss, or the accuracy if rows have different kinds of loss. */
export function defaultMetric({ metrics, incomparable }: Comparison): string {
  const accuracy = metrics.includes(ACCURACY) && !incomparable.has(ACCURACY);
  return incomparable.has(LOSS) && accuracy ? ACCURACY : (metrics[0] ?? LOSS);
}

/** Unit and direction, such as `nats, lower is better`; empty if unknown. */
export function metricFacts({ incomparable, nats }: Comparison, metric: string): string {
  const better = betterWay(metric);
  return [
    ...(incomparable.has(metric) ? ["of each row's own objective"] : metric === LOSS && nats ? ["nats"] : []),
    ...(better === undefined ? [] : [`${better} is better`]),
  ].join(", ");
}

function progressText(run: StoredRun): string {
  if (!run.measured) return "metrics.json is missing";
  const of = plannedRounds(run);
  return `round ${run.rounds.at(-1)?.round ?? 0}${of === undefined ? "" : ` of ${of}`}`;
}

/** The settings of each run. Equal base models and equal data have equal settings. */
function distinguishing(runs: readonly StoredRun[]): Map<StoredRun, Leaves> {
  const bases = new Map<string, unknown>();
  const leaves = new Map<StoredRun, Leaves>();
  for (const run of runs) {
    const own = distinguishingLeaves(run.config);
    if (!bases.has(run.model)) bases.set(run.model, own.get("model.base"));
    leaves.set(run, own.set("model.base", bases.get(run.model)));
  }
  return sameDataSettings(runs, leaves);
}

function checkKeys(by: readonly string[], leaves: readonly Leaves[]): void {
  const ofRuns = leaves.flatMap((each) => [...each.keys()]);
  for (const key of by) {
    const problem = labelProblem(key, ofRuns);
    if (problem !== undefined) throw new UserError("config", problem.message, { hint: problem.hint });
  }
}

/** Groups runs by their settings. A group has each seed once: a repeated run would make its spread look too small. */
function groupsOf(
  runs: readonly StoredRun[],
  leaves: ReadonlyMap<StoredRun, Leaves>,
): { groups: StoredRun[][]; duplicates: string[] } {
  const byKey = new Map<string, StoredRun[]>();
  const duplicates: string[] = [];
  for (const run of runs) {
    const settings = leavesText(leaves.get(run)!);
    const key = run.finished ? settings : `${settings} ${run.folder}`;
    const group = byKey.get(key) ?? [];
    byKey.set(key, group);
    const twin = group.find(({ seed }) => seed === run.seed);
    if (twin === undefined) group.push(run);
    else duplicates.push(`${run.folder} has the same settings and seed as ${twin.folder} and is left out`);
  }
  return { groups: [...byKey.values()], duplicates };
}

/** Names groups by their folders: `fedavg` for fedavg-seed1 and fedavg-seed2, with the path if two groups have that name. */
function namesOf(members: readonly (readonly StoredRun[])[]): string[] {
  const stems = members.map((group) => stem(group, "name"));
  const finished = stems.filter((_, i) => members[i]![0]!.finished);
  return members.map((group, i) => {
    const alike = finished.filter((each) => each === stems[i]).length;
    return alike > 1 ? stem(group, "folder") : stems[i]!;
  });
}

function stem(group: readonly StoredRun[], of: "name" | "folder"): string {
  const stems = new Set(group.map((run) => run[of].replace(new RegExp(`-seed${run.seed}$`), "")));
  return [...stems].join(", ");
}

/** Settings that the scores before training depend on. */
const MEASURED = /^(model\.adapter$|data\.|objective\.|evaluation\.(limit|labels|validation|part)|fidelity$)/;

function basesOf(
  runs: readonly StoredRun[],
  leaves: ReadonlyMap<StoredRun, Leaves>,
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
  const all = [...byKey.values()];
  const marks = baseMarks(all.map(([first]) => ({ folder: first!.folder, leaves: leaves.get(first!)! })));
  return all.map((bases, i): Group => {
    const of = groups.filter((group) => group.runs.some((run) => bases.includes(run))).map(({ label }) => label);
    const what = bases[0]!.start === undefined ? "base" : "start";
    const label =
      all.length === 1 ? what : marks === undefined ? `${what} of ${of.join("; ")}` : `${what} (${marks[i]!})`;
    return {
      cells: [label, ...Array<string>(columns - 1).fill("")],
      label,
      runs: bases,
      state: undefined,
      personal: false,
    };
  });
}

const LONGEST_MARK = 40;

/** Short labels that tell bases apart, by one setting if one is enough. Undefined if none is short. */
function baseMarks(bases: readonly { readonly folder: string; readonly leaves: Leaves }[]): string[] | undefined {
  const keys = differingKeys(bases.map(({ leaves }) => leaves)).filter(
    (key) => key === "model.base" || MEASURED.test(key),
  );
  const one = keys.sort((a, b) => rank(a) - rank(b)).map((key) => [key]);
  for (const of of [...one, keys]) {
    const texts: SettingTexts = settingTexts(of, bases);
    const marks = bases.map(({ leaves }) => texts.label(of, leaves));
    const clear = texts.legend.length === 0 && new Set(marks).size === bases.length;
    if (clear && marks.every((mark) => mark.length <= LONGEST_MARK)) return marks;
  }
  return undefined;
}

function rank(key: string): number {
  return key === "objective.name" ? 0 : key === "model.base" ? 1 : 2;
}

/** The evaluation before training. */
export function baseRound({ rounds }: StoredRun): StoredRound | undefined {
  return rounds.find(({ round, heldOut }) => round === 0 && heldOut.size > 0);
}

/** The last evaluated round of training. */
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
