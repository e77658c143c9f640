import type { Algorithm } from "../algorithms/algorithm.ts";
import type { Store } from "../store/store.ts";
import type { Stage } from "../updates/stage.ts";
import { Judge } from "./decision.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  type AcceptedUpdate,
  clientTask,
  type Member,
  type RoundClose,
  roundClose,
  type RoundOpening,
  roundOpening,
} from "./protocol/messages.ts";
import { aged, type StalenessRule } from "./staleness.ts";

interface LateOptions {
  readonly algorithm: Algorithm;
  readonly stages?: readonly Stage[] | undefined;
  readonly late?: StalenessRule | undefined;
}

/**
 * Updates that missed the close of their round and that the close of `round` takes. It takes none of a client that has an update
 * in this or a round since, nor of one that is no member. `fresh`: the clients with an update in this round.
 */
export async function lateUpdates(
  store: Store,
  round: number,
  members: ReadonlyMap<string, Member>,
  fresh: ReadonlySet<string>,
  { algorithm, stages, late }: LateOptions,
): Promise<AcceptedUpdate[]> {
  if (late === undefined) return [];
  /** The latest round of which a client has an update that counts. */
  const latest = new Map<string, number>(Array.from(fresh, (client) => [client, round]));
  const found: AcceptedUpdate[] = [];
  for (let earlier = round - 1; earlier >= Math.max(1, round - late.most); earlier--) {
    const played = await readRound(store, earlier);
    if (played === undefined) continue;
    for (const { client, round: answered = earlier } of played.close.accepted) {
      latest.set(client, Math.max(answered, latest.get(client) ?? 0));
    }
    for (const client of await stragglers(store, played)) {
      const member = members.get(client);
      if (member === undefined || (latest.get(client) ?? 0) >= earlier) continue;
      const verdict = await new Judge(store, algorithm, played.opening, stages).verdict(client, member);
      if (verdict === undefined || "refused" in verdict) continue;
      latest.set(client, earlier);
      found.push(aged(verdict, played.opening, round, late));
    }
  }
  return found;
}

/**
 * Deletes updates that missed the close of `round` and are too old to count. One that is not usable may name any blob, such as
 * the server's state, so what it names stays.
 */
export async function forgetLate(store: Store, round: number, { algorithm, stages }: LateOptions): Promise<void> {
  const played = round < 1 ? undefined : await readRound(store, round);
  if (played === undefined) return;
  for (const client of await stragglers(store, played)) {
    const verdict = await new Judge(store, algorithm, played.opening, stages).verdict(client, { records: 1 });
    if (verdict !== undefined && "update" in verdict) await store.forget([verdict.update], client);
  }
}

interface PlayedRound {
  readonly opening: RoundOpening;
  readonly close: RoundClose;
}

async function readRound(store: Store, round: number): Promise<PlayedRound | undefined> {
  const opening = await readMessage(store, keys.opening(round), roundOpening);
  const close = await readMessage(store, keys.close(round), roundClose);
  return opening && close && { opening, close };
}

/** The clients that answered the round and that its close does not name. */
async function stragglers(store: Store, { opening, close }: PlayedRound): Promise<string[]> {
  const { round } = opening;
  if (opening.bufferSize !== undefined) return unusedTasks(store, round);
  const accepted = close.accepted.filter(({ round: answered = round }) => answered === round);
  const named = new Set([...accepted, ...close.refused].map(({ client }) => client));
  const others = opening.clients.filter((client) => !named.has(client));
  if (others.length === 0) return [];
  const written = new Set(await store.list(keys.updates(round)));
  return others.filter((client) => written.has(keys.update(round, client)));
}

/** The clients that answered a task of an asynchronous round and that no close of this or a later round names. */
async function unusedTasks(store: Store, round: number): Promise<string[]> {
  const unused = new Set(await store.list(keys.updates(round)));
  for (let later = round; unused.size > 0; later++) {
    const close = await readMessage(store, keys.close(later), roundClose);
    if (close === undefined) break;
    for (const { client, round: answered = later } of close.accepted) {
      if (answered === round) unused.delete(keys.update(round, client));
    }
  }
  const clients: string[] = [];
  for (const key of unused) {
    const task = await readMessage(store, keys.tasks(round) + key.slice(keys.updates(round).length), clientTask);
    if (task !== undefined) clients.push(task.client);
  }
  return clients;
}
