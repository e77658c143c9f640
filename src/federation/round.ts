import type { Algorithm, Received } from "../algorithms/algorithm.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { decodeGroups, encodeGroups, encodeJson } from "../store/codec.ts";
import { BlobError, type MemberStore, type Store } from "../store/store.ts";
import type { Groups } from "../tensor/groups.ts";
import { firstNonFinite, type Params } from "../tensor/params.ts";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";
import type { Aggregator } from "../updates/aggregator.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import type { Stage } from "../updates/stage.ts";
import { decodeUpdate, wireShape } from "../updates/wire.ts";
import { problemWith } from "./check-update.ts";
import { createMessage, parseMessage, readHead, readMessage } from "./protocol/cells.ts";
import { MismatchError } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import {
  type Member,
  PROTOCOL,
  type RoundClose,
  roundClose,
  type RoundOpening,
  roundOpening,
  type RunHead,
  type Submission,
  submission,
  type SubmittedUpdate,
} from "./protocol/messages.ts";

/** The adapter stored under a hash. */
export async function readAdapter(store: MemberStore, hash: string): Promise<Params> {
  return decodeSafetensors(await store.blob(hash), `adapter ${hash}`);
}

function storeAdapter(store: Store, adapter: Params): Promise<string> {
  return store.putBlob(encodeSafetensors(adapter, { format: "pt" }));
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
  task: Pick<RoundOpening, "clients" | "earlierRounds" | "learningRate">,
): Promise<RoundOpening> {
  const round = head.round + 1;
  const extra = algorithm.broadcast(await readState(store, head.state));
  const broadcast =
    Object.keys(extra).length === 0
      ? null
      : await store.putBlob(encodeGroups(extra, { kind: "broadcast", round: String(round) }));
  return createMessage(store, keys.opening(round), roundOpening, { round, ...task, adapter: head.adapter, broadcast });
}

/** A client's start of a round, and the bytes it fetched for it. */
export interface Delivery {
  readonly received: Received;
  readonly bytesDown: number;
}

/** Fetches everything a client begins a round with. */
export async function receive(store: MemberStore, { adapter, broadcast }: RoundOpening): Promise<Delivery> {
  const adapterBytes = await store.blob(adapter);
  const extraBytes = broadcast === null ? undefined : await store.blob(broadcast);
  return {
    received: {
      adapter: decodeSafetensors(adapterBytes, `adapter ${adapter}`),
      extra: extraBytes === undefined ? {} : decodeGroups(extraBytes, `broadcast ${broadcast}`),
    },
    bytesDown: adapterBytes.length + (extraBytes?.length ?? 0),
  };
}

/** A client's submission to a round; undefined where there is none. A malformed one is a refusal. */
export async function readSubmission(store: Store, round: number, client: string): Promise<Submission | undefined> {
  const bytes = await store.read(keys.update(round, client));
  if (bytes === undefined) return undefined;
  try {
    const found = parseMessage(bytes, submission);
    if (found.client !== client) return { client, refused: "its message names another client" };
    return "refused" in found ? { client, refused: asLine(found.refused) } : found;
  } catch (error) {
    if (error instanceof MismatchError) return { client, refused: `its message is malformed: ${error.message}` };
    throw error;
  }
}

/** Text of another party in one line of bounded length, without control characters. */
function asLine(text: string): string {
  const line = text.replaceAll(/\p{Cc}+/gu, " ").trim();
  return line.length <= LONGEST_REASON ? line : `${line.slice(0, LONGEST_REASON)}…`;
}

const LONGEST_REASON = 300;

/** Decides which updates are in a round, or returns the stored decision. One update is in memory at a time. */
export async function decideRound(
  store: Store,
  algorithm: Algorithm,
  opening: RoundOpening,
  members: readonly Member[],
  stages: readonly Stage[] = [],
): Promise<RoundClose> {
  const { round, clients, adapter: base } = opening;
  const closed = await readMessage(store, keys.close(round), roundClose);
  if (closed !== undefined) return closed;
  const expected = wireShape(algorithm.update(await readAdapter(store, base)), stages);
  const accepted: RoundClose["accepted"][number][] = [];
  const refused: RoundClose["refused"][number][] = [];
  for (const client of [...clients].sort()) {
    const found = await readSubmission(store, round, client);
    if (found === undefined) continue;
    if ("refused" in found) {
      refused.push(found);
      continue;
    }
    const { update, loss, count } = found;
    const problem =
      found.base !== base
        ? `it was trained from another adapter (${found.base})`
        : Number.isFinite(loss)
          ? await problemWithBlob(store, found, expected)
          : `its training loss is ${loss}`;
    if (problem !== undefined) refused.push({ client, refused: problem });
    else accepted.push({ client, update, records: recordsOf(members, client), loss, count });
  }
  return { round, accepted, refused };
}

/** The weight of a client is the number of records that it joined with, whatever it says later. */
function recordsOf(members: readonly Member[], client: string): number {
  const records = members.find((member) => member.client === client)?.records;
  if (records === undefined) throw new Error(`${client} is not in the roster`);
  return records;
}

async function problemWithBlob(
  store: Store,
  { update, client }: SubmittedUpdate,
  expected: Groups,
): Promise<string | undefined> {
  try {
    return problemWith(decodeGroups(await store.blob(update, client), "the update"), expected);
  } catch (error) {
    // The bytes are another party's. A store that does not answer is another matter, and ends the step.
    if (error instanceof BlobError || (error instanceof UserError && error.kind === "model")) return error.message;
    throw error;
  }
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
}

/** Reads an accepted update, its stages undone. `received`: the adapter that the round began with. */
export async function readUpdate(
  store: Store,
  round: number,
  { client, update }: Pick<RoundClose["accepted"][number], "client" | "update">,
  received: Params,
  { stages = [], seed }: Pick<AggregationRules, "stages" | "seed">,
): Promise<Groups> {
  const wire = decodeGroups(await store.blob(update, client), `the update of client ${client}`);
  return decodeUpdate(wire, stages, { seed, round, client, received });
}

/**
 * Aggregates the accepted updates of a closed round in their order, one in memory at a time, and stores the result.
 * Returns the next head, for `advanceHead`.
 *
 * @throws UserError of kind `training` where the result is not finite.
 */
export async function aggregate(
  store: Store,
  algorithm: Algorithm,
  head: RunHead,
  { round, accepted }: RoundClose,
  population: number,
  rules: AggregationRules,
): Promise<RunHead> {
  const { aggregator = aggregatorOf() } = rules;
  const global = await readAdapter(store, head.adapter);
  let aggregation = aggregator.start(algorithm.update(global));
  for (const entry of accepted) {
    aggregation = aggregation.add(await readUpdate(store, round, entry, global, rules), entry.records);
  }
  const server = { global, state: await readState(store, head.state), population, participants: accepted.length };
  const result = algorithm.apply(server, aggregation.finish());
  const tensor = firstNonFinite(result.global);
  if (tensor !== undefined) {
    throw new UserError("training", `The aggregate of round ${round} is not finite, in tensor ${tensor}.`, {
      hint: `Rounds up to ${head.round} are safe. A lower learning rate helps most often.`,
    });
  }
  const adapter = await storeAdapter(store, result.global);
  return { ...head, round, adapter, state: await storeState(store, result.state) };
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
 * Deletes the accepted updates and the broadcast of a round; nothing of a later round needs them. A refused submission may
 * name any blob, such as the server's state, so what it names stays.
 */
export async function forgetRound(store: Store, round: number): Promise<void> {
  const opening = await readMessage(store, keys.opening(round), roundOpening);
  const close = await readMessage(store, keys.close(round), roundClose);
  if (opening === undefined || close === undefined) return;
  for (const { client, update } of close.accepted) await store.forget([update], client);
  if (opening.broadcast !== null) await store.forget([opening.broadcast]);
}
