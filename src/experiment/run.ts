import { eventsThatHold, isOver } from "../federation/resume.ts";
import { simulate } from "../federation/simulate.ts";
import { checkGrading } from "./evaluation/benchmarks.ts";
import { aggregationTools } from "./aggregation.ts";
import { finishRun, readSummary } from "./finish-run.ts";
import { clientEvaluation, clientHalf, coordinatorEvaluation, coordinatorRules, memberOf } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import { coordinatorPrivacy } from "./private-parties.ts";
import type { Prepared } from "./prepare.ts";
import { hostileOf } from "./records/attack.ts";
import { bindRun, inStoredOrder, trainerFingerprints } from "./run-identity.ts";
import { roundKeeper, saveRoundAdapter } from "./save-adapters.ts";
import { openSession, type RunOptions } from "./session.ts";
import type { RunSummary } from "./results/summary.ts";

/**
 * Runs a prepared experiment in a run store, or continues the run that is in it. Killed anywhere and called again, it
 * ends with the same adapter, byte for byte.
 *
 * @throws UserError: `config` for a store with another run in it, and those of `simulate`.
 */
export async function runExperiment(
  given: Prepared,
  platform: Platform,
  store: RunStore,
  options: RunOptions = {},
): Promise<RunSummary> {
  const prepared = await inStoredOrder(given, store);
  const { clients, trainers } = prepared;
  checkGrading(prepared.config, options.grading);
  const data = await trainerFingerprints(prepared);
  const identity = await bindRun(prepared, store, platform.threads, data, "one process");
  const earlier = await readSummary(store);
  const rules = { store: store.exchange, ...coordinatorRules(prepared) };
  const holds = await eventsThatHold(store.exchange, !(await isOver(rules)));
  const session = await openSession(prepared, platform, store, holds, options);
  const { log, engines, initialAdapter, scoring } = session;
  const { events } = log;
  const { signal } = options;
  try {
    for (const { name, report } of clients) events.emit({ type: "data-report", client: name, ...report });
    await saveRoundAdapter(prepared, store, log, 0, initialAdapter);
    const keeper = roundKeeper(prepared, store, log);
    const privacy = await coordinatorPrivacy(prepared, store, identity, trainers.length);
    const outcome = await simulate({
      ...rules,
      hostile: hostileOf(
        prepared.config,
        trainers.map(({ name }) => name),
      ),
      aggregation: aggregationTools(prepared, engines),
      ...privacy,
      ...clientHalf(prepared, engines, store.clientStore, store.exchange),
      initialAdapter,
      identity,
      clients: trainers.map((trainer, i) => ({ ...memberOf(trainer), data: data[i]! })),
      evaluate: coordinatorEvaluation(prepared, scoring),
      evaluateClient: (client) => clientEvaluation(prepared, scoring, client),
      onRound: keeper.keep,
      events,
      signal,
    });
    return await finishRun(prepared, outcome, { ...scoring, log, keeper, earlier, signal });
  } finally {
    await session.close();
  }
}
