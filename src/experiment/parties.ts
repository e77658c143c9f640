import type { OnCount } from "../concurrency/counted-work.ts";
import { clientMemory } from "../federation/client-memory.ts";
import type { CoordinatorOptions } from "../federation/coordinator-options.ts";
import type { Evaluate } from "../federation/evaluation.ts";
import type { FederationClient } from "../federation/roster.ts";
import type { AsynchronousRules, StalenessRule } from "../federation/staleness.ts";
import type { ParticipantOptions } from "../federation/participant-options.ts";
import { DEFAULT_MAX_STALENESS } from "../updates/staleness.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import type { MemberStore, Store } from "../store/store.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import type { Stage } from "../updates/stage.ts";
import { downlinkOf, stagesOf } from "../updates/stage-registry.ts";
import type { RunGrading } from "./evaluation/benchmarks.ts";
import { choosesOnValidation, stopRule } from "./evaluation/best-round.ts";
import type { Engines } from "./engines.ts";
import { scoreClientSets, scoreCommonSet, type ScoringTools } from "./evaluation/score-sets.ts";
import { localTrainer } from "./local-trainer.ts";
import { initialAdapter } from "./starting-adapter.ts";
import type { Platform, RunStore } from "./ports.ts";
import { secureRulesOf } from "../settings/secure-aggregation.ts";
import { clientPrivacyHalf, clientsIn } from "./private-parties.ts";
import type { Prepared, Trainer } from "./prepare.ts";
import { privateTrainer } from "./private-trainer.ts";
import { recordLedger } from "./record-ledger.ts";
import { shareOfWork, stepsOf } from "./round-steps.ts";
import { runBenchmarks } from "./evaluation/run-benchmarks.ts";

/** The coordinator's rules of a run, from its configuration. Deadlines are left out: a simulation has none. */
export function coordinatorRules(prepared: Prepared) {
  const { config, algorithm } = prepared;
  const { federation, training, evaluation, fidelity, seed } = config;
  const { rounds, clientsPerRound = Number.POSITIVE_INFINITY, overSelect, lateUpdates } = federation;
  const staleness = stalenessRule(config);
  return {
    algorithm,
    // Secure aggregation makes the buckets itself: the rule sees their means.
    aggregator: aggregatorOf(federation.aggregator, {
      ...federation,
      ...(config.secureAggregation !== undefined && { buckets: undefined }),
    }),
    stages: stagesFor(config, algorithm),
    downlink: downlinkFor(config, algorithm),
    fidelity,
    seed,
    rounds,
    clientsPerRound,
    // One client that holds the records of all is enough.
    minClients: algorithm.data === "pooled" ? 1 : federation.minClients,
    overSelect,
    secure: secureRulesOf(config, clientsIn(prepared)),
    late: lateUpdates === "next" ? staleness : undefined,
    asynchronous: asynchronousRules(config),
    evaluateEvery: evaluation.every,
    scoreValidation: choosesOnValidation(config),
    stop: stopRule(config),
    learningRate: (round: number) => SCHEDULES[training.schedule](training, round, rounds),
  } as const satisfies Partial<CoordinatorOptions>;
}

function stalenessRule({ federation: { staleness = "sqrt", maxStaleness } }: Prepared["config"]): StalenessRule {
  return { by: staleness, most: maxStaleness ?? DEFAULT_MAX_STALENESS };
}

/** The rules of mode async; undefined in mode sync. The settings are checked: `bufferSize` is there. */
function asynchronousRules(config: Prepared["config"]): AsynchronousRules | undefined {
  const { mode, bufferSize, concurrency } = config.federation;
  if (mode !== "async") return undefined;
  return { bufferSize: bufferSize!, concurrency, staleness: stalenessRule(config) };
}

/** A trainer as the federation knows it. */
export function memberOf({ name, train, clients }: Trainer): FederationClient {
  return { name, records: train.length, heldOut: clients.reduce((sum, { heldOut }) => sum + heldOut.items.length, 0) };
}

/** Without a federation nothing travels, and no stage has anything to do. */
export function stagesFor({ federation }: Prepared["config"], { federated }: Prepared["algorithm"]): Stage[] {
  return federated ? stagesOf(federation.stages) : [];
}

/** The codec of the way down, under the same condition. */
export function downlinkFor(
  { federation }: Prepared["config"],
  { federated }: Prepared["algorithm"],
): Stage | undefined {
  return federated ? downlinkOf(federation.downlink) : undefined;
}

export interface ScoringOptions {
  readonly platform: Platform;
  readonly store: RunStore;
  readonly engines: Engines;
  readonly grading: RunGrading;
  readonly onCount?: OnCount | undefined;
}

/** The coordinator's part of an evaluation: the common adapter on the common set and on benchmarks. */
export function coordinatorEvaluation(prepared: Prepared, options: ScoringOptions): Evaluate {
  return async (what) => ({
    ...(await scoreCommonSet(prepared, scoringTools(options), what)),
    ...(await benchmarkPart(prepared, options, what)),
  });
}

/** A client's part: its own held-out records; where it keeps an adapter of its own, the common set and benchmarks too. */
export function clientEvaluation(prepared: Prepared, options: ScoringOptions, client: string): Evaluate {
  return async (what) => ({
    ...(await scoreClientSets(prepared, scoringTools(options), client, what)),
    ...(what.adapters.clients !== undefined && (await benchmarkPart(prepared, options, what))),
  });
}

export function scoringTools({ engines, onCount }: Pick<ScoringOptions, "engines" | "onCount">): ScoringTools {
  return { scorer: engines.scorer, references: engines.references, onCount };
}

async function benchmarkPart(
  prepared: Prepared,
  { platform, store, grading, onCount }: ScoringOptions,
  what: Parameters<Evaluate>[0],
) {
  const benchmarks = await runBenchmarks(prepared, what, {
    runtime: platform.runtime,
    grading,
    openAnswers: (...place) => store.openAnswers(...place),
    onCount,
  });
  return benchmarks && { benchmarks };
}

interface ClientHalf extends Pick<
  ParticipantOptions,
  | "algorithm"
  | "stages"
  | "downlink"
  | "start"
  | "seed"
  | "trainer"
  | "memory"
  | "figures"
  | "protect"
  | "seal"
  | "masking"
  | "refuseRound"
> {
  readonly asynchronous: AsynchronousRules | undefined;
}

/** The trainer and the memory of the clients in this process. */
export function clientHalf(prepared: Prepared, engines: Engines, own: Store, commits: MemberStore): ClientHalf {
  const { config, algorithm } = prepared;
  const downlink = downlinkFor(config, algorithm);
  const rules = secureRulesOf(config, clientsIn(prepared));
  return {
    algorithm,
    stages: stagesFor(config, algorithm),
    downlink,
    start: downlink && initialAdapter(prepared),
    seed: config.seed,
    memory: clientMemory(own, commits),
    asynchronous: asynchronousRules(config),
    masking: rules && { rules, own },
    ...clientPrivacyHalf(prepared, own, commits),
    ...trainerOf(prepared, engines, own, commits),
  };
}

/** The trainer, and what a client with private records does not tell and does not do. */
function trainerOf(
  prepared: Prepared,
  engines: Engines,
  own: Store,
  commits: MemberStore,
): Pick<ClientHalf, "trainer" | "figures" | "refuseRound"> {
  const { config } = prepared;
  const { privacy, federation } = config;
  if (privacy?.record === undefined) {
    return { trainer: localTrainer(engines.gradients, config, engines.trainingItems, shareOfWork(prepared)) };
  }
  const ledger = recordLedger(own, commits, { privacy: privacy.record, federation }, (client) =>
    stepsOf(prepared, client),
  );
  return {
    trainer: privateTrainer(engines.recordGradients, config, engines.trainingItems, ledger),
    figures: "kept",
    refuseRound: (...round) => ledger.refuse(...round),
  };
}
