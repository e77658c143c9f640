import { z } from "zod";
import { nearest } from "../diagnostics/nearest.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { setAt } from "../settings/apply-setting.ts";
import { explainAll, type Problem } from "../settings/explain.ts";
import type { JsonSchema } from "../settings/json-schema.ts";
import { measurableMetrics } from "../settings/metric-names.ts";
import { parseExperiment } from "../settings/parse.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { changedKeys, labelProblem, leavesOf, leavesText, distinguishingLeaves } from "./settings.ts";

const text = z.string().min(1);
const settingsOf = z.record(z.string(), z.unknown());
const seeds = z.array(z.int().min(0)).min(1);

/** The keys of a sweep file. */
const sweepSchema = z.strictObject({
  experiment: z.union([text, settingsOf]).describe("The configuration that all runs have in common, or its path."),
  set: settingsOf.default({}).describe("Settings that all runs change in it, by dotted key."),
  runs: z
    .array(
      z.strictObject({
        name: text.describe("Name of the run, in tables and of its folder."),
        set: settingsOf
          .default({})
          .describe("Settings that this run changes too, such as { federation.algorithm: fedavg }."),
        seeds: seeds.optional().describe("Seeds to run it with. Default: the sweep's, or else the configuration's."),
      }),
    )
    .min(1)
    .describe("The runs, in order."),
  seeds: seeds.optional().describe("Seeds of the runs that name none."),
  compare: z
    .strictObject({
      by: z
        .union([text, z.array(text).min(1)])
        .optional()
        .describe("Setting or settings that label the rows."),
      names: z.boolean().optional().describe("Label the rows by the names of the runs. Default: true without `by`."),
      metric: text.optional().describe("Metric of the charts."),
      matrix: z
        .union([z.boolean(), text])
        .default(false)
        .describe("True or a metric: also show every adapter on every held-out set."),
    })
    .prefault({})
    .describe("Options of the comparison at the end."),
});

export interface SweepRun {
  readonly name: string;
  readonly seed: number;
  /** Name of its run folder in the sweep's folder. */
  readonly folder: string;
  readonly config: ExperimentConfig;
}

export interface Sweep {
  readonly runs: readonly SweepRun[];
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
  /** Reads the configuration that a sweep names by its path. */
  readonly readExperiment: (path: string) => Record<string, unknown>;
  /** Settings that override those of every run, by dotted key. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * Checks a sweep file's content, the configuration of every run included, and lists the runs in order.
 *
 * @throws UserError of kind `config` for the first mistake.
 */
export function planSweep(value: unknown, { where, readExperiment, settings = {} }: SweepOptions): Sweep {
  const parsed = sweepSchema.safeParse(value);
  const problem = parsed.success
    ? contradiction(parsed.data)
    : explainAll(parsed.error.issues, value, z.toJSONSchema(sweepSchema, { io: "input" }) as JsonSchema);
  if (problem !== undefined) throw new UserError("config", `${where}: ${problem.message}`, { hint: problem.hint });
  const { experiment, runs, compare, ...common } = parsed.data!;
  const shared = typeof experiment === "string" ? readExperiment(experiment) : experiment;
  const planned = runs.flatMap(({ name, set, seeds: own }) => {
    const of = `${where}, run ${name}`;
    const configs = (own ?? common.seeds ?? [undefined]).map((seed) => {
      const config = structuredClone(shared);
      for (const [key, setting] of [common.set, set, settings, seed === undefined ? {} : { seed }].flatMap(leaves))
        setAt(config, key, setting, (what, hint) => refused(of, key, what, hint));
      return parseExperiment(config, of);
    });
    return configs.map((config) => ({ name, seed: config.seed, folder: `${name}-seed${config.seed}`, config }));
  });
  const late = twins(planned) ?? comparisonProblem(compare, planned);
  if (late !== undefined) throw new UserError("config", `${where}: ${late.message}`, { hint: late.hint });
  const { by, names = by === undefined, metric, matrix } = compare;
  return {
    runs: planned,
    compare: {
      ...(by !== undefined && { by: [by].flat() }),
      ...(metric !== undefined && { metric }),
      ...(matrix !== false && { matrix }),
      names,
    },
  };
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
  { by = [], metric, matrix }: z.output<typeof sweepSchema>["compare"],
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

/** The pattern of legal names: a name is part of the name of a folder. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;

function contradiction({ runs, seeds: common, set: shared }: z.output<typeof sweepSchema>): Problem | undefined {
  const folded = runs.map(({ name }) => name.toLowerCase());
  for (const [i, { name, set, seeds: own }] of runs.entries()) {
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
