import { UserError } from "../diagnostics/user-error.ts";
import { type AdapterSet, commonAdapter, keepsOwnAdapters, ownAdapters } from "../federation/adapter-set.ts";
import type { Evaluate } from "../federation/evaluation.ts";
import { Participant } from "../federation/participant.ts";
import { participate } from "../federation/participate.ts";
import { PROTOCOL } from "../federation/protocol/messages.ts";
import { eventsThatHold } from "../federation/resume.ts";
import { awaitManifest } from "../federation/roster.ts";
import { readAdapter } from "../federation/round.ts";
import type { RunEvent } from "../federation/events.ts";
import type { MemberStore } from "../store/store.ts";
import { clientEvaluation, clientHalf, memberOf } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { bindRun, inStoredOrder, refuseOtherSettings, startOf, trainerFingerprints } from "./run-identity.ts";
import { openSession, type RunOptions } from "./session.ts";
import { FINAL_ADAPTER } from "./results/summary.ts";
import { saveFinalAdapters } from "./save-adapters.ts";
import type { Params } from "../tensor/params.ts";

export interface ParticipateOptions extends RunOptions {
  /** Called once all clients of this process are members of the run. */
  readonly onJoined?: (() => void) | undefined;
  /** Called before the scores of a round are worked out, and after. */
  readonly onScoring?: ((round: number, state: "begun" | "done") => void) | undefined;
  /** True where the coordinator takes in clients that its manifest does not name. */
  readonly mayBeNew?: boolean | undefined;
  readonly limits?: SiteLimits | undefined;
}

/** The limits that a site sets for itself. */
export interface SiteLimits {
  /** False: no score leaves the site. */
  readonly scores: boolean;
  /** Fewest held-out records for a score to leave the site. */
  readonly minScoreRecords: number;
  /** Seconds of training in one run; afterwards the site refuses further rounds. Default: no limit. */
  readonly maxSeconds?: number | undefined;
}

/** The end of a run as a participant sees it. */
export interface Participation {
  readonly rounds: number;
  /** Folders of the saved adapters in the participant's own store. */
  readonly adapters: readonly string[];
}

/**
 * Plays the half of the clients in this process until the run is over. `store` is the participant's own; it meets the
 * coordinator in `exchange`. `prepared`: of the part `participant`.
 *
 * @throws UserError: `config` where the federation has other settings or no such client, `data` where the records have
 * changed since the client joined, `interrupted` once `signal` stops it.
 */
export async function participateInExperiment(
  given: Prepared,
  platform: Platform,
  store: RunStore,
  exchange: MemberStore,
  options: ParticipateOptions = {},
): Promise<Participation> {
  const prepared = await inStoredOrder(given, store);
  const { trainers, clients } = prepared;
  const { onJoined, mayBeNew = false, limits = NO_LIMITS, signal } = options;
  const clock = trainingClock(limits);
  try {
    const manifest = await awaitManifest(exchange, signal);
    const strangers = mayBeNew ? [] : trainers.filter(({ name }) => !manifest.clients.includes(name));
    for (const { name } of strangers) throw unknownClient(name, manifest.clients);
    await refuseOtherSettings(prepared, manifest.settings, "participant");
    const data = await trainerFingerprints(prepared);
    await bindRun(prepared, store, platform.threads, data, "parties");
    const hooks: RunOptions = {
      ...options,
      emit: (event) => {
        clock.event(event);
        options.emit?.(event);
      },
    };
    const startsFrom = startOf(manifest.settings);
    const first = startsFrom === undefined ? undefined : () => readAdapter(exchange, startsFrom);
    const session = await openSession(prepared, platform, store, await eventsThatHold(exchange), hooks, first);
    const { engines, scoring } = session;
    const { events } = session.log;
    try {
      for (const { name, report } of clients) events.emit({ type: "data-report", client: name, ...report });
      const half = clientHalf(prepared, engines, store.clientStore, exchange);
      const participants = trainers.map(
        ({ name }) =>
          new Participant({
            store: exchange,
            client: name,
            ...half,
            ...(limits.scores && {
              evaluate: told(clientEvaluation(withMinRecords(prepared, limits), scoring, name), options),
            }),
            refuseRound: async (...round) => clock.refuse() ?? (await half.refuseRound?.(...round)),
            startsFrom,
            events,
            signal,
          }),
      );
      for (const [i, participant] of participants.entries()) {
        const { records, heldOut } = memberOf(trainers[i]!);
        await participant.join({ protocol: PROTOCOL, records, heldOut, data: data[i]! });
      }
      onJoined?.();
      const { round, adapter } = await participate(exchange, participants, signal);
      const own = await saveFinalAdapters(prepared, store, finalAdapters(prepared, participants, round, adapter));
      return { rounds: round, adapters: own === undefined ? [FINAL_ADAPTER] : Object.values(own) };
    } finally {
      await session.close();
    }
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    throw new UserError("interrupted", "Stopped; everything that was sent is kept.", {
      hint: "Run the same command again to continue.",
      cause: error,
    });
  }
}

/** The same scores, with a word before and after. */
function told(evaluate: Evaluate, { onScoring }: ParticipateOptions): Evaluate {
  return async (what) => {
    onScoring?.(what.round, "begun");
    const scores = await evaluate(what);
    onScoring?.(what.round, "done");
    return scores;
  };
}

const NO_LIMITS: SiteLimits = { scores: true, minScoreRecords: 1 };

/** The federation's minimum of held-out records, or the site's where that is larger. */
function withMinRecords(prepared: Prepared, { minScoreRecords }: SiteLimits): Prepared {
  const { config } = prepared;
  const minRecords = Math.max(config.evaluation.minRecords ?? 1, minScoreRecords);
  return { ...prepared, config: { ...config, evaluation: { ...config.evaluation, minRecords } } };
}

/** Counts the seconds of training, those before a restart too, and refuses rounds beyond the site's limit. */
function trainingClock({ maxSeconds = Number.POSITIVE_INFINITY }: SiteLimits) {
  let seconds = 0;
  return {
    event(event: RunEvent): void {
      if (event.type === "client-step") seconds += event.seconds;
    },
    refuse: (): string | undefined =>
      seconds < maxSeconds
        ? undefined
        : `the site's limit of ${(maxSeconds / 3600).toFixed(2)} hours of training is reached`,
  };
}

/** The adapters that the clients of this process end with. */
function finalAdapters(
  { algorithm }: Prepared,
  participants: readonly Participant[],
  round: number,
  common: Params,
): AdapterSet {
  if (!keepsOwnAdapters(algorithm, round)) return commonAdapter(common);
  const byName = new Map(participants.map((participant) => [participant.client, participant]));
  return ownAdapters([...byName.keys()], (client) => byName.get(client)!.adapterAfter(round, common));
}

function unknownClient(name: string, clients: readonly string[]): UserError {
  return new UserError("config", `the federation has no client "${name}"`, {
    hint: `Its clients are ${clients.slice(0, 8).join(", ")}${clients.length > 8 ? ", …" : ""}.`,
  });
}
