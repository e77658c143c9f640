import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { lengtheningNote } from "../../experiment/run-changes.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { runExperiment } from "../../experiment/run.ts";
import type { RunSummary } from "../../experiment/results/summary.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { nodePlatform } from "../../node/platform.ts";
import { boundSettings, checkRunPlace } from "../../node/check-run-folder.ts";
import { readHead } from "../../federation/protocol/cells.ts";
import type { RunStore } from "../../experiment/ports.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { checkTrackers } from "../../node/tracking/registry.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import { type CommandContext, DEFAULT_COLUMNS } from "../command.ts";
import { liveView } from "../views/live-view.ts";
import { jsonView, plainView } from "../views/plain-view.ts";
import { reportLines } from "../views/report.ts";
import { doubtsAfter, doubtsBefore } from "../views/doubt-notes.ts";
import { runFacts } from "../views/run-facts.ts";
import { checkGradingFlags, confirmJudging, type GradingFlags, openGrading } from "./grading.ts";
import { hasRunReport, leaveRunReport } from "./run-report.ts";
import { withStatus, type Work } from "./work.ts";

export interface TrainingOptions {
  /** Folder that the paths of the configuration are relative to. */
  readonly baseDir: string;
  /** The run folder. */
  readonly folder: string;
  /** Writes events as lines of JSON to stdout instead of progress for people to stderr. */
  readonly json?: boolean;
  /** Graders of the configuration's benchmarks. Default: none. */
  readonly grading?: GradingFlags;
}

/** `runs/quickstart` for `examples/quickstart.yaml`, `runs/methods` for `methods.sweep.yaml`. */
export function defaultRunFolder(configFile: string): string {
  return path.join("runs", path.basename(configFile).replace(/(\.sweep)?\.(ya?ml|json)$/i, ""));
}

/**
 * Reads the configuration of a run with the settings of `--set` and `--threads`. `clients`: as for `readConfigFile`.
 *
 * @throws UserError of kind `config`.
 */
export function readRunConfig(
  file: string,
  set: readonly string[],
  threads: number | undefined,
  clients: readonly string[] = [],
): ExperimentConfig {
  return readConfigFile(file, withThreads(set, threads), clients);
}

/** The settings of `--set`, and that of `--threads`. */
export function withThreads(set: readonly string[], threads: number | undefined): readonly string[] {
  return threads === undefined ? set : [...set, `runtime.threads=${threads}`];
}

/** Writes the summary of a run to stdout, as a line of JSON or for people. */
export function writeSummary(
  summary: RunSummary,
  {
    config,
    baseDir,
    folder,
    json,
  }: Pick<TrainingOptions, "baseDir" | "folder" | "json"> & { config: ExperimentConfig },
  { stdout, stderr }: CommandContext,
): void {
  for (const note of doubtsAfter(summary, config)) stderr.write(`${note}\n`);
  if (json === true) {
    stdout.write(`${JSON.stringify({ type: "summary", ...summary })}\n`);
    return;
  }
  const columns = stdout.columns() ?? DEFAULT_COLUMNS;
  const options = { config, baseDir, folder, columns, style: stdout.style, hasPage: hasRunReport(folder) };
  stdout.write(`\n${reportLines(summary, options).join("\n")}\n`);
}

/** Trains in a run folder, or continues the run that it holds, and shows the progress. */
export async function trainIn(
  config: ExperimentConfig,
  options: TrainingOptions,
  context: CommandContext,
): Promise<RunSummary> {
  const { json = false, grading = {} } = options;
  const benchmarks = config.evaluation.benchmarks.map(({ name }) => name);
  checkGradingFlags(benchmarks, grading);
  checkTrackers(config.output);
  const bound = checkRunPlace(options.folder, boundSettings(config), "one process");
  const longer = bound && lengtheningNote(bound.config, config);
  if (grading.judgeUrl !== undefined && benchmarks.length > 0) {
    await confirmJudging(`${grading.judgeModel} judges answers in every evaluated round`, grading, context);
  }
  // After Ctrl-C the run ends by itself, at the end of the current step.
  return withStatus(
    context,
    (work) => {
      if (longer !== undefined) work.status.note(`note: ${longer}`);
      return train(config, options, context, work);
    },
    { live: !json, long: true, endsItself: true },
  );
}

/** Adds to an error of the disk how many rounds it has not harmed. */
async function withStoredRounds(failure: unknown, { exchange }: Pick<RunStore, "exchange">): Promise<unknown> {
  if (!(failure instanceof UserError) || failure.kind !== "storage") return failure;
  // Of a damaged file the message says all.
  if (!failure.message.startsWith("Cannot write ")) return failure;
  const { head } = (await readHead(exchange).catch(() => undefined)) ?? {};
  if (head === undefined || head.round === 0) return failure;
  const { kind, message, hint } = failure;
  return new UserError(kind, `${message}; rounds up to ${head.round} are stored safely`, { hint, cause: failure });
}

async function train(
  config: ExperimentConfig,
  { baseDir, folder, json = false, grading: flags = {} }: TrainingOptions,
  { stdout, stderr }: CommandContext,
  { status, area, signal, unlessStopped, reports }: Work,
): Promise<RunSummary> {
  const live = stderr.live && !json;
  const view = json ? jsonView(stdout, stderr) : live ? liveView(stderr, area) : plainView(stderr);
  const onStop = (): void => view.note("stopping after this step… (press Ctrl-C again to stop at once)");
  signal.addEventListener("abort", onStop, { once: true });
  try {
    const platform = nodePlatform({ baseDir, threads: config.runtime.threads, ...reports });
    const hooks = { onProgress: status.say, onCount: status.counting, onNote: status.note, signal };
    const prepared = await unlessStopped(prepareExperiment(config, platform, hooks)).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      throw new UserError("interrupted", "Stopped before training began.", {
        hint: "Run the same command again to start.",
        cause: error,
      });
    });
    for (const note of doubtsBefore(prepared)) status.note(note);
    const store = await openRunFolder(folder, status.note);
    try {
      await keepOrigin(store, folder, baseDir);
      view.begin(runFacts(prepared, folder));
      const benchmarks = config.evaluation.benchmarks.map(({ name }) => name);
      const grading = await openGrading(benchmarks, flags, folder, { signal, say: status.note });
      if (live) status.say("preparing the engine");
      const running = runExperiment(prepared, platform, store, {
        grading,
        emit: (event) => view.event(event),
        onCount: (work) => view.counting(work),
        signal,
      });
      return await running
        .finally(() => grading.close())
        .catch(async (error: unknown) => {
          throw await withStoredRounds(error, store);
        });
    } finally {
      await leaveRunReport(folder, (text) => view.note(text));
      store.close();
    }
  } finally {
    view.close();
  }
}
