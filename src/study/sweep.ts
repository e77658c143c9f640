import { z } from "zod";
import { valueAt } from "../data/row.ts";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { setAt } from "../settings/apply-setting.ts";
import type { Origin } from "../settings/apply-setting.ts";
import { explainEach, type Problem } from "../settings/explain.ts";
import { mistakesIn } from "../settings/mistakes.ts";
import type { JsonSchema } from "../settings/json-schema.ts";
import { betterWay, measurableMetrics } from "../settings/metric-names.ts";
import { parseExperiment } from "../settings/parse.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { valueTexts } from "./setting-texts.ts";
import { changedKeys, labelProblem, leavesOf, leavesText, distinguishingLeaves } from "./settings.ts";
import { DEFAULTS } from "./stored-run.ts";
import { type SweepContent, sweepSchema } from "./sweep-schema.ts";

/** The folder of the tuning runs, in the folder of a sweep. */
const TUNING_FOLDER = "tuning";

export interface SweepRun {
  readonly name: string;
  readonly seed: number;
  /** Name of its run folder in the sweep's folder. */
  readonly folder: string;
  readonly config: ExperimentConfig;
}

/** A setting and its value. */
export type Setting = readonly [key: string, value: unknown];

/** A run with one combination of the values of a grid, on the validation part. */
export interface Candidate extends SweepRun {
  readonly values: readonly Setting[];
}

/** The runs of one name. */
export interface Method {
  readonly name: string;
  /** The runs to choose the tuned settings by; empty where nothing is tuned. */
  readonly candidates: readonly Candidate[];
  /** The runs to report, one for each seed, with the chosen values of the tuned settings. */
  readonly runs: (chosen?: readonly Setting[]) => readonly SweepRun[];
}

/** The rule that chooses among candidates. */
export interface TuneRule {
  readonly metric: string;
  /** Default: the common set where the metric was measured on it. */
  readonly over?: "common" | "clients" | undefined;
}

export interface Sweep {
  readonly methods: readonly Method[];
  /** Undefined where nothing is tuned. */
  readonly tune: TuneRule | undefined;
  readonly compare: {
    readonly by?: readonly string[];
    readonly names?: boolean;
    readonly metric?: string;
    readonly matrix?: string | true;
  };
}

export interface SweepOptions {
  /** Names the file in errors. */
  readonly where: string;
  /** Names the place of a mistake in the file. Default: `where`. */
  readonly origin?: Origin;
  /** Reads the configuration that a sweep names by its path. */
  readonly readExperiment: (path: string) => Record<string, unknown>;
  /** Changes the configuration of every run last, but for its seed and what is tuned. */
  readonly override?: (config: Record<string, unknown>) => void;
}

/**
 * Checks a sweep file's content, the configuration of every run included, and lists the runs in order.
 *
 * @throws UserError of kind `config` for every mistake of the file, or the first one of a run.
 */
export function planSweep(value: unknown, { where, origin, readExperiment, override }: SweepOptions): Sweep {
  const parsed = sweepSchema.safeParse(value);
  if (!parsed.success) {
    const schema = z.toJSONSchema(sweepSchema, { io: "input" }) as JsonSchema;
    const { problems, total } = explainEach(parsed.error.issues, value, schema);
    throw mistakesIn(origin ?? where, problems, total);
  }
  const problem = contradiction(parsed.data);
  if (problem !== undefined) throw new UserError("config", `${where}: ${problem.message}`, { hint: problem.hint });
  const { experiment, runs, tune, compare } = parsed.data;
  const shared = typeof experiment === "string" ? readExperiment(experiment) : experiment;
  const parts = tune === undefined ? [] : partSettings(tune, parsed.data, shared);
  const methods = runs.map((run) => methodOf(run, { content: parsed.data, shared, parts, where, override }));
  const candidates = methods.flatMap((method) => method.candidates);
  // While nothing is chosen, a tuned run has the first values of its grid.
  const planned = methods.flatMap((method) => method.runs(method.candidates[0]?.values));
  const late =
    twins([...candidates, ...methods.flatMap((method) => (method.candidates.length > 0 ? [] : method.runs()))]) ??
    comparisonProblem(compare, planned) ??
    (tune === undefined ? undefined : tuneProblem(tune, candidates));
  if (late !== undefined) throw new UserError("config", `${where}: ${late.message}`, { hint: late.hint });
  const { by, names = by === undefined, metric, matrix } = compare;
  return {
    methods,
    tune: tune === undefined ? undefined : { metric: tune.metric, over: tune.over },
    compare: {
      ...(by !== undefined && { by: [by].flat() }),
      ...(metric !== undefined && { metric }),
      ...(matrix !== false && { matrix }),
      names,
    },
  };
}

interface MethodContext {
  readonly where: string;
  readonly override: SweepOptions["override"] | undefined;
  readonly content: SweepContent;
  /** The configuration that all runs have in common. */
  readonly shared: Readonly<Record<string, unknown>>;
  /** Settings that make the parts of the held-out sets. */
  readonly parts: readonly Setting[];
}

function methodOf(
  { name, set, seeds: own, tune: ownGrid = {} }: SweepContent["runs"][number],
  { content: { set: common, seeds: commonSeeds, tune }, shared, parts, where, override }: MethodContext,
): Method {
  const of = `${where}, run ${name}`;
  const grid = tune === undefined || ownGrid === false ? {} : { ...tune.grid, ...ownGrid };
  const runWith = (seed: number | undefined, ...last: readonly (readonly Setting[])[]): SweepRun => {
    const raw = structuredClone(shared) as Record<string, unknown>;
    const apply = (all: readonly Setting[]): void => {
      for (const [key, setting] of all) setAt(raw, key, setting, (what, hint) => refused(of, key, what, hint));
    };
    apply([...parts, ...leaves(common), ...leaves(set)]);
    const before = Object.keys(grid).map((key) => [key, valueAt(raw, key)] as const);
    override?.(raw);
    const tuned = before.find(([key, value]) => valueAt(raw, key) !== value)?.[0];
    if (tuned !== undefined) {
      throw new UserError("config", `${of}: ${tuned} is tuned, and --set gives it a value`, {
        hint: "Change its values in tune.grid, or set it in a sweep that does not tune it.",
      });
    }
    apply([...(seed === undefined ? [] : [["seed", seed] as const]), ...last.flat()]);
    const config = parseExperiment(raw, of);
    return { name, seed: config.seed, folder: `${name}-seed${config.seed}`, config };
  };
  const seeds = own ?? commonSeeds ?? [undefined];
  const combinations = Object.keys(grid).length === 0 ? [] : combinationsOf(grid);
  const folders = foldersOf(name, combinations);
  const test: readonly Setting[] = tune === undefined ? [] : [["evaluation.part", "test"]];
  return {
    name,
    candidates: combinations.map((values, i) => ({
      ...runWith(tune!.seed ?? seeds[0], values, [["evaluation.part", "validation"]]),
      folder: folders[i]!,
      values,
    })),
    runs: (chosen = []) => seeds.map((seed) => runWith(seed, chosen, test)),
  };
}

/** The settings of all runs of a sweep that tunes: the same parts of the same sets with every seed. */
function partSettings(
  { validation, seed }: NonNullable<SweepContent["tune"]>,
  { runs, seeds }: SweepContent,
  shared: Readonly<Record<string, unknown>>,
): Setting[] {
  const given = seed ?? runs[0]!.seeds?.[0] ?? seeds?.[0] ?? valueAt(shared, "seed") ?? DEFAULTS["seed"];
  const parts = validation ?? valueAt(shared, "evaluation.validation") ?? 0.5;
  return [
    ["data.seed", valueAt(shared, "data.seed") ?? given],
    ["evaluation.validation", parts],
  ];
}

/** Every combination of the values of a grid, the last setting changing fastest. */
function combinationsOf(grid: Readonly<Record<string, readonly unknown[]>>): (readonly Setting[])[] {
  return Object.entries(grid).reduce<(readonly Setting[])[]>(
    (all, [key, values]) => all.flatMap((some) => values.map((value): Setting[] => [...some, [key, value]])),
    [[]],
  );
}

/** `tuning/fedadam-1e-3-0.1`, with a number behind it where two would have the same name. */
function foldersOf(name: string, combinations: readonly (readonly Setting[])[]): string[] {
  const columns = (combinations[0] ?? []).map(([key], i) =>
    valueTexts(
      key,
      combinations.map((values) => values[i]![1]),
    ),
  );
  const texts = combinations.map((_, row) =>
    [name, ...columns.map((column) => column[row]!.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_"))].join("-"),
  );
  return texts.map((text, i) => {
    const clear = texts.filter((other) => other.toLowerCase() === text.toLowerCase()).length === 1;
    return `${TUNING_FOLDER}/${clear ? text : `${text}-${i + 1}`}`;
  });
}

/** Finds two runs that must have equal results, so that a comparison would show one. */
function twins(runs: readonly SweepRun[]): Problem | undefined {
  const byText = new Map<string, SweepRun>();
  for (const run of runs) {
    const text = `${run.seed} ${leavesText(distinguishingLeaves(run.config))}`;
    const twin = byText.get(text);
    byText.set(text, run);
    if (twin === undefined) continue;
    const differing = changedKeys(leavesOf(twin.config), leavesOf(run.config));
    const idle =
      differing.length === 0 ? "" : `The settings that differ change no score here: ${differing.join(", ")}. `;
    return {
      message: `runs ${twin.name} and ${run.name} are the same run with seed ${run.seed}`,
      hint: `${idle}Change a setting of one run, or remove it.`,
    };
  }
  return undefined;
}

/** Finds mistakes that the comparison would report only after all training. */
function comparisonProblem(
  { by = [], metric, matrix }: SweepContent["compare"],
  runs: readonly SweepRun[],
): Problem | undefined {
  for (const key of [by].flat()) {
    const problem = labelProblem(key);
    if (problem !== undefined) return { ...problem, message: `compare.by: ${problem.message}` };
  }
  const measured = [...new Set(runs.flatMap(({ config }) => measurableMetrics(config)))];
  for (const [key, name] of [["metric", metric] as const, ["matrix", matrix] as const]) {
    if (typeof name !== "string" || measured.includes(name)) continue;
    const near = nearest(name, measured);
    return {
      message: `compare.${key}: no run measures '${name}'`,
      hint:
        near === undefined
          ? `These runs measure ${measured.join(", ")}; evaluation.labels and preference objectives measure more.`
          : `Did you mean '${near}'?`,
    };
  }
  return undefined;
}

function refused(where: string, key: string, what: string, hint: string): UserError {
  return new UserError("config", `${where}: set ${key}: ${what}`, { hint });
}

/** `federation: { rounds: 3 }` sets one setting of its section and leaves the others. Null removes a setting. */
function leaves(set: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(set).flatMap(([key, value]): [string, unknown][] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? leaves(value as Record<string, unknown>).map(([inner, setting]) => [`${key}.${inner}`, setting])
      : [[key, value ?? undefined]],
  );
}

/** Finds mistakes that tuning would report only after its runs. */
function tuneProblem({ metric, over }: TuneRule, candidates: readonly Candidate[]): Problem | undefined {
  if (candidates.length === 0) {
    return {
      message: "tune has no grid, and no run has one of its own",
      hint: "For example: tune: { grid: { training.learningRate: [3e-4, 1e-3] } }",
    };
  }
  for (const { name, config } of candidates) {
    const measured = measurableMetrics(config);
    if (!measured.includes(metric) || betterWay(metric) === undefined) {
      const near = nearest(metric, measured);
      return {
        message: `tune.metric: run ${name} has no held-out metric '${metric}' of which a higher or lower value is better`,
        hint:
          near === undefined || near === metric
            ? `Use one of ${measured.filter(betterWay).join(", ")}.`
            : `Did you mean '${near}'?`,
      };
    }
    const { heldOut, heldOutRecords, clients } = config.data;
    const own = heldOutRecords > 0 || clients?.some((client) => client.heldOut !== undefined) === true;
    if (
      (over === "common" && heldOut === undefined) ||
      (over === "clients" && !own) ||
      (heldOut === undefined && !own)
    ) {
      return {
        message: `tune: run ${name} has no ${over === undefined ? "" : over === "common" ? "common " : "client's "}held-out records to choose by`,
        hint: "Set data.heldOut or data.heldOutRecords in the configuration.",
      };
    }
  }
  return undefined;
}

/** The pattern of legal names: a name is part of the name of a folder. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;

function contradiction({ runs, seeds: common, set: shared, tune }: SweepContent): Problem | undefined {
  const folded = runs.map(({ name }) => name.toLowerCase());
  for (const [i, { name, set, seeds: own, tune: ownTune }] of runs.entries()) {
    if (!NAME.test(name)) {
      return {
        message: `runs[${i}].name is ${JSON.stringify(name)}, expected letters, digits, ., _ and -, a letter or digit first`,
        hint: "The name of the run's folder is made of it.",
      };
    }
    const first = folded.indexOf(folded[i]!);
    if (first < i) {
      return {
        message:
          runs[first]!.name === name
            ? `runs[${first}] and runs[${i}] are both called ${name}`
            : `runs[${first}] is called ${runs[first]!.name} and runs[${i}] ${name}: case does not count`,
        hint: "Give every run its own name; `seeds` repeats a run with other seeds.",
      };
    }
    if ((Object.hasOwn(set, "seed") || Object.hasOwn(shared, "seed")) && (own ?? common) !== undefined)
      return {
        message: `runs[${i}] (${name}) has both seed among its settings and seeds`,
        hint: "Give one of them.",
      };
    const twice = firstTwice(own ?? []);
    if (twice !== undefined) return twiceIn(`runs[${i}].seeds`, twice);
    if (tune === undefined && ownTune !== undefined)
      return {
        message: `runs[${i}].tune is set, but the sweep has no tune`,
        hint: "Add tune: {} beside runs. It says which metric to choose by.",
      };
  }
  const twice = firstTwice(common ?? []);
  return twice === undefined ? undefined : twiceIn("seeds", twice);
}

function firstTwice(values: readonly number[]): number | undefined {
  return values.find((value, i) => values.indexOf(value) < i);
}

function twiceIn(where: string, seed: number): Problem {
  return { message: `${where} lists ${seed} twice`, hint: "The same seed gives the same run." };
}
