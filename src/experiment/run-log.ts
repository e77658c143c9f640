import type { EventSink, RunEvent } from "../federation/events.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import { Metrics } from "./results/metrics.ts";
import type { RunStore } from "./ports.ts";

/** A run's durable events, and everything folded from them. */
export interface RunLog {
  readonly events: EventSink;
  readonly metrics: Metrics;
  /** The last round whose adapter was saved; −1 before the first. */
  readonly savedRound: () => number;
  close(): Promise<void>;
}

/** Opens the event log of a run store. `holds` tells which events of an interrupted run stay in it. */
export async function openRunLog(
  store: RunStore,
  holds: (event: RunEvent) => boolean,
  output: ExperimentConfig["output"],
  onEvent: ((event: RunEvent) => void) | undefined,
): Promise<RunLog> {
  const metrics = new Metrics();
  let saved = -1;
  const fold = (event: RunEvent): void => {
    metrics.fold(event);
    if (event.type === "adapter-saved") saved = Math.max(saved, event.round);
  };
  const log = await store.openEvents((event) => {
    const kept = holds(event);
    if (kept) fold(event);
    return kept;
  }, output);
  return {
    events: {
      emit(event) {
        log.emit(event);
        fold(event);
        onEvent?.(event);
      },
      flush: () => log.flush(),
    },
    metrics,
    savedRound: () => saved,
    close: () => log.close(),
  };
}
