import { UserError } from "../diagnostics/user-error.ts";
import type { EmitEvent, RunEvent } from "../federation/events.ts";
import { clientMemory } from "../federation/client-memory.ts";
import { eventsThatHold } from "../federation/resume.ts";
import { scoresBySet } from "../federation/evaluation.ts";
import { keySegment } from "../store/store.ts";
import { type FederationOutcome, isOver, runFederation } from "../federation/run.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import { initAdapter } from "../model/adapter.ts";
import type { Params } from "../tensor/params.ts";
import type { TrainingItem } from "../data/example.ts";
import { openGradientEngine } from "../train/gradient-engine.ts";
import { referenceOf } from "../train/reference.ts";
import { openScorer } from "../train/scorer.ts";
import type { Runtime } from "../train/runtime.ts";
import { answerPrompts } from "./answers.ts";
import { stopRule } from "./best-round.ts";
import { canaryCounts } from "./canaries.ts";
import { evaluate } from "./evaluate.ts";
import { checkGrading, type RunGrading } from "./benchmarks.ts";
import { putBenchmarks } from "./put-benchmarks.ts";
import { bestKeeper } from "./keep-best.ts";
import { localTrainer } from "./local-trainer.ts";
import { Metrics } from "./metrics.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { referenceCache } from "./reference-cache.ts";
import { bindRun } from "./run-identity.ts";
import {
  type BenchmarkChange,
  type BestAdapters,
  CLIENT_ADAPTERS,
  type HeldOutResult,
  type PromptAnswer,
  type RunSummary,
} from "./summary.ts";

export interface RunOptions {
  /** Every event as it happens, also those of a resumed part. */
  readonly emit?: EmitEvent;
  /** One line about long work between events. */
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** What grading benchmarks may use besides the answers; default: neither runs code nor asks a judge. */
  readonly grading?: RunGrading;
}

/**
 * Runs a prepared experiment in a run store, or goes on with the run that is in it. Killed anywhere and called again,
 * it ends with the same adapter, byte for byte.
 *
 * @throws UserError: `config` for a store with another run in it, and whatever `runFederation` throws.
 */
export async function runExperiment(
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  options: RunOptions = {},
): Promise<RunSummary> {
  const { config, model, lora, objective, clients, trainers, algorithm } = prepared;
  const { grading = {} } = options;
  checkGrading(config, grading);
  const identity = await bindRun(prepared, store, platform.threads);
  const earlier = (await store.readJson("metrics.json")) as { summary?: RunSummary } | undefined;
  const metrics = new Metrics();
  const { rounds } = config.federation;
  const stop = stopRule(config);
  const ending = { exchange: store.exchange, rounds, evaluateEvery: config.evaluation.every, ...(stop && { stop }) };
  const holds = await eventsThatHold(store.exchange, !(await isOver(ending)));
  const keepBest = bestKeeper(prepared, store);
  let bests: BestAdapters = {};
  let saved = -1;
  const log = await store.openEvents((event) => {
    const kept = holds(event);
    if (kept) metrics.fold(event);
    if (kept && event.type === "adapter-saved") saved = Math.max(saved, event.round);
    return kept;
  }, config.output);
  const emit = (event: RunEvent): void => {
    log.emit(event);
    metrics.fold(event);
    options.emit?.(event);
  };
  const shared = {
    runtime: platform.runtime,
    config: model.config,
    weights: model.weights,
    lora,
    maxLength: config.data.maxLength,
  };
  const { microBatchTokens } = config.training;
  // A finished run that is asked for again needs neither.
  const engine = opened(() =>
    openGradientEngine({
      ...shared,
      objective,
      // Preferences are compared at one adapter: both answers, and the base, without noise.
      dropout: objective.items === "example" ? config.adapter.dropout : 0,
      microBatchTokens,
      score: async (...what) => (await scorer.get()).score(...what),
    }),
  );
  const scorer = opened(() => openScorer({ ...shared, microBatchTokens }));
  try {
    const initialAdapter = initAdapter(config.adapter, model.config, config.seed);
    const references = referenceCache({
      needed: objective.reference,
      store: store.clientStore,
      measure: async (items) => referenceOf(await scorer.get(), initialAdapter, items, options.signal),
      onProgress: ({ client }, done, of) =>
        options.onProgress?.(`the base's log-probabilities for ${client}: ${done} of ${of} records`),
      onDone: ({ client, set }, records, seconds) => emit({ type: "reference-end", client, set, records, seconds }),
    });
    const trainingItems = (client: string): Promise<readonly TrainingItem[]> =>
      references.of({ client, set: "train" }, byName.get(client)!.train);
    const saveAdapter = async (round: number, adapter: Params): Promise<void> => {
      if (round <= saved) return;
      const path = await store.saveAdapter(
        `adapters/round-${String(round).padStart(4, "0")}`,
        config.adapter,
        adapter,
        model.ref,
      );
      emit({ type: "adapter-saved", round, path });
    };
    for (const { name, report } of clients) emit({ type: "data-report", client: name, ...report });
    await saveAdapter(0, initialAdapter);
    const byName = new Map(trainers.map((trainer) => [trainer.name, trainer]));
    const perRound = Math.min(config.federation.clientsPerRound ?? clients.length, clients.length);
    const pooled = algorithm.data === "pooled";
    const share = pooled ? { clients: perRound, of: clients.length } : undefined;
    const outcome = await runFederation({
      ...ending,
      algorithm,
      fidelity: config.fidelity,
      trainer: localTrainer(engine.get, config, trainingItems, share),
      memory: clientMemory(store.clientStore, store.exchange),
      initialAdapter,
      config: identity,
      seed: config.seed,
      clients: trainers.map(({ name, train }) => ({
        name,
        records: train.length,
        heldOut: heldOutCount(prepared, name),
      })),
      clientsPerRound: pooled ? 1 : perRound,
      minClients: pooled ? 1 : config.federation.minClients,
      learningRate: (round) => SCHEDULES[config.training.schedule](config.training, round, rounds),
      evaluate: async (what) => {
        const scores = await evaluate(prepared, await scorer.get(), references, what);
        const benchmarks = await putBenchmarks(prepared, what, {
          runtime: platform.runtime,
          grading,
          openAnswers: (...place) => store.openAnswers(...place),
          onProgress: options.onProgress,
        });
        return { scores, ...(benchmarks && { benchmarks }) };
      },
      async onRound(finished) {
        const { round, adapter, last } = finished;
        const { saveEvery } = config.output;
        const kept = last || (saveEvery > 0 && round % saveEvery === 0);
        // Where every client has an adapter of its own the common one stays what it was.
        if (kept && algorithm.ownAdapter === undefined) await saveAdapter(round, adapter);
        bests = await keepBest(finished);
        await store.saveJson("metrics.json", { rounds: metrics.rounds(), totals: metrics.totals(), ...bests });
      },
      events: { emit, flush: () => log.flush() },
      ...(options.signal && { signal: options.signal }),
    });
    const { ownAdapter } = outcome;
    let clientAdapters: Record<string, string> | undefined;
    if (ownAdapter === undefined) {
      await store.saveAdapter("adapter", config.adapter, outcome.adapter, model.ref);
    } else {
      clientAdapters = {};
      for (const { name } of trainers) {
        const place = `${CLIENT_ADAPTERS}/${keySegment(name)}`;
        clientAdapters[name] = await store.saveAdapter(place, config.adapter, await ownAdapter(name), model.ref);
      }
    }
    // Answers take as long as a round on a small machine, so those of an earlier end of the same run are kept.
    const kept = earlier?.summary?.adapter === outcome.head.adapter ? earlier.summary.answers : undefined;
    // What is open holds its own copy of the weights, and nothing more is asked of it.
    await engine.dispose();
    await scorer.dispose();
    const answers = kept ?? (await answer(prepared, platform.runtime, initialAdapter, outcome, options.signal));
    const { supervisedTokens, bytesUp, bytesDown, seconds } = metrics.totals();
    const played = outcome.head.round;
    const summary: RunSummary = {
      rounds: played,
      ...(played < rounds && { plannedRounds: rounds }),
      adapter: outcome.head.adapter,
      clientAdapters,
      ...bests,
      heldOut: heldOutResults(outcome),
      benchmarks: benchmarkResults(outcome),
      answers,
      canaries: prepared.canaries.length === 0 ? undefined : canaryCounts(prepared.canaries),
      supervisedTokens,
      bytesUp,
      bytesDown,
      seconds,
    };
    await store.saveJson("metrics.json", { rounds: metrics.rounds(), totals: metrics.totals(), ...bests, summary });
    return summary;
  } finally {
    log.close();
    await engine.dispose();
    await scorer.dispose();
  }
}

/** Opens something on first use, and disposes of it if it was. */
function opened<T extends { dispose(): Promise<void> }>(open: () => Promise<T>) {
  let instance: Promise<T> | undefined;
  return {
    get: (): Promise<T> => (instance ??= open()),
    async dispose(): Promise<void> {
      const open = instance;
      instance = undefined;
      // One that failed to open has said so already.
      await (await open?.catch(() => undefined))?.dispose();
    },
  };
}

function heldOutCount({ clients, algorithm }: Prepared, trainer: string): number {
  const own = algorithm.data === "pooled" ? clients : clients.filter(({ name }) => name === trainer);
  return own.reduce((sum, { heldOut }) => sum + heldOut.items.length, 0);
}

function heldOutResults({ evaluations }: FederationOutcome): HeldOutResult[] {
  const after = new Map(scoresBySet(evaluations.at(-1)?.scores ?? []).map((score) => [score.set, score]));
  return scoresBySet(evaluations[0]?.scores ?? []).map(
    ({ set, records, supervisedTokens, count, loss, metrics = {} }) => ({
      set,
      records,
      supervisedTokens,
      count,
      before: loss,
      after: after.get(set)?.loss ?? Number.NaN,
      metrics: Object.fromEntries(
        Object.entries(metrics).map(([name, before]) => [
          name,
          { before, after: after.get(set)?.metrics?.[name] ?? Number.NaN },
        ]),
      ),
    }),
  );
}

/** Of each benchmark its first and its last score. */
function benchmarkResults({ evaluations }: FederationOutcome): BenchmarkChange[] | undefined {
  const all = evaluations.flatMap(({ benchmarks = [] }) => benchmarks);
  if (all.length === 0) return undefined;
  const names = [...new Set(all.map(({ benchmark }) => benchmark))];
  return names.flatMap((name) => {
    const own = all.filter(({ benchmark }) => benchmark === name);
    const base = own[0]!;
    return [...new Set(own.map(({ client }) => client))].flatMap((client): BenchmarkChange[] => {
      // Before training clients have no adapters of their own: what they began with is the base.
      const last = own.findLast((score) => score.client === client)!;
      if (client === undefined && own.some((score) => score.client !== undefined)) return [];
      const metrics = Object.entries(last.metrics).map(([metric, after]) => [
        metric,
        { before: base.metrics[metric] ?? Number.NaN, after },
      ]);
      return [{ benchmark: name, client, questions: last.questions, metrics: Object.fromEntries(metrics) }];
    });
  });
}

async function answer(
  prepared: Prepared,
  runtime: Runtime,
  initialAdapter: Params,
  { head, adapter, ownAdapter }: FederationOutcome,
  signal: AbortSignal | undefined,
): Promise<readonly PromptAnswer[]> {
  // Where every client has an adapter of its own there is none to answer with.
  if (prepared.config.evaluation.prompts.length === 0 || ownAdapter !== undefined) return [];
  try {
    return await answerPrompts(prepared, runtime, { before: initialAdapter, after: adapter }, signal);
  } catch (error) {
    if (error !== signal?.reason) throw error;
    throw new UserError("interrupted", `Stopped while answering prompts; all ${head.round} rounds are safe.`, {
      hint: "Run the same command again to continue.",
      cause: error,
    });
  }
}
