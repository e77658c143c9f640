import { existsSync } from "node:fs";
import path from "node:path";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { readStoredRun, isRunFolder } from "../../node/store/stored-runs.ts";
import { readSweepFile, type SweepFile } from "../../node/sweep-file.ts";
import type { StoredRun } from "../../study/stored-run.ts";
import type { Candidate } from "../../study/sweep.ts";
import type { Tuning } from "../../study/tuning.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { text, texts, toggle } from "../flag.ts";
import { tableLines } from "../tables/table.ts";
import { counted, formatDuration } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";
import { showComparison } from "../work/show-comparison.ts";
import { type FailedRun, type PlacedRun, type PlannedRun, PlacedSweep } from "../work/sweep-training.ts";
import { defaultRunFolder, withThreads } from "../work/training.ts";
import { setFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Trains every run of a sweep file that is not finished, then compares all of them. Run the same command again to continue a stopped sweep.",
  argument: {
    placeholder: "<sweep>",
    description: "sweep file (YAML or JSON): a configuration, and the settings that each run changes in it",
  },
  flags: {
    out: text("<folder>", "folder of the run folders (default: runs/<name of the sweep file>)"),
    only: texts("<name...>", "train only the runs of these names"),
    list: toggle("list the runs and their state, and train none"),
    set: setFlag,
    json: toggle("write the comparison as one JSON document, or --list as lines of JSON"),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm sweep examples/sweep.yaml"],
    ["npx openfedllm sweep examples/sweep.yaml --only seldom --list"],
    ["npx openfedllm sweep examples/tune.sweep.yaml --set federation.rounds=1 --out runs/try", "a shorter try"],
  ],
  async run({ out: folder, only, list = false, json = false, set, threads }, context, file) {
    const sweep = readSweepFile(file, withThreads(set, threads));
    const out = folder ?? defaultRunFolder(file);
    const chosen = chosenNames(sweep, only);
    const placed = new PlacedSweep(sweep, out);
    if (list) {
      const planned = placed.planned(chosen);
      const lines = json ? planned.map((each) => JSON.stringify(listed(each))) : listLines(planned);
      context.stdout.write(`${lines.join("\n")}\n`);
      return;
    }
    const failures = await placed.train(chosen, context);
    const what = { file, out: path.join(out, "comparison"), json, tuning: placed.tuning() };
    await compareAll(placed.reported(), what, sweep, context);
    refuseFailures(failures, placed.planned(chosen).length);
  },
});

function chosenNames({ methods }: SweepFile, only: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (only === undefined) return undefined;
  const names = methods.map(({ name }) => name);
  for (const name of only) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new UserError("config", `--only ${name}: the sweep has no run of this name`, {
      hint: near === undefined ? `Its runs: ${names.join(", ")}.` : `Did you mean '${near}'?`,
    });
  }
  return new Set(only);
}

/** A run of `--list --json`. */
function listed({ run, folder, state }: PlannedRun): object {
  const values = (run as Partial<Candidate>).values;
  return { name: run.name, seed: run.seed, ...(values && { tuning: Object.fromEntries(values) }), folder, ...state };
}

function listLines(runs: readonly PlannedRun[]): string[] {
  const rows = runs.map(({ run, folder, state }) => [run.name, String(run.seed), stateText(state), oneLine(folder)]);
  return tableLines([{ header: "run" }, { header: "seed" }, { header: "state" }, { header: "run folder" }], rows);
}

function stateText(state: PlannedRun["state"]): string {
  switch (state.state) {
    case "finished":
      return `finished, ${formatDuration(state.seconds)}`;
    case "begun":
      return `round ${state.round}${state.rounds === undefined ? "" : ` of ${state.rounds}`}`;
    case "new":
      return "to do";
    case "waiting":
      return "after tuning";
    default:
      return oneLine(`cannot continue: ${state.reason}`);
  }
}

async function compareAll(
  all: readonly PlacedRun[],
  {
    file,
    ...shown
  }: { readonly file: string; readonly out: string; readonly json: boolean; readonly tuning: Tuning | undefined },
  { compare }: SweepFile,
  context: CommandContext,
): Promise<void> {
  const runs: StoredRun[] = [];
  const warnings: string[] = [];
  for (const { run, folder } of all) {
    if (!isRunFolder(folder)) {
      warnings.push(
        `${run.folder} is left out: ${folder} ${existsSync(folder) ? "is not a run folder" : "does not exist"}`,
      );
      continue;
    }
    try {
      runs.push(readStoredRun(folder));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      warnings.push(`${error.message}; the run is left out`);
    }
  }
  if (runs.length === 0) return;
  const called = (key: string): string => `${file}: compare.${key}`;
  await showComparison({ runs, warnings }, { ...compare, ...shown }, context, { called, after: true });
}

/** Throws an error of the kind of the first failure, so that the exit code is that of `run`. */
function refuseFailures(failures: readonly FailedRun[], runs: number): void {
  const [first] = failures;
  if (first === undefined) return;
  if (!(first.error instanceof UserError)) throw first.error;
  const names = failures.map(({ run }) => run.folder).join(", ");
  throw new UserError(first.error.kind, `${failures.length} of ${counted(runs, "run")} failed: ${names}`, {
    hint: "The errors are above. Run the same command again to retry these runs; finished runs stay as they are.",
    cause: first.error,
  });
}
