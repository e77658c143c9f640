import { type AdapterSet, eachAdapter } from "../federation/adapter-set.ts";
import type { EventSink } from "../federation/events.ts";
import type { FinishedRound } from "../federation/coordinator-options.ts";
import { keySegment } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import { bestKeeper } from "./evaluation/keep-best.ts";
import type { RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import type { RunLog } from "./run-log.ts";
import { type BestAdapters, CLIENT_ADAPTERS, FINAL_ADAPTER, type RunSummary } from "./results/summary.ts";

/** Saves the common adapter after a round in `adapters/`, once, and reports it. */
export async function saveRoundAdapter(
  { config, model }: Prepared,
  store: RunStore,
  { events, savedRound }: { readonly events: EventSink; readonly savedRound: () => number },
  round: number,
  adapter: Params,
): Promise<void> {
  if (round <= savedRound()) return;
  const folder = `adapters/round-${String(round).padStart(4, "0")}`;
  const path = await store.saveAdapter(folder, config.adapter, adapter, model.ref);
  events.emit({ type: "adapter-saved", round, path });
}

/** Writes `metrics.json`; with the summary once the run is over. */
export function saveMetrics(
  store: RunStore,
  { metrics }: Pick<RunLog, "metrics">,
  bests: BestAdapters,
  summary?: RunSummary,
): Promise<void> {
  const document = { rounds: metrics.rounds(), totals: metrics.totals(), ...bests, ...(summary && { summary }) };
  return store.saveJson("metrics.json", document);
}

export interface RoundKeeper {
  /** The best adapters so far. */
  readonly bests: () => BestAdapters;
  readonly keep: (finished: FinishedRound) => Promise<void>;
}

/** Keeps everything that a finished round leaves in the run store: its adapter if that is due, the best one, metrics. */
export function roundKeeper(prepared: Prepared, store: RunStore, log: RunLog): RoundKeeper {
  const keepBest = bestKeeper(prepared, store);
  let bests: BestAdapters = {};
  return {
    bests: () => bests,
    async keep(finished) {
      const { round, adapters, last } = finished;
      const { saveEvery } = prepared.config.output;
      const due = last || (saveEvery > 0 && round % saveEvery === 0);
      // Where every client has an adapter of its own the common one stays what it was.
      if (due && adapters.clients === undefined) {
        await saveRoundAdapter(prepared, store, log, round, await adapters.of());
      }
      bests = await keepBest(finished);
      await saveMetrics(store, log, bests);
    },
  };
}

/** Saves the final adapters. Returns the folders of the clients' own, by client; undefined where all share one. */
export async function saveFinalAdapters(
  { config, model }: Pick<Prepared, "config" | "model">,
  store: Pick<RunStore, "saveAdapter">,
  adapters: AdapterSet,
): Promise<Record<string, string> | undefined> {
  const folders: Record<string, string> = {};
  for await (const { client, adapter } of eachAdapter(adapters)) {
    const folder = client === undefined ? FINAL_ADAPTER : `${CLIENT_ADAPTERS}/${keySegment(client)}`;
    const saved = await store.saveAdapter(folder, config.adapter, adapter, model.ref);
    if (client !== undefined) folders[client] = saved;
  }
  return adapters.clients === undefined ? undefined : folders;
}
