import { UserError } from "../diagnostics/user-error.ts";
import { coordinate } from "../federation/coordinate.ts";
import { PROTOCOL } from "../federation/protocol/messages.ts";
import { eventsThatHold, isOver } from "../federation/resume.ts";
import { type Declined, gatherRoster, publishManifest } from "../federation/roster.ts";
import { checkGrading } from "./evaluation/benchmarks.ts";
import { clientNames } from "./records/client-records.ts";
import { aggregationTools } from "./aggregation.ts";
import { coordinatorEvaluation, coordinatorRules } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import { coordinatorPrivacy } from "./private-parties.ts";
import type { Prepared } from "./prepare.ts";
import { bindRun, refuseOtherSettings, sharedSettings } from "./run-identity.ts";
import { finishRun, readSummary } from "./finish-run.ts";
import { roundKeeper, saveRoundAdapter } from "./save-adapters.ts";
import { openSession, type RunOptions } from "./session.ts";
import type { RunSummary } from "./results/summary.ts";

export interface CoordinateOptions extends RunOptions {
  /** Called with the clients that are awaited, each time there is nothing else to do. */
  readonly onWaiting?:
    | ((what: "members" | "answers", clients: readonly string[], milliseconds?: number) => void)
    | undefined;
  /** Seconds that a round waits for its clients once `federation.minClients` have answered. Default: for all of them. */
  readonly deadlineSeconds?: number | undefined;
  /** Called once for each client that declined before the run began. */
  readonly onDeclined?: ((declined: Declined) => void) | undefined;
  /** Clients that were enrolled since the run was published. They may join for a later round. */
  readonly newcomers?: (() => readonly string[]) | undefined;
  /** Clients that the operator has put out: their updates are refused. */
  readonly revoked?: (() => ReadonlySet<string>) | undefined;
  /** Clients that ended their membership of the federation themselves: what they sent before counts. */
  readonly departed?: (() => ReadonlySet<string>) | undefined;
  /** Clients that are connected: a round's clients are drawn from them first. Default: all. */
  readonly available?: (() => ReadonlySet<string>) | undefined;
}

/**
 * Plays the coordinator's half of an experiment in a run store, or goes on with it. The participants are processes of
 * their own and meet it in `store.exchange`. `prepared`: of the part `coordinator`. The adapter is that of
 * `runExperiment` with the same settings, byte for byte.
 *
 * @throws UserError: `config` for a configuration that does not name its clients and for a store with another run in it,
 * and those of `coordinate`.
 */
export async function coordinateExperiment(
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  options: CoordinateOptions = {},
): Promise<RunSummary> {
  const { config } = prepared;
  const { onWaiting, onDeclined, signal, revoked, departed, available } = options;
  const { joinDeadline, minClients, roundDeadline } = config.federation;
  const deadlineSeconds = options.deadlineSeconds ?? roundDeadline;
  checkGrading(config, options.grading);
  const names = checkedNames(prepared);
  const manifest = await publishManifest(store.exchange, {
    protocol: PROTOCOL,
    algorithm: config.federation.algorithm,
    clients: names,
    settings: await sharedSettings(prepared),
  });
  await refuseOtherSettings(prepared, manifest.settings, "coordinator");
  const members = await gatherRoster(store.exchange, manifest.clients, {
    signal,
    onDeclined,
    revoked,
    departed,
    deadlineSeconds: joinDeadline,
    minClients,
    onWaiting: (clients) => onWaiting?.("members", clients),
  }).catch((error: unknown) => {
    if (!signal?.aborted || error !== signal.reason) throw error;
    throw new UserError("interrupted", "Stopped before all participants had joined; those that joined stay members.", {
      hint: "Run the same command again to continue.",
      cause: error,
    });
  });
  const earlier = await readSummary(store);
  const data = members.map((member) => member.data);
  const identity = await bindRun(prepared, store, platform.threads, data, "parties");
  const rules = { store: store.exchange, ...coordinatorRules(prepared) };
  const holds = await eventsThatHold(store.exchange, !(await isOver(rules)));
  const session = await openSession(prepared, platform, store, holds, options);
  const { log, engines, initialAdapter, scoring } = session;
  try {
    await saveRoundAdapter(prepared, store, log, 0, initialAdapter);
    const keeper = roundKeeper(prepared, store, log);
    const privacy = await coordinatorPrivacy(prepared, store, identity, names.length);
    const outcome = await coordinate(
      {
        ...rules,
        aggregation: aggregationTools(prepared, engines),
        ...privacy,
        initialAdapter,
        identity,
        members,
        newcomers: () => [...manifest.clients, ...(options.newcomers?.() ?? [])],
        revoked,
        departed,
        available,
        deadlineSeconds,
        extendDeadline: config.federation.extendDeadline,
        evaluate: coordinatorEvaluation(prepared, scoring),
        onRound: keeper.keep,
        events: log.events,
        signal,
      },
      (clients, milliseconds) => onWaiting?.("answers", clients, milliseconds),
    );
    return await finishRun(prepared, outcome, { ...scoring, log, keeper, earlier, signal });
  } finally {
    await session.close();
  }
}

function checkedNames({ config, algorithm }: Prepared): readonly string[] {
  const names = clientNames(config);
  if (algorithm.data === "pooled") {
    throw new UserError("config", `${algorithm.name} pools all records, and participants keep theirs`, {
      hint: "Run this baseline in one process: openfedllm run.",
    });
  }
  if (names === undefined) {
    throw new UserError(
      "config",
      "a coordinator has to know its clients, and the configuration deals out pooled records",
      {
        hint: "List the participants under data.clients.",
      },
    );
  }
  return names;
}
