import { gradientFetch } from "../model/feeds.ts";
import { recordGradientGraph } from "../model/language-model.ts";
import { parameterCount, type Params, type Tensor } from "../tensor/params.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import { type DropoutStreams, openTraining, runMicroBatches, type TrainingOptions } from "./micro-batch-runs.ts";
import { sft } from "./sft.ts";

/** Computes the gradient of every record by itself, for DP-SGD (Abadi et al. 2016, arXiv 1607.00133, alg. 1). */
export interface RecordGradientEngine {
  /**
   * Computes the gradient of each item's own loss: for `sft` the mean over its own supervised tokens, nats a token. It depends
   * on the item and the adapter alone. `take` gets each with its place in `items`, float64, in an order of the engine's own.
   * An item without a supervised token has none.
   *
   * @param dropout gives the streams of the dropout masks, keyed by the item's id; unused when the dropout is 0.
   */
  each(
    adapter: Params,
    items: readonly TrainingItem[],
    dropout: DropoutStreams,
    take: (place: number, gradient: Params) => void,
  ): Promise<void>;
  dispose(): Promise<void>;
}

/** Most bytes of the gradients of one pass, unless those of one record are more. */
const GRADIENT_BYTES = 64e6;

/** @throws Error for an objective whose loss of a record depends on the other records of the batch. */
export async function openRecordGradientEngine(options: TrainingOptions): Promise<RecordGradientEngine> {
  const { objective = sft } = options;
  if (objective.overBatch !== undefined) throw new Error(`${objective.name}: ${objective.overBatch}`);
  const training = await openTraining(recordGradientGraph, { ...options, objective });

  return {
    async each(adapter, items, dropoutStream, take) {
      const runs = runMicroBatches(training, adapter, items, {
        // With 1 as the denominator the loss of a micro-batch is a sum over its items, and each is divided by its own count below.
        facts: (members) => ({ total: 1, divergence: 0, items: members }),
        fetches: [...adapter.keys()].map(gradientFetch),
        // By the record, not by its place: another record in the step must not change this one's mask.
        mask: (place, s, name) => dropoutStream(items[place]!.id, s, name),
        mostSequences: Math.max(1, Math.floor(GRADIENT_BYTES / (4 * parameterCount(adapter)))),
      });
      for await (const { places, results } of runs) {
        let sequence = 0;
        for (const place of places) {
          const item = items[place]!;
          const { length } = objective.sequences(item);
          const count = objective.count(item);
          if (count > 0) {
            const own = new Map<string, Tensor>();
            for (const [name, { shape, data }] of adapter) {
              const all = results.get(gradientFetch(name))!.data as Float32Array;
              own.set(name, { shape, data: sumOfSlices(all, data.length, sequence, length, 1 / count) });
            }
            take(place, own);
          }
          sequence += length;
        }
      }
    },
    dispose: () => training.session.dispose(),
  };
}

/** factor · the sum of `count` slices of `size` numbers each, from the slice `first` on, in float64. */
function sumOfSlices(all: Float32Array, size: number, first: number, count: number, factor: number): Float64Array {
  const sum = new Float64Array(size);
  for (let slice = first; slice < first + count; slice++) {
    for (let i = 0; i < size; i++) sum[i]! += all[slice * size + i]!;
  }
  for (let i = 0; i < size; i++) sum[i]! *= factor;
  return sum;
}
