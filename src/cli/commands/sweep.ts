import { existsSync } from "node:fs";
import path from "node:path";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { readStoredRun, isRunFolder } from "../../node/store/stored-runs.ts";
import { readSweepFile, stateOf, type SweepFile, type SweepState } from "../../node/sweep-file.ts";
import type { StoredRun } from "../../study/stored-run.ts";
import type { SweepRun } from "../../study/sweep.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { describeFailure } from "../failure.ts";
import { text, texts, toggle } from "../flag.ts";
import { tableLines } from "../tables/table.ts";
import { counted, formatDuration } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";
import { showComparison } from "../work/show-comparison.ts";
import { defaultRunFolder, trainIn } from "../work/training.ts";
import { threadsFlag } from "./shared-flags.ts";

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
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm sweep examples/sweep.yaml"],
    ["npx openfedllm sweep examples/sweep.yaml --only seldom --list"],
  ],
  async run({ out: folder, only, list = false, threads }, context, file) {
    const sweep = readSweepFile(file, threads === undefined ? {} : { "runtime.threads": threads });
    const out = folder ?? defaultRunFolder(file);
    const all = sweep.runs.map((run): PlacedRun => ({ run, folder: path.join(out, run.folder) }));
    const chosen = chosenRuns(all, only);
    if (list) {
      context.stdout.write(`${listLines(chosen).join("\n")}\n`);
      return;
    }
    const failures = await trainAll(chosen, sweep, context);
    await compareAll(all, { file, out: path.join(out, "comparison") }, sweep, context);
    refuseFailures(failures, chosen.length);
  },
});

/** A run of a sweep and its run folder. */
interface PlacedRun {
  readonly run: SweepRun;
  readonly folder: string;
}

function chosenRuns(all: readonly PlacedRun[], only: readonly string[] | undefined): readonly PlacedRun[] {
  if (only === undefined) return all;
  const names = [...new Set(all.map(({ run }) => run.name))];
  for (const name of only) {
    if (names.includes(name)) continue;
    const near = nearest(name, names);
    throw new UserError("config", `--only ${name}: the sweep has no run of this name`, {
      hint: near === undefined ? `Its runs: ${names.join(", ")}.` : `Did you mean '${near}'?`,
    });
  }
  return all.filter(({ run }) => only.includes(run.name));
}

function listLines(runs: readonly PlacedRun[]): string[] {
  const rows = runs.map(({ run, folder }) => [
    run.name,
    String(run.seed),
    stateText(stateOf(run, folder)),
    oneLine(folder),
  ]);
  return tableLines([{ header: "run" }, { header: "seed" }, { header: "state" }, { header: "run folder" }], rows);
}

function stateText(state: SweepState): string {
  switch (state.state) {
    case "finished":
      return `finished, ${formatDuration(state.seconds)}`;
    case "begun":
      return `round ${state.round}${state.rounds === undefined ? "" : ` of ${state.rounds}`}`;
    case "new":
      return "to do";
    default:
      return oneLine(`cannot continue: ${state.reason}`);
  }
}

interface FailedRun extends PlacedRun {
  readonly error: unknown;
}

/** Trains one run after another. A failed run does not stop the others; an interruption does. */
async function trainAll(
  chosen: readonly PlacedRun[],
  { baseDir }: SweepFile,
  context: CommandContext,
): Promise<FailedRun[]> {
  const { stderr } = context;
  const failures: FailedRun[] = [];
  const finished: { readonly name: string; readonly seconds: number }[] = [];
  const left = chosen.filter(({ run, folder }) => {
    const state = stateOf(run, folder);
    if (state.state === "finished") finished.push({ name: run.name, seconds: state.seconds });
    return state.state !== "finished";
  });
  if (finished.length > 0) stderr.write(`${finished.length} of ${counted(chosen.length, "run")} already finished\n`);
  for (const [i, { run, folder }] of left.entries()) {
    const seconds = secondsLeft(left.slice(i), finished);
    const time = seconds === undefined ? "" : `, about ${formatDuration(seconds)} left`;
    const place = chosen.findIndex((each) => each.folder === folder) + 1;
    stderr.write(`${stderr.style("bold", `run ${place} of ${chosen.length}: ${oneLine(run.folder)}`)}${time}\n`);
    const started = performance.now();
    try {
      await trainIn(run.config, { baseDir, folder }, context);
      finished.push({ name: run.name, seconds: (performance.now() - started) / 1000 });
    } catch (error) {
      if (isInterruption(error)) throw error;
      failures.push({ run, folder, error });
      stderr.write(`${describeFailure(error, { style: stderr.style, debug: false }).lines.join("\n")}\n`);
    }
  }
  return failures;
}

function isInterruption(error: unknown): boolean {
  return error instanceof UserError
    ? error.kind === "interrupted"
    : (error as Error | undefined)?.name === "AbortError";
}

/** An estimate from the finished runs of the same name or, if there are none, of any name. */
function secondsLeft(
  left: readonly PlacedRun[],
  finished: readonly { readonly name: string; readonly seconds: number }[],
): number | undefined {
  if (finished.length === 0) return undefined;
  const mean = (of: typeof finished): number => of.reduce((sum, { seconds }) => sum + seconds, 0) / of.length;
  return left.reduce((sum, { run }) => {
    const alike = finished.filter(({ name }) => name === run.name);
    return sum + mean(alike.length > 0 ? alike : finished);
  }, 0);
}

async function compareAll(
  all: readonly PlacedRun[],
  { file, out }: { readonly file: string; readonly out: string },
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
  await showComparison({ runs, warnings }, { ...compare, out }, context, { called, after: true });
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
