import type { Algorithm } from "../algorithms/algorithm.ts";
import { ALGORITHMS } from "../algorithms/registry.ts";
import type { Fidelity } from "../algorithms/settings.ts";
import { excerpt } from "../diagnostics/excerpt.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { Benchmark } from "../evaluation/benchmark.ts";
import { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
import { addTo, removeFrom } from "../registry/additions.ts";
import { type AnyDeclared, readersOf, type Registry } from "../registry/declared.ts";
import { keysOf, schemaAt } from "../settings/json-schema.ts";
import { experimentJsonSchema, experimentSchema, type ExperimentConfig } from "../settings/schema.ts";
import type { Objective } from "../train/objective.ts";
import { OBJECTIVES } from "../train/objective-registry.ts";
import { algorithmFault, benchmarkFault, objectiveFault } from "./shape.ts";

/** Algorithms, objectives and benchmarks of one's own, by the names that settings choose them by. */
export interface Plugin {
  /** Each has the settings of `federation` that it reads. */
  readonly algorithms?: Registry<[fidelity: Fidelity], Algorithm>;
  /** Each has the settings of `objective` that it reads. */
  readonly objectives?: Registry<[], Objective>;
  readonly benchmarks?: Readonly<Record<string, Benchmark<never>>>;
}

/** Where a plugin comes from. */
export interface PluginSource {
  /** Its file, or another name for messages. */
  readonly file: string;
  /** Hash of its code. It is part of the identity of every run that uses the plugin. */
  readonly sha256: string;
}

type Kind = keyof Plugin;

interface Used extends PluginSource {
  /** The names that it added. */
  readonly names: Readonly<Record<Kind, readonly string[]>>;
}

/** Every plugin of this process, in the order of loading. */
const USED: Used[] = [];

const KINDS: Readonly<
  Record<
    Kind,
    {
      readonly one: string;
      readonly registry: object;
      readonly fault: (name: string, thing: unknown) => string | undefined;
    }
  >
> = {
  algorithms: { one: "algorithm", registry: ALGORITHMS, fault: algorithmFault },
  objectives: { one: "objective", registry: OBJECTIVES, fault: objectiveFault },
  benchmarks: { one: "benchmark", registry: BENCHMARKS, fault: benchmarkFault },
};
const ALL = Object.keys(KINDS) as readonly Kind[];

/**
 * Adds what a plugin has to the registries: settings may name it from then on. The same plugin a second time changes nothing.
 *
 * @throws UserError of kind `config` for a name that is taken and for a thing of another shape; nothing is added then.
 */
export function usePlugin(plugin: Plugin, { file, sha256 }: PluginSource): void {
  if (USED.some((used) => used.sha256 === sha256)) return;
  const refuse = (what: string, hint: string): UserError =>
    new UserError("config", `plugin ${file}: ${what}`, { hint });
  const things = thingsOf(plugin);
  if (typeof things === "string") throw refuse(things, SHAPE);
  for (const { kind, name, thing } of things) {
    const { one, registry, fault } = KINDS[kind];
    if (!/^[a-z][\w-]*$/i.test(name)) {
      throw refuse(`${one} ${JSON.stringify(name)}: a name is of letters, digits, - and _`, "Give it another name.");
    }
    if (Object.hasOwn(registry, name)) {
      const by = USED.find((used) => used.names[kind].includes(name));
      const owner = by === undefined ? "one of this program" : `one of ${by.file}`;
      throw refuse(`the ${one} name ${name} is taken by ${owner}`, "Give yours another name.");
    }
    const found = fault(name, thing);
    if (found !== undefined) throw refuse(`${one} ${name}: ${found}`, SHAPE);
    const taken = takenSetting(kind, thing);
    if (taken !== undefined)
      throw refuse(`${one} ${name}: there is a setting ${taken} of another meaning`, "Give yours another name.");
  }
  const before = defaults();
  for (const { kind, name, thing } of things) addTo(KINDS[kind].registry, name, thing);
  const found = settingsFault(before);
  if (found !== undefined) {
    for (const { kind, name } of things) removeFrom(KINDS[kind].registry, name);
    throw refuse(found, "docs/plugins.md says how settings are declared.");
  }
  const namesOf = (wanted: Kind): string[] => things.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
  const names = {
    algorithms: namesOf("algorithms"),
    objectives: namesOf("objectives"),
    benchmarks: namesOf("benchmarks"),
  };
  USED.push({ file, sha256, names });
}

const SHAPE = "docs/plugins.md shows the shape of each.";

interface Thing {
  readonly kind: Kind;
  readonly name: string;
  readonly thing: unknown;
}

function thingsOf(plugin: unknown): readonly Thing[] | string {
  if (typeof plugin !== "object" || plugin === null)
    return `it gives ${String(plugin)}, expected { ${ALL.join(", ")} }`;
  const other = Object.keys(plugin).find((key) => !(ALL as readonly string[]).includes(key));
  if (other !== undefined) return `it gives ${other}, expected only ${ALL.join(", ")}`;
  const things: Thing[] = [];
  for (const kind of ALL) {
    const named: unknown = (plugin as Plugin)[kind] ?? {};
    if (typeof named !== "object" || named === null || Array.isArray(named))
      return `${kind} is no object with a name for each`;
    things.push(...Object.entries(named).map(([name, thing]) => ({ kind, name, thing: thing as unknown })));
  }
  return things.length === 0 ? "it has no algorithm, objective or benchmark" : things;
}

function defaults(): string {
  return JSON.stringify(experimentSchema().parse({ model: { base: "-" }, data: {} }));
}

/** A setting of a thing whose name its section has for something else, such as `federation.rounds`. */
function takenSetting(kind: Kind, thing: unknown): string | undefined {
  const section = SECTIONS[kind];
  if (section === undefined) return undefined;
  const shared = new Set([...readersOf(KINDS[kind].registry as Registry).keys()].map((key) => key.split(".")[0]!));
  const own = new Set(keysOf(schemaAt([section])).filter((key) => !shared.has(key)));
  const taken = Object.keys((thing as AnyDeclared<never, unknown>).settings).find((key) => own.has(key));
  return taken && `${section}.${taken}`;
}

/** The section that holds the settings of a kind of things. */
const SECTIONS: Partial<Record<Kind, string>> = { algorithms: "federation", objectives: "objective" };

/** Says why the settings of added things cannot be settings of a configuration. */
function settingsFault(before: string): string | undefined {
  try {
    experimentJsonSchema();
    // A default would be in the configuration, and so in the identity, of every run.
    return defaults() === before
      ? undefined
      : "a new setting has a default: end it with .optional(), and let make fill it in";
  } catch (error) {
    return (error as Error).message;
  }
}

/** Every plugin of this process. */
export function usedPlugins(): readonly PluginSource[] {
  return USED;
}

/** The plugins that have what a configuration names: part of the identity of its runs. Sorted by hash. */
export function pluginsOf({ federation, objective, evaluation }: ExperimentConfig): PluginSource[] {
  const named: Readonly<Record<Kind, readonly string[]>> = {
    algorithms: [federation.algorithm],
    objectives: [objective.name],
    benchmarks: evaluation.benchmarks.map(({ name }) => name),
  };
  return USED.filter(({ names }) => ALL.some((kind) => names[kind].some((name) => named[kind].includes(name))))
    .map(({ file, sha256 }) => ({ file: file.split(/[\\/]/).at(-1)!, sha256 }))
    .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
}

/** Reads a list of plugins from a document that another party or another time has written; undefined for another value. */
function listed(value: unknown): readonly PluginSource[] | undefined {
  if (value === undefined) return [];
  const all: readonly unknown[] = Array.isArray(value) ? value : [undefined];
  const isSource = (each: unknown): each is PluginSource =>
    typeof (each as PluginSource | undefined)?.file === "string" && typeof (each as PluginSource).sha256 === "string";
  return all.every(isSource) ? all : undefined;
}

/** A sentence for each plugin that is not the same here and there; empty where the same code is used. */
export function pluginsThatDiffer(before: unknown, now: readonly PluginSource[]): string[] {
  const there = listed(before);
  if (there === undefined) return ["its list of plugins is damaged"];
  const missing = there.filter(({ sha256 }) => !now.some((each) => each.sha256 === sha256));
  const added = now.filter(({ sha256 }) => !there.some((each) => each.sha256 === sha256));
  const shown = ({ file, sha256 }: PluginSource): string => `${file} ${sha256.slice(0, 12)}…`;
  if (missing.length === 0 && added.length === 0) return [];
  const text = (some: readonly PluginSource[]): string => (some.length === 0 ? "none" : some.map(shown).join(", "));
  return [`the plugin was ${text(missing)}, is ${text(added)}`];
}

/**
 * Checks that this process has the plugins that a federation's task names. Code never comes over the network.
 *
 * @throws UserError of kind `config` naming the first that is not here.
 */
export function refuseMissingPlugins(named: unknown): void {
  const wanted = listed(named);
  if (wanted === undefined) {
    throw new UserError(
      "config",
      "the task of the federation names its plugins in a form that this version does not know",
      {
        hint: "Compare the versions of this software on both sides: openfedllm --version.",
      },
    );
  }
  const missing = wanted.find(({ sha256 }) => !USED.some((used) => used.sha256 === sha256));
  if (missing === undefined) return;
  const here =
    USED.length === 0
      ? "no plugin is loaded here"
      : `loaded here: ${USED.map(({ file, sha256 }) => `${file} ${sha256}`).join(", ")}`;
  throw new UserError(
    "config",
    `the federation works with the plugin ${excerpt(missing.file)} (sha256 ${excerpt(missing.sha256)}), and ${here}`,
    {
      hint: "Get the same file from the coordinator by a way that you trust, read it, and add --plugin FILE: it runs with your rights. It is never loaded from the network.",
    },
  );
}
