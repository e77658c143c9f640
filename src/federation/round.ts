import type { Algorithm, Received } from "../algorithms/algorithm.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { decodeGroups, encodeGroups, encodeJson } from "../store/codec.ts";
import type { MemberStore, Store } from "../store/store.ts";
import type { Groups } from "../tensor/groups.ts";
import { firstNonFinite, type Params } from "../tensor/params.ts";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";
import { stream } from "../tensor/random.ts";
import type { AggregationContext, Aggregator } from "../updates/aggregator.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import { combine } from "../updates/combine.ts";
import type { Stage } from "../updates/stage.ts";
import { LARGEST_MAX_STALENESS, scaledChange } from "../updates/staleness.ts";
import { decodeUpdate } from "../updates/wire.ts";
import { createMessage, readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  type AcceptedUpdate,
  PROTOCOL,
  type RoundClose,
  roundClose,
  type RoundOpening,
  roundOpening,
  type RunHead,
} from "./protocol/messages.ts";
import { inAggregationOrder } from "./staleness.ts";
import { updateOfBytes } from "./update-bytes.ts";

/** The adapter stored under a hash. */
export async function readAdapter(store: MemberStore, hash: string): Promise<Params> {
  return decodeSafetensors(await store.blob(hash), `adapter ${hash}`);
}

/** An adapter as it is stored and sent. */
export function adapterBytes(adapter: Params): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(adapter, { format: "pt" });
}

function storeAdapter(store: Store, adapter: Params): Promise<string> {
  return store.putBlob(adapterBytes(adapter));
}

/** sha256 of the adapter that a run began with; undefined before it has begun. */
export async function firstAdapter(store: MemberStore): Promise<string | undefined> {
  const opening = await readMessage(store, keys.opening(1), roundOpening);
  return opening?.adapter ?? (await readHead(store))?.head.adapter;
}

function storeState(store: Store, state: Groups): Promise<string> {
  return store.putBlob(encodeGroups(state, { kind: "state" }));
}

async function readState(store: Store, hash: string): Promise<Groups> {
  return decodeGroups(await store.blob(hash), `state ${hash}`);
}

/** Writes the head of round 0. */
export async function beginRun(
  store: Store,
  algorithm: Algorithm,
  initialAdapter: Params,
  identity: string,
): Promise<void> {
  const adapter = await storeAdapter(store, initialAdapter);
  const state = await storeState(store, algorithm.init(await readAdapter(store, adapter)));
  await store.setHead(0, encodeJson({ protocol: PROTOCOL, round: 0, adapter, state, identity } satisfies RunHead));
}

/** Publishes the task of the round after `head`, or returns the one that was published. */
export async function openRound(
  store: Store,
  algorithm: Algorithm,
  head: RunHead,
  task: Omit<RoundOpening, "round" | "adapter" | "state" | "broadcast"> & { readonly adapter?: string },
): Promise<RoundOpening> {
  const round = head.round + 1;
  const extra = algorithm.broadcast(partedState(await readState(store, head.state)).algorithm, round);
  const broadcast =
    Object.keys(extra).length === 0
      ? null
      : await store.putBlob(encodeGroups(extra, { kind: "broadcast", round: String(round) }));
  const { clients, earlierRounds, learningRate, adapter = head.adapter, ...limits } = task;
  const { state } = head;
  const opening = { round, clients, earlierRounds, learningRate, adapter, state, broadcast, ...limits };
  return createMessage(store, keys.opening(round), roundOpening, opening);
}

/** A client's start of a round, and the bytes it fetched for it. */
export interface Delivery {
  readonly received: Received;
  readonly bytesDown: number;
  /** What `bytesDown` would be had the adapter come whole. */
  readonly downFloat32: number;
}

/** An adapter that a client has, and the bytes that it fetched for it. */
export interface FetchedAdapter {
  readonly adapter: Params;
  readonly bytes: number;
  /** Bytes of the whole adapter. */
  readonly whole: number;
}

/** Fetches everything a client begins a round with. `adapter`: the adapter, where it was fetched in another way. */
export async function receive(
  store: MemberStore,
  { round, adapter: hash, broadcast }: RoundOpening,
  adapter?: FetchedAdapter,
): Promise<Delivery> {
  const fetched = adapter ?? (await fetchWhole(store, hash));
  const extraBytes = broadcast === null ? undefined : await store.blob(broadcast);
  const extra = extraBytes?.length ?? 0;
  return {
    received: {
      round,
      adapter: fetched.adapter,
      extra: extraBytes === undefined ? {} : decodeGroups(extraBytes, `broadcast ${broadcast}`),
    },
    bytesDown: fetched.bytes + extra,
    downFloat32: fetched.whole + extra,
  };
}

async function fetchWhole(store: MemberStore, hash: string): Promise<FetchedAdapter> {
  const bytes = await store.blob(hash);
  return { adapter: decodeSafetensors(bytes, `adapter ${hash}`), bytes: bytes.length, whole: bytes.length };
}

/** The commit point: from here on the round consists of these updates. Returns the decision that was first. */
export function closeRound(store: Store, decision: RoundClose): Promise<RoundClose> {
  return createMessage(store, keys.close(decision.round), roundClose, decision);
}

/** Rules that make one update of many. The coordinator and the clients of a run have the same stages and seed. */
export interface AggregationRules {
  /** Default: the mean. */
  readonly aggregator?: Aggregator | undefined;
  /** Default: none. */
  readonly stages?: readonly Stage[] | undefined;
  readonly seed: number;
  /** What the aggregator may ask for. Default: nothing. */
  readonly aggregation?: Pick<AggregationContext, "scales" | "trusted"> | undefined;
}

/** Groups of the server's state that belong to the aggregator. */
const AGGREGATOR = "aggregator.";

/** Parts the algorithm's groups of the server's state from the aggregator's, which lose the beginning of their names. */
function partedState(state: Groups): { readonly algorithm: Groups; readonly aggregator: Groups } {
  const all = Object.entries(state);
  const kept = all.filter(([name]) => name.startsWith(AGGREGATOR));
  return {
    algorithm: Object.fromEntries(all.filter((group) => !kept.includes(group))),
    aggregator: Object.fromEntries(kept.map(([name, params]) => [name.slice(AGGREGATOR.length), params])),
  };
}

/** Reads an accepted update, its stages undone. `global`: the adapter that the round of the close began with. */
export async function readUpdate(
  store: Store,
  { update: groupsOf }: Pick<Algorithm, "update">,
  round: number,
  { client, update, round: answered = round, base }: Omit<AcceptedUpdate, "records" | "loss" | "count">,
  global: Params,
  { stages = [], seed }: Pick<AggregationRules, "stages" | "seed">,
): Promise<Groups> {
  const received = base === undefined ? global : await readAdapter(store, base);
  const groups = groupsOf(received, answered);
  const place = { round: answered, client };
  const wire = updateOfBytes(await store.blob(update, client), groups, stages, place);
  return decodeUpdate(wire, groups, stages, { seed, ...place, received });
}

/** An accepted update as it is aggregated: of one from another adapter, its scaled change from there, put on `global`. */
async function contribution(
  store: Store,
  algorithm: Algorithm,
  round: number,
  entry: AcceptedUpdate,
  global: Params,
  rules: AggregationRules,
): Promise<Groups> {
  const update = await readUpdate(store, algorithm, round, entry, global, rules);
  const { base, factor = 1 } = entry;
  if (base === undefined) return update;
  const from = await readAdapter(store, base);
  return { ...update, adapter: scaledChange(update["adapter"]!, from, factor, global) };
}

/**
 * Aggregates the accepted updates of a closed round in the order of their clients, and stores the result. The aggregator decides
 * how many updates are in memory at a time. `report` takes what a robust rule made of each update. Returns the next head, for
 * `advanceHead`. A round that failed leaves adapter and state as they were.
 *
 * @throws UserError of kind `training` where the result is not finite.
 */
export async function aggregate(
  store: Store,
  algorithm: Algorithm,
  head: RunHead,
  { round, accepted, failed }: RoundClose,
  population: number,
  rules: AggregationRules,
  report?: AggregationContext["report"],
): Promise<RunHead> {
  if (failed !== undefined) return { ...head, round };
  const { aggregator = aggregatorOf() } = rules;
  const global = await readAdapter(store, head.adapter);
  // With a downlink the clients trained from another adapter than the global one.
  const opening = await readMessage(store, keys.opening(round), roundOpening);
  const base = opening?.downlink && opening.adapter;
  const entries = inAggregationOrder(accepted).map((entry) => ({ ...(base !== undefined && { base }), ...entry }));
  const read = (place: number): Promise<Groups> =>
    contribution(store, algorithm, round, entries[place]!, global, rules);
  const before = partedState(await readState(store, head.state));
  let kept = before.aggregator;
  const combined = await combine(
    aggregator,
    algorithm.update(global, round),
    { entries, read },
    {
      ...rules.aggregation,
      round,
      global,
      random: (...key) => stream(rules.seed, "aggregation", round, ...key),
      kept,
      keep: (groups) => (kept = groups),
      report,
    },
  );
  const server = { round, global, state: before.algorithm, population, participants: accepted.length };
  const result = algorithm.apply(server, combined);
  const tensor = firstNonFinite(result.global);
  if (tensor !== undefined) {
    throw new UserError("training", `The aggregate of round ${round} is not finite, in tensor ${tensor}.`, {
      hint: `${head.round === 0 ? "" : `Rounds up to ${head.round} are safe. `}A lower learning rate helps most often.`,
    });
  }
  const adapter = await storeAdapter(store, result.global);
  const own = Object.entries(kept).map(([name, params]) => [`${AGGREGATOR}${name}`, params]);
  const state = await storeState(store, { ...result.state, ...Object.fromEntries(own) });
  return { ...head, round, adapter, state };
}

/** Moves the head from `revision` to `next`. Throws a `UserError` of kind `storage` where another process moved it elsewhere. */
export async function advanceHead(store: Store, revision: number, next: RunHead): Promise<void> {
  if (await store.setHead(revision, encodeJson(next))) return;
  const found = await readHead(store);
  if (found !== undefined && JSON.stringify(found.head) === JSON.stringify(next)) return;
  throw new UserError("storage", `Another process works in this run folder: round ${next.round} is not where it was.`, {
    hint: "Wait for the other process, or choose another run folder.",
  });
}

/**
 * Deletes the accepted updates, the broadcast and the change of a round; nothing of a later round needs them. A refused submission may
 * name any blob, such as the server's state, so what it names stays.
 */
export async function forgetRound(store: Store, round: number): Promise<void> {
  const opening = await readMessage(store, keys.opening(round), roundOpening);
  const close = await readMessage(store, keys.close(round), roundClose);
  if (opening === undefined || close === undefined) return;
  for (const { client, update } of close.accepted) await store.forget([update], client);
  if (opening.broadcast !== null) await store.forget([opening.broadcast]);
  if (opening.downlink !== undefined) await store.forget([opening.downlink.change]);
}

export interface Retirement {
  /** An update of so many rounds before still counts: adapters of those rounds stay. */
  readonly oldest: number;
  /** Retires again what earlier rounds left: a process may have died, or the store was restored. Default: false. */
  readonly sweep?: boolean | undefined;
}

/**
 * Retires the adapters and server states that nobody needs once the head stands. The adapter that the round of the head began with
 * stays: a client may be fetching it. The same bytes may be of several rounds, so what a later round needs stays.
 */
export async function retireRounds(store: Store, head: RunHead, { oldest, sweep }: Retirement): Promise<void> {
  if (store.retire === undefined) return;
  const { round } = head;
  const newest = round - 1 - oldest;
  // Preferences are compared with the adapter that the run started from, by clients that join late, too.
  const first = await readMessage(store, keys.opening(1), roundOpening);
  const needed = new Set([head.adapter, head.state, ...(first === undefined ? [] : [first.adapter])]);
  const old = new Set<string>();
  for (let earlier = Math.max(1, newest - (sweep ? LARGEST_MAX_STALENESS : 0)); earlier <= round; earlier++) {
    const opening = await readMessage(store, keys.opening(earlier), roundOpening);
    if (opening === undefined) continue;
    for (const hash of [opening.adapter, opening.downlink?.global ?? opening.adapter]) {
      (earlier <= newest ? old : needed).add(hash);
    }
    if (opening.state !== undefined && (sweep || earlier === round)) old.add(opening.state);
  }
  await store.retire([...old].filter((hash) => !needed.has(hash)));
}
