import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { runExperiment } from "../../experiment/run.ts";
import type { ExperimentConfig } from "../../settings/schema.ts";
import type { RunSummary } from "../../experiment/summary.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { nodePlatform } from "../../node/platform.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import { DEFAULT_COLUMNS, type CommandContext } from "./command-context.ts";
import { checkGradingFlags, confirmJudging, type GradingFlags, openGrading } from "./grading.ts";
import { watchInterruption } from "../interruption.ts";
import { LiveArea } from "../views/live-area.ts";
import { liveView } from "../views/live-view.ts";
import { jsonView, plainView } from "../views/plain-view.ts";
import { reportLines } from "../views/report.ts";
import { runFacts } from "../views/run-facts.ts";
import { liveStatus, plainStatus } from "../views/status.ts";

export interface RunFlags extends GradingFlags {
  readonly set: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
  readonly threads?: number;
}

/** `runs/quickstart` for `examples/quickstart.yaml`. */
export function defaultRunFolder(configFile: string): string {
  return path.join("runs", path.basename(configFile).replace(/(\.sweep)?\.(ya?ml|json)$/i, ""));
}

export async function runCommand(configFile: string, flags: RunFlags, context: CommandContext): Promise<void> {
  const { stdout } = context;
  const config = readConfigFile(configFile, withThreads(flags));
  const baseDir = path.dirname(configFile);
  const folder = flags.out ?? defaultRunFolder(configFile);
  const summary = await trainIn(config, { baseDir, folder, json: flags.json === true, grading: flags }, context);
  if (flags.json) {
    stdout.write(`${JSON.stringify({ type: "summary", ...summary })}\n`);
  } else {
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    const lines = reportLines(summary, { config, baseDir, folder, columns, style: stdout.style });
    stdout.write(`\n${lines.join("\n")}\n`);
  }
}

export interface RunPlace {
  /** What relative paths of the configuration are relative to. */
  readonly baseDir: string;
  readonly folder: string;
  /** Events as lines of JSON on stdout instead of progress for people on stderr. */
  readonly json?: boolean;
  /** What the configuration's benchmarks may be graded with; default: nothing. */
  readonly grading?: GradingFlags;
}

const NO_GRADING: GradingFlags = { judgeKeyEnv: "OPENAI_API_KEY", judgeConcurrency: 4 };

/** Trains in a run folder, or goes on there, and shows the progress. */
export async function trainIn(
  config: ExperimentConfig,
  { baseDir, folder, json = false, grading: flags = NO_GRADING }: RunPlace,
  context: CommandContext,
): Promise<RunSummary> {
  const { stdout, stderr } = context;
  const benchmarks = config.evaluation.benchmarks.map(({ name }) => name);
  checkGradingFlags(benchmarks, flags);
  if (flags.judgeUrl !== undefined && benchmarks.length > 0) {
    await confirmJudging(`${flags.judgeModel} judges answers in every evaluated round`, flags, context);
  }
  const area = new LiveArea(stderr);
  const live = stderr.live && !json;
  const status = live ? liveStatus(stderr, area) : plainStatus(stderr);
  const view = json ? jsonView(stdout, stderr) : live ? liveView(stderr, area) : plainView(stderr);
  const interruption = watchInterruption(() => view.note("stopping after this step… (Ctrl-C again stops at once)"));
  try {
    const platform = nodePlatform({
      baseDir,
      threads: config.runtime.threads,
      onConvert: status.converting,
      onDownload: status.downloading,
      onNote: status.note,
      signal: interruption.signal,
    });
    const prepared = await interruption
      .before(prepareExperiment(config, platform, { onProgress: status.say, onNote: status.note }))
      .catch((error: unknown) => {
        if (!interruption.signal.aborted) throw error;
        throw new UserError("interrupted", "Stopped before training began.", {
          hint: "Run the same command again to start.",
          cause: error,
        });
      });
    const store = await openRunFolder(folder);
    try {
      await keepOrigin(store, folder, baseDir);
      view.begin(runFacts(prepared, folder));
      const { signal } = interruption;
      const grading = await openGrading(benchmarks, flags, folder, { signal, say: status.note });
      if (live) status.say("preparing the engine");
      const running = runExperiment(prepared, platform, store, {
        grading,
        emit: (event) => view.event(event),
        onProgress: (text) => view.waiting(text),
        signal,
      });
      return await running.finally(() => grading.close());
    } finally {
      store.close();
    }
  } finally {
    view.close();
    interruption.dispose();
  }
}

function withThreads({ set, threads }: RunFlags): readonly string[] {
  return threads === undefined ? set : [...set, `runtime.threads=${threads}`];
}
