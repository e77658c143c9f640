import type { OnCount } from "../concurrency/counted-work.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { FederationOutcome } from "../federation/coordinator-options.ts";
import type { Runtime } from "../train/runtime.ts";
import { answerPrompts } from "./evaluation/answers.ts";
import type { Engines } from "./engines.ts";
import { scoringTools } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import type { RunLog } from "./run-log.ts";
import { type RoundKeeper, saveFinalAdapters, saveMetrics } from "./save-adapters.ts";
import { scoreBase } from "./evaluation/score-base.ts";
import { summarise } from "./results/summarise.ts";
import { initialAdapter } from "./starting-adapter.ts";
import type { PromptAnswer, RunSummary } from "./results/summary.ts";

export interface EndingRun {
  readonly platform: Platform;
  readonly store: RunStore;
  readonly log: RunLog;
  readonly keeper: RoundKeeper;
  readonly engines: Engines;
  /** The summary that was there before: the run had ended once. */
  readonly earlier: RunSummary | undefined;
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The summary in a run store, if its run has ended. To be read first: every finished round rewrites the file. */
export async function readSummary(store: RunStore): Promise<RunSummary | undefined> {
  return ((await store.readJson("metrics.json")) as { summary?: RunSummary } | undefined)?.summary;
}

/** Saves the final adapters, answers the prompts and writes the summary of a run that is over. Disposes of the engines. */
export async function finishRun(
  prepared: Prepared,
  outcome: FederationOutcome,
  { platform, store, log, keeper, engines, earlier, onCount, signal }: EndingRun,
): Promise<RunSummary> {
  const clientAdapters = await saveFinalAdapters(prepared, store, outcome.adapters);
  const validation = outcome.evaluations[0]?.validation !== undefined;
  const baseScores =
    earlier?.baseScores ??
    (prepared.start === undefined
      ? undefined
      : await scoreBase(prepared, scoringTools({ engines, onCount }), { validation, signal }));
  // The engines hold copies of the weights, and nothing more is asked of them.
  await engines.dispose();
  // Answers take as long as a round on a small machine, so those of an earlier end of the same run are kept.
  const kept = earlier?.adapter === outcome.head.adapter ? earlier.answers : undefined;
  const answers = kept ?? (await answer(prepared, platform.runtime, outcome, { onCount, signal }));
  const summary = summarise(prepared, outcome, log.metrics, {
    clientAdapters,
    answers,
    baseScores,
    ...keeper.bests(),
  });
  await saveMetrics(store, log, keeper.bests(), summary);
  return summary;
}

async function answer(
  prepared: Prepared,
  runtime: Runtime,
  { head, adapter: after, adapters }: FederationOutcome,
  hooks: Pick<EndingRun, "onCount" | "signal">,
): Promise<readonly PromptAnswer[]> {
  const { config } = prepared;
  // Where every client has an adapter of its own there is none to answer with.
  if (config.evaluation.prompts.length === 0 || adapters.clients !== undefined) return [];
  const before = initialAdapter(prepared);
  try {
    return await answerPrompts(prepared, runtime, { before, after }, hooks);
  } catch (error) {
    if (error !== hooks.signal?.reason) throw error;
    throw new UserError("interrupted", `Stopped while answering prompts; all ${head.round} rounds are kept.`, {
      hint: "Run the same command again to continue.",
      cause: error,
    });
  }
}
