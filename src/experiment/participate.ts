import { UserError } from "../diagnostics/user-error.ts";
import { keepsOwnAdapters } from "../federation/adapter-set.ts";
import { Participant, participate } from "../federation/participant.ts";
import { PROTOCOL } from "../federation/protocol/messages.ts";
import { eventsThatHold } from "../federation/resume.ts";
import { awaitManifest } from "../federation/roster.ts";
import { keySegment, type Store } from "../store/store.ts";
import { clientEvaluation, clientHalf, memberOf } from "./parties.ts";
import type { Platform, RunStore } from "./ports.ts";
import type { Prepared } from "./prepare.ts";
import { bindRun, refuseOtherSettings, trainerFingerprints } from "./run-identity.ts";
import { openSession, type RunOptions } from "./session.ts";
import { CLIENT_ADAPTERS } from "./summary.ts";

export interface ParticipateOptions extends RunOptions {
  /** Called once all clients of this process are members of the run. */
  readonly onJoined?: (() => void) | undefined;
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
  prepared: Prepared,
  platform: Platform,
  store: RunStore,
  exchange: Store,
  options: ParticipateOptions = {},
): Promise<Participation> {
  const { trainers, clients } = prepared;
  const { onJoined, signal } = options;
  try {
    const manifest = await awaitManifest(exchange, signal);
    for (const { name } of trainers) if (!manifest.clients.includes(name)) throw unknownClient(name, manifest.clients);
    await refuseOtherSettings(prepared, manifest.settings);
    const data = await trainerFingerprints(prepared);
    await bindRun(prepared, store, platform.threads, data);
    const session = await openSession(prepared, platform, store, await eventsThatHold(exchange), options);
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
            evaluate: clientEvaluation(prepared, scoring, name),
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
      return { rounds: round, adapters: await saveAdapters(prepared, store, participants, round, adapter) };
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

async function saveAdapters(
  { config, model, algorithm }: Prepared,
  store: RunStore,
  participants: readonly Participant[],
  round: number,
  common: Parameters<RunStore["saveAdapter"]>[2],
): Promise<string[]> {
  if (!keepsOwnAdapters(algorithm, round))
    return [await store.saveAdapter("adapter", config.adapter, common, model.ref)];
  const folders: string[] = [];
  for (const participant of participants) {
    const folder = `${CLIENT_ADAPTERS}/${keySegment(participant.client)}`;
    const own = await participant.adapterAfter(round, common);
    folders.push(await store.saveAdapter(folder, config.adapter, own, model.ref));
  }
  return folders;
}

function unknownClient(name: string, clients: readonly string[]): UserError {
  return new UserError("config", `the federation has no client "${name}"`, {
    hint: `Its clients are ${clients.slice(0, 8).join(", ")}${clients.length > 8 ? ", …" : ""}.`,
  });
}
