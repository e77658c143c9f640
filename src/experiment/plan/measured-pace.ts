import { batchAt } from "../../data/batches.ts";
import { initAdapter } from "../../model/adapter.ts";
import { stream } from "../../tensor/random.ts";
import { openEngineSessions } from "../engines.ts";
import type { Platform } from "../ports.ts";
import type { Prepared } from "../prepare.ts";
import { scoredSequences, withoutReference } from "./planned-memory.ts";

/** What some steps on this machine took. */
export interface MeasuredPace {
  /** Seconds of each measured optimizer step. */
  readonly stepSeconds: readonly number[];
  /** Seconds to score a thousand tokens; undefined where no record is held out. */
  readonly scoringSeconds: number | undefined;
}

export interface PaceOptions {
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const STEPS = 3;
/** Sequences that are scored to measure the pace of an evaluation. */
const SCORED = 64;

/**
 * Computes three optimizer steps after one that warms the engine up, on the first records of the clients with most of them,
 * and scores some held-out records. Nothing is learnt or written.
 */
export async function measurePace(
  prepared: Prepared,
  platform: Pick<Platform, "runtime">,
  { onProgress, signal }: PaceOptions = {},
): Promise<MeasuredPace> {
  const { config, model, trainers } = prepared;
  const { batchSize, gradientAccumulation } = config.training;
  const adapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  const sessions = openEngineSessions(prepared, platform);
  try {
    const engine = await sessions.gradients();
    const largest = [...trainers].sort((a, b) => b.train.length - a.train.length).slice(0, STEPS);
    const stepSeconds: number[] = [];
    for (let step = 0; step <= STEPS; step++) {
      signal?.throwIfAborted();
      onProgress?.(step === 0 ? "warming up the engine" : `measuring step ${step} of ${STEPS}`);
      const { name, train } = largest[step % largest.length]!;
      const order = {
        client: name,
        examples: train,
        random: (...key: (string | number)[]) => stream(config.seed, ...key),
      };
      const items = batchAt(order, 0, batchSize * gradientAccumulation).map(withoutReference);
      const started = performance.now();
      await engine.step(adapter, items, (...key) => stream(config.seed, "dropout", step, ...key));
      if (step > 0) stepSeconds.push((performance.now() - started) / 1000);
    }
    const some = scoredSequences(prepared).slice(0, SCORED);
    if (some.length === 0) return { stepSeconds, scoringSeconds: undefined };
    onProgress?.("measuring an evaluation");
    const scorer = await sessions.scorer();
    await scorer.score(adapter, some.slice(0, 1), signal);
    const started = performance.now();
    await scorer.score(adapter, some, signal);
    const tokens = some.reduce((sum, example) => sum + example.tokens.length, 0);
    return { stepSeconds, scoringSeconds: (performance.now() - started) / tokens };
  } finally {
    await sessions.dispose();
  }
}
