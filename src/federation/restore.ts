import { LARGEST_MAX_STALENESS } from "../updates/staleness.ts";
import { type Store, writerSegment } from "../store/store.ts";
import { readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { firstAdapter } from "./round.ts";
import { roundClose, roundOpening } from "./protocol/messages.ts";

/**
 * Gives an empty exchange the coordinator's part of a run from a copy: its cells, the blobs that the next round needs, and the
 * head. So a run goes on after its server was lost; clients send again what was not yet in a closed round. Returns the number of restored rounds; undefined where there was nothing to restore.
 */
export async function restoreRun(exchange: Store, copy: Store): Promise<number | undefined> {
  if ((await exchange.head()) !== undefined) return undefined;
  const found = await readHead(copy);
  const head = await copy.head();
  if (found === undefined || head === undefined) return undefined;
  const { round, adapter, state } = found.head;
  const opening = await readMessage(copy, keys.opening(round + 1), roundOpening);
  // Preferences are compared with the adapter of round 0.
  const first = (await firstAdapter(copy)) ?? adapter;
  const blobs = [...new Set([first, adapter, state, ...(opening?.broadcast == null ? [] : [opening.broadcast])])];
  // With a downlink the next round's adapter is made of the one that clients hold.
  const played = await readMessage(copy, keys.opening(round), roundOpening);
  for (const each of [opening, played]) if (each?.downlink !== undefined) blobs.push(each.adapter);
  if (opening?.downlink !== undefined) blobs.push(opening.downlink.change);
  // In an asynchronous run clients still train from the adapters of earlier rounds.
  for (let earlier = round; earlier > Math.max(0, round - LARGEST_MAX_STALENESS); earlier--) {
    const before = await readMessage(copy, keys.opening(earlier), roundOpening);
    if (before?.bufferSize !== undefined) blobs.push(before.adapter);
  }
  for (const hash of blobs) await exchange.putBlob(await copy.blob(hash));
  for (const key of await copy.list("")) {
    if (writerSegment(key) === undefined) await exchange.create(key, (await copy.read(key))!);
  }
  // Last: an exchange with a head is whole.
  await exchange.setHead(0, head.bytes);
  return round;
}

/**
 * True for an update of this client in the round that is closed and not yet aggregated, as the copy of a run has it: the only
 * update that is needed after its exchange was lost, for a client whose round is open sends again.
 */
export async function isAccepted(copy: Store, update: string, client: string): Promise<boolean> {
  const round = (await readHead(copy))?.head.round ?? 0;
  const close = await readMessage(copy, keys.close(round + 1), roundClose);
  return close?.accepted.some((entry) => entry.client === client && entry.update === update) ?? false;
}

/** The updates in the last closed round of a run, by client. They stay when the run is over. */
export async function lastUpdates(store: Store): Promise<ReadonlyMap<string, readonly string[]>> {
  const round = (await readHead(store))?.head.round ?? 0;
  const close = await readMessage(store, keys.close(round), roundClose);
  return new Map(close?.accepted.map(({ client, update }) => [client, [update]]));
}
