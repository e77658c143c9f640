import type { UpdateGroups } from "../algorithms/algorithm.ts";
import { type Params, toFloat32 } from "../tensor/params.ts";
import { decodeSafetensors } from "../tensor/safetensors.ts";
import { sha256 } from "../tensor/sha256.ts";
import type { MemberStore, Store } from "../store/store.ts";
import type { Stage } from "../updates/stage.ts";
import { decodeUpdate, encodeUpdate, type UpdateContext } from "../updates/wire.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type RoundOpening, roundOpening, type RunHead } from "./protocol/messages.ts";
import { adapterBytes, type FetchedAdapter, readAdapter } from "./round.ts";
import { bytesOfUpdate, updateOfBytes } from "./update-bytes.ts";

/** The way of the adapter to the clients: the codec of its changes, and the run's seed. */
export interface Downlink {
  readonly stage: Stage;
  readonly seed: number;
}

/** The adapter that a round's clients train from, and the change that makes it of the one they hold. */
export type SentAdapter = Pick<RoundOpening, "adapter" | "downlink">;

/**
 * Stores the adapter that the clients of the round after `head` train from. Without a downlink it is the global adapter w.
 * With one it is h, which all clients hold: h ← h + C(w − h), so what C loses is in the next difference. In round 1 it is w.
 * The same cells give the same bytes.
 */
export async function adapterToSend(store: Store, head: RunHead, downlink: Downlink | undefined): Promise<SentAdapter> {
  const before = downlink && (await readMessage(store, keys.opening(head.round), roundOpening));
  if (before === undefined) return { adapter: head.adapter };
  const held = await readAdapter(store, before.adapter);
  const round = head.round + 1;
  const context = contextOf(downlink!, round, held);
  const { groups } = encodeUpdate({ adapter: await readAdapter(store, head.adapter) }, [downlink!.stage], context);
  const change = bytesOfUpdate(groups, [downlink!.stage], context);
  return {
    adapter: await store.putBlob(adapterBytes(changed(held, change, downlink!, round))),
    downlink: { global: head.adapter, base: before.adapter, change: await store.putBlob(change) },
  };
}

/** The adapters that a client holds, in a store of its own. */
export interface HeldAdapters {
  /** The bytes of the adapter that the client began a round with, if that is the one of this hash and it is here. */
  held(client: string, round: number, hash: string): Promise<Uint8Array | undefined>;
  /** Keeps the adapter that the client begins a round with, and forgets those of earlier rounds but the last. */
  hold(client: string, round: number, adapter: Uint8Array): Promise<void>;
}

/**
 * Fetches the adapter of a round: its change, where the client holds the adapter that it is a change of; else the whole. `start` is
 * the adapter that the client made of the settings; where the round begins with it, nothing is fetched.
 */
export async function fetchAdapter(
  store: MemberStore,
  opening: RoundOpening,
  client: string,
  held: HeldAdapters,
  downlink: Downlink,
  start: Params | undefined,
): Promise<FetchedAdapter> {
  const { round, adapter: hash } = opening;
  const found = (await fromChange(store, opening, client, held, downlink)) ?? (await fromStart(hash, start));
  const { bytes, fetched } = found ?? (await whole(store, hash));
  await held.hold(client, round, bytes);
  return { adapter: decodeSafetensors(bytes, `adapter ${hash}`), bytes: fetched, whole: bytes.length };
}

interface Found {
  readonly bytes: Uint8Array;
  readonly fetched: number;
}

async function whole(store: MemberStore, hash: string): Promise<Found> {
  const bytes = await store.blob(hash);
  return { bytes, fetched: bytes.length };
}

async function fromStart(hash: string, start: Params | undefined): Promise<Found | undefined> {
  const bytes = start && adapterBytes(start);
  return bytes !== undefined && (await sha256(bytes)) === hash ? { bytes, fetched: 0 } : undefined;
}

/** Undefined where the client does not hold the base, or where the change does not make the adapter that is named. */
async function fromChange(
  store: MemberStore,
  { round, adapter: hash, downlink: named }: RoundOpening,
  client: string,
  held: HeldAdapters,
  downlink: Downlink,
): Promise<Found | undefined> {
  const base = named && (await held.held(client, round - 1, named.base));
  if (base === undefined) return undefined;
  const change = await store.blob(named!.change);
  const bytes = adapterBytes(changed(decodeSafetensors(base, `adapter ${named!.base}`), change, downlink, round));
  return (await sha256(bytes)) === hash ? { bytes, fetched: change.length } : undefined;
}

/** The adapter that a change makes of `base`, in float32: on every machine the same bits. */
function changed(base: Params, change: Uint8Array, downlink: Downlink, round: number): Params {
  const context = contextOf(downlink, round, base);
  const groups: UpdateGroups = { adapter: { like: base, weighting: "uniform", combined: "mean" } };
  const sent = updateOfBytes(change, groups, [downlink.stage], context);
  return toFloat32(decodeUpdate(sent, groups, [downlink.stage], context)["adapter"]!);
}

/** No client has this name. */
const COORDINATOR = "";

function contextOf({ seed }: Downlink, round: number, received: Params): UpdateContext {
  return { seed, round, client: COORDINATOR, received };
}
