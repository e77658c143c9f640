import type { OnCount } from "../concurrency/counted-work.ts";
import type { RunEvent } from "../federation/events.ts";
import type { Params } from "../tensor/params.ts";
import { itemKind, type TrainingItem } from "../data/items/registry.ts";
import { type GradientEngine, openGradientEngine } from "../train/gradient-engine.ts";
import { openRecordGradientEngine, type RecordGradientEngine } from "../train/record-gradients.ts";
import { referenceOf } from "../train/reference.ts";
import { openScorer, type Scorer } from "../train/scorer.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { type ReferenceCache, referenceCache } from "./evaluation/reference-cache.ts";

/** The sessions that a run trains and scores with. Each is opened on first use: a finished run needs none. */
export interface EngineSessions {
  readonly gradients: () => Promise<GradientEngine>;
  readonly recordGradients: () => Promise<RecordGradientEngine>;
  readonly scorer: () => Promise<Scorer>;
  dispose(): Promise<void>;
}

export interface Engines extends EngineSessions {
  readonly references: ReferenceCache;
  /** A client's training items, with the base's log-probabilities where the objective needs them. */
  readonly trainingItems: (client: string) => Promise<readonly TrainingItem[]>;
  /** The same of the items that the coordinator trains on itself. */
  readonly rootItems: () => Promise<readonly TrainingItem[]>;
}

/** The name of the coordinator's own training. */
export const ROOT = "data.root";

export interface EngineHooks {
  readonly emit: (event: RunEvent) => void;
  /** Work of which the amount is known, between events. */
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
}

export function openEngineSessions(
  { config, model, lora, objective }: Prepared,
  { runtime }: Pick<Platform, "runtime">,
): EngineSessions {
  const shared = {
    runtime,
    modelConfig: model.modelConfig,
    weights: model.weights,
    lora,
    maxLength: config.data.maxLength,
    microBatchTokens: config.training.microBatchTokens,
  };
  const scorer = opened(() => openScorer(shared));
  // Preferences are compared at one adapter: both answers, and the base, without noise.
  const dropout = itemKind(objective.items).isPreference ? 0 : config.adapter.dropout;
  const engine = opened(() =>
    openGradientEngine({
      ...shared,
      objective,
      dropout,
      score: async (...what) => (await scorer.get()).score(...what),
    }),
  );
  const records = opened(() => openRecordGradientEngine({ ...shared, objective, dropout }));
  return {
    gradients: engine.get,
    recordGradients: records.get,
    scorer: scorer.get,
    async dispose() {
      await engine.dispose();
      await records.dispose();
      await scorer.dispose();
    },
  };
}

/** `reference` gives the adapter that preferences are compared with: what the run starts from. */
export function openEngines(
  prepared: Prepared,
  platform: Platform,
  store: Pick<RunStore, "clientStore">,
  reference: () => Promise<Params>,
  { emit, onCount, signal }: EngineHooks,
): Engines {
  const { objective, trainers } = prepared;
  const sessions = openEngineSessions(prepared, platform);
  const references = referenceCache({
    needed: objective.reference,
    store: store.clientStore,
    measure: async (items) => referenceOf(await sessions.scorer(), await reference(), items, signal),
    onCount: ({ client }, done, of) =>
      onCount?.({ what: `reference log-probabilities for ${client}`, unit: "records", done, of }),
    onDone: ({ client, set }, records, seconds) => emit({ type: "reference-end", client, set, records, seconds }),
  });
  const byName = new Map(trainers.map((trainer) => [trainer.name, trainer]));
  return {
    ...sessions,
    references,
    trainingItems: (client) => references.of({ client, set: "train" }, byName.get(client)!.train),
    rootItems: () => references.of({ client: ROOT, set: "train" }, prepared.root),
  };
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
