import { clientMemory } from "../federation/client-memory.ts";
import type { CoordinatorOptions } from "../federation/coordination.ts";
import type { Evaluate } from "../federation/evaluation.ts";
import type { ParticipantOptions } from "../federation/participant.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import type { Store } from "../store/store.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import type { Stage } from "../updates/stage.ts";
import { stagesOf } from "../updates/stage-registry.ts";
import type { RunGrading } from "./benchmarks.ts";
import { stopRule } from "./best-round.ts";
import type { Engines } from "./engines.ts";
import { scoreClientSets, scoreCommonSet } from "./evaluate.ts";
import { localTrainer } from "./local-trainer.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { putBenchmarks } from "./put-benchmarks.ts";

/** The coordinator's rules of a run, from its configuration. `clients`: how many there are. */
export function coordinatorRules({ config, algorithm }: Prepared, clients: number) {
  const { federation, training, evaluation, fidelity, seed } = config;
  const { rounds, minClients } = federation;
  const pooled = algorithm.data === "pooled";
  return {
    algorithm,
    aggregator: aggregatorOf(federation.aggregator, federation),
    stages: stagesFor(config, algorithm),
    fidelity,
    seed,
    rounds,
    clientsPerRound: pooled ? 1 : clientsPerRound(config.federation, clients),
    minClients: pooled ? 1 : minClients,
    evaluateEvery: evaluation.every,
    stop: stopRule(config),
    learningRate: (round: number) => SCHEDULES[training.schedule](training, round, rounds),
  } satisfies Partial<CoordinatorOptions>;
}

function clientsPerRound({ clientsPerRound: drawn }: Prepared["config"]["federation"], clients: number): number {
  return Math.min(drawn ?? clients, clients);
}

/** Without a federation nothing travels, and no stage has anything to do. */
function stagesFor({ federation }: Prepared["config"], { federated }: Prepared["algorithm"]): Stage[] {
  return federated ? stagesOf(federation.stages) : [];
}

export interface ScoringOptions {
  readonly platform: Platform;
  readonly store: RunStore;
  readonly engines: Engines;
  readonly grading: RunGrading;
  readonly onProgress?: ((message: string) => void) | undefined;
}

/** The coordinator's part of an evaluation: the common adapter on the common set and on benchmarks. */
export function coordinatorEvaluation(prepared: Prepared, options: ScoringOptions): Evaluate {
  return async (what) => ({
    scores: await scoreCommonSet(prepared, options.engines, what),
    ...(await benchmarkPart(prepared, options, what)),
  });
}

/** A client's part: its own held-out records and, where it keeps an adapter of its own, all that adapter is asked. */
export function clientEvaluation(prepared: Prepared, options: ScoringOptions, client: string): Evaluate {
  return async (what) => ({
    scores: await scoreClientSets(prepared, options.engines, client, what),
    ...(what.adapters.clients !== undefined && (await benchmarkPart(prepared, options, what))),
  });
}

async function benchmarkPart(
  prepared: Prepared,
  { platform, store, grading, onProgress }: ScoringOptions,
  what: Parameters<Evaluate>[0],
) {
  const benchmarks = await putBenchmarks(prepared, what, {
    runtime: platform.runtime,
    grading,
    openAnswers: (...place) => store.openAnswers(...place),
    onProgress,
  });
  return benchmarks && { benchmarks };
}

/** The trainer and the memory of the clients in this process. `of`: how many clients' work a pooled round is. */
export function clientHalf(
  { config, algorithm, clients }: Prepared,
  engines: Engines,
  own: Store,
  commits: Store,
): Pick<ParticipantOptions, "algorithm" | "stages" | "seed" | "trainer" | "memory"> {
  const share = { clients: clientsPerRound(config.federation, clients.length), of: clients.length };
  return {
    algorithm,
    stages: stagesFor(config, algorithm),
    seed: config.seed,
    trainer: localTrainer(
      engines.gradients,
      config,
      engines.trainingItems,
      algorithm.data === "pooled" ? share : undefined,
    ),
    memory: clientMemory(own, commits),
  };
}
