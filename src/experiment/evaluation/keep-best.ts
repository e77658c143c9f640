import { keySegment } from "../../store/store.ts";
import type { FinishedRound } from "../../federation/coordinator-options.ts";
import { bestBy, bestRound, roundValues } from "./best-round.ts";
import type { RunStore } from "../ports.ts";
import type { Prepared } from "../prepare.ts";
import { BEST, type BestAdapter, type BestAdapters } from "../results/summary.ts";

/**
 * Keeps the adapter of the best evaluated round in the run store, renewed as better rounds come, where
 * `evaluation.best` or `evaluation.earlyStopping` ask for it. Where each client has an adapter of its own, each has a
 * best round of its own. What is kept follows from the evaluations alone, so it may be asked for when the run is done.
 */
export function bestKeeper(
  { config, model }: Pick<Prepared, "config" | "model">,
  store: Pick<RunStore, "saveAdapter">,
): (finished: FinishedRound) => Promise<BestAdapters> {
  const by = bestBy(config);
  const kept = new Map<string, number>();

  const keep = async (
    { evaluations, adaptersAfter }: FinishedRound,
    folder: string,
    client?: string,
  ): Promise<BestAdapter | undefined> => {
    const { over, chosenOn, values } = roundValues(by!, evaluations, client);
    const best = bestRound(by!.metric, values);
    if (best === undefined) return undefined;
    if (kept.get(folder) !== best.round) {
      await store.saveAdapter(folder, config.adapter, await (await adaptersAfter(best.round)).of(client), model.ref);
      kept.set(folder, best.round);
    }
    return { metric: by!.metric, over, chosenOn, ...best, adapter: folder };
  };

  return async (finished) => {
    if (by === undefined) return {};
    const { clients } = finished.adapters;
    if (clients === undefined) {
      const best = await keep(finished, BEST);
      return best === undefined ? {} : { best };
    }
    const bests: Record<string, BestAdapter> = {};
    for (const client of clients) {
      const best = await keep(finished, `${BEST}/${keySegment(client)}`, client);
      if (best !== undefined) bests[client] = best;
    }
    return { clientBests: bests };
  };
}
