import type { Algorithm } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { firstNonFinite, type Params } from "../tensor/params.ts";
import { decodeSafetensors, encodeSafetensors } from "../tensor/safetensors.ts";
import { problemWith } from "./check-update.ts";
import type { Delivery } from "./client.ts";
import { decodeGroups, encodeGroups, encodeJson } from "../store/codec.ts";
import type { Store } from "../store/store.ts";
import {
  cells,
  createMessage,
  readHead,
  readMessage,
  type RoundClose,
  type RoundOpening,
  type RunHead,
  type SelfRefusal,
  type Submission,
  type SubmittedUpdate,
} from "./messages.ts";

/** The adapter stored under a hash. */
export async function readAdapter(exchange: Store, hash: string): Promise<Params> {
  return decodeSafetensors(await exchange.blob(hash), `adapter ${hash}`);
}

function storeAdapter(exchange: Store, adapter: Params): Promise<string> {
  return exchange.putBlob(encodeSafetensors(adapter, { format: "pt" }));
}

function storeState(exchange: Store, state: Groups): Promise<string> {
  return exchange.putBlob(encodeGroups(state, { kind: "state" }));
}

async function readState(exchange: Store, hash: string): Promise<Groups> {
  return decodeGroups(await exchange.blob(hash), `state ${hash}`);
}

/**
 * The run's head, made from `initialAdapter` where there is none yet. Throws a `UserError` of kind `config` where the
 * exchange holds a run with another `config`.
 */
export async function openRun(
  exchange: Store,
  algorithm: Algorithm,
  initialAdapter: Params,
  config: string,
): Promise<{ readonly head: RunHead; readonly resumed: boolean }> {
  const found = await readHead(exchange);
  if (found === undefined) {
    const adapter = await storeAdapter(exchange, initialAdapter);
    const state = await storeState(exchange, algorithm.init(await readAdapter(exchange, adapter)));
    await exchange.setHead(0, encodeJson({ round: 0, adapter, state, config } satisfies RunHead));
  }
  const { head } = found ?? (await readHead(exchange))!;
  if (head.config !== config) {
    throw new UserError("config", `The run folder holds a run with other settings, ${head.round} rounds of it done.`, {
      hint: "Go back to the settings it was started with, or choose another run folder.",
    });
  }
  return { head, resumed: found !== undefined };
}

/** Publishes the task of the round after `head`, or returns the one that was published. */
export async function openRound(
  exchange: Store,
  algorithm: Algorithm,
  head: RunHead,
  clients: readonly string[],
  learningRate: number,
): Promise<RoundOpening> {
  const round = head.round + 1;
  const extra = algorithm.broadcast(await readState(exchange, head.state));
  const broadcast =
    Object.keys(extra).length === 0
      ? null
      : await exchange.putBlob(encodeGroups(extra, { kind: "broadcast", round: String(round) }));
  return createMessage<RoundOpening>(exchange, cells.opening(round), {
    round,
    clients,
    learningRate,
    adapter: head.adapter,
    broadcast,
  });
}

/** Fetches what the clients of a round begin with. */
export async function receive(exchange: Store, { adapter, broadcast }: RoundOpening): Promise<Delivery> {
  const adapterBytes = await exchange.blob(adapter);
  const extraBytes = broadcast === null ? undefined : await exchange.blob(broadcast);
  return {
    received: {
      adapter: decodeSafetensors(adapterBytes, `adapter ${adapter}`),
      extra: extraBytes === undefined ? {} : decodeGroups(extraBytes, `broadcast ${broadcast}`),
    },
    bytesDown: adapterBytes.length + (extraBytes?.length ?? 0),
  };
}

/** What closing the round now would decide, or what closing it did decide. One update is in memory at a time. */
export async function judgeRound(
  exchange: Store,
  algorithm: Algorithm,
  { round, clients, adapter: base }: RoundOpening,
  { received }: Delivery,
): Promise<RoundClose> {
  const closed = (await readMessage(exchange, cells.close(round))) as RoundClose | undefined;
  if (closed !== undefined) return closed;
  // Any result has the right shapes.
  const { adapter } = received;
  const unchanged = { before: adapter, after: adapter, steps: 1, learningRateSum: 1, gradientMean: adapter };
  const expected = algorithm.report(unchanged, received, {}).update;
  const accepted: SubmittedUpdate[] = [];
  const refused: SelfRefusal[] = [];
  for (const client of [...clients].sort()) {
    const submission = (await readMessage(exchange, cells.update(round, client))) as Submission | undefined;
    if (submission === undefined) continue;
    const problem =
      "refused" in submission
        ? submission.refused
        : submission.base === base
          ? problemWithBytes(await exchange.blob(submission.update), expected)
          : `it was trained from another adapter (${submission.base})`;
    if (problem !== undefined) refused.push({ client, refused: problem });
    else if (!("refused" in submission)) accepted.push({ ...submission, client });
  }
  return { round, accepted, refused };
}

function problemWithBytes(bytes: Uint8Array, expected: Groups): string | undefined {
  let update: Groups;
  try {
    update = decodeGroups(bytes, "the update");
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return problemWith(update, expected);
}

/** The commit point: from here on the round consists of these updates. Returns the decision that was first. */
export function closeRound(exchange: Store, decision: RoundClose): Promise<RoundClose> {
  return createMessage(exchange, cells.close(decision.round), decision);
}

/**
 * Aggregates the accepted updates of a closed round, one at a time, in their order, and stores the result. Returns the
 * head that `commit` makes true. Throws a `UserError` of kind `training` where the result is not finite.
 */
export async function aggregate(
  exchange: Store,
  algorithm: Algorithm,
  head: RunHead,
  close: RoundClose,
  population: number,
): Promise<RunHead> {
  let sum = algorithm.start({
    global: await readAdapter(exchange, head.adapter),
    state: await readState(exchange, head.state),
    population,
  });
  for (const { client, update, records } of close.accepted) {
    const groups = decodeGroups(await exchange.blob(update), `the update of client ${client}`);
    sum = algorithm.absorb(sum, groups, records);
  }
  const { global, state } = algorithm.finish(sum);
  const bad = firstNonFinite(global);
  if (bad !== undefined) {
    throw new UserError("training", `The aggregate of round ${close.round} is not finite, in tensor ${bad}.`, {
      hint: `Rounds up to ${head.round} are safe. A lower learning rate helps most often.`,
    });
  }
  const adapter = await storeAdapter(exchange, global);
  return { round: close.round, adapter, state: await storeState(exchange, state), config: head.config };
}

/** Moves the head from `revision` to `next`. Throws a `UserError` of kind `storage` where another process moved it elsewhere. */
export async function commit(exchange: Store, revision: number, next: RunHead): Promise<void> {
  if (await exchange.setHead(revision, encodeJson(next))) return;
  const found = await readHead(exchange);
  if (found !== undefined && JSON.stringify(found.head) === JSON.stringify(next)) return;
  throw new UserError("storage", `Another process works in this run folder: round ${next.round} is not where it was.`, {
    hint: "Wait for the other process, or choose another run folder.",
  });
}
