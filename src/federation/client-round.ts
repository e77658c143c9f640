import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";
import { UNSENT } from "../updates/error-feedback.ts";
import { asChange, changeFrom, encodeUpdate, wireShape } from "../updates/wire.ts";
import { problemWith } from "./check-update.ts";
import { finiteOr, memoryAfter, readBack, unchanged } from "./client-update.ts";
import { fetchAdapter } from "./downlink.ts";
import type { StepReport, TrainedClient } from "./local-trainer.ts";
import type { ParticipantOptions } from "./participant-options.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type ByteLedger, member, refusal, type RoundOpening, submission } from "./protocol/messages.ts";
import { type Delivery, receive } from "./round.ts";
import type { MaskedTask } from "./secure/secure-client.ts";
import { vectorLayout } from "./secure/masked-vector.ts";
import { bytesOfUpdate, plainBytes, updateHeader } from "./update-bytes.ts";

/**
 * Trains from the round's adapter, stores the update and submits it. A loss or value that is not finite is submitted
 * as a refusal, or as no change where the client keeps its figures. The client's events are durable before its submission is.
 */
export async function playClientRound(
  options: ParticipantOptions,
  opening: RoundOpening,
  earlierRounds: number,
  masked?: MaskedTask,
): Promise<void> {
  const { store, client, memory, events, signal } = options;
  signal?.throwIfAborted();
  const { round } = opening;
  const key = keys.update(round, client);
  // With secure aggregation it was asked before it published keys.
  const reason = masked === undefined ? await options.refuseRound?.(round, client) : undefined;
  if (reason !== undefined) {
    await createMessage(store, key, refusal, { client, refused: reason });
    return;
  }
  const start = await prepare(options, opening);
  const trained = await train(options, opening, earlierRounds, start);
  const made = await makeUpdate(options, opening, start, trained, masked);
  if ("refused" in made) {
    await events.flush();
    await createMessage(store, key, refusal, { client, refused: made.refused });
    return;
  }
  const hash = await store.putBlob(made.bytes);
  if (start.remembers) await memory.save(client, round, hash, made.remembered());
  await submit(options, opening, { start, trained, made, hash, masked });
}

/** A client's start of a round: everything it received, and everything it remembers of earlier rounds. */
interface Start extends Delivery {
  readonly remembers: boolean;
  /** The memory of the algorithm. */
  readonly kept: Groups;
  /** The part of earlier changes that no codec has sent yet. */
  readonly unsent: Params | undefined;
}

async function prepare(options: ParticipantOptions, opening: RoundOpening): Promise<Start> {
  const { store, client, algorithm, stages = [], seed, memory, downlink, start } = options;
  const adapter = downlink && (await fetchAdapter(store, opening, client, memory, { stage: downlink, seed }, start));
  const delivery = await receive(store, opening, adapter);
  const keepsUnsent = stages.some(({ errorFeedback }) => errorFeedback === true);
  const remembers = algorithm.keepsMemory === true || keepsUnsent;
  const { [UNSENT]: unsent, ...kept } = remembers ? await memory.load(client, opening.round) : {};
  return { ...delivery, remembers, kept, unsent };
}

interface Trained {
  readonly result: TrainedClient;
  /** The first loss or gradient norm that is not finite. */
  readonly problem: string | undefined;
}

async function train(
  { client, algorithm, trainer, events, signal }: ParticipantOptions,
  { round, learningRate, adapter: base, broadcast }: RoundOpening,
  earlierRounds: number,
  { received, kept }: Start,
): Promise<Trained> {
  let badStep: string | undefined;
  const result = await trainer.train({
    round,
    client,
    adapter: algorithm.ownAdapter?.(received, kept) ?? received.adapter,
    learningRate,
    localRule: algorithm.localRule(received, kept),
    earlierRounds,
    sent: JSON.stringify([base, broadcast, learningRate]),
    signal,
    onStart(steps) {
      events.emit({ type: "client-start", round, client, steps });
    },
    onStep(report) {
      signal?.throwIfAborted();
      events.emit({ type: "client-step", round, client, ...report });
      badStep ??= problemWithStep(report);
    },
  });
  const badLoss = Number.isFinite(result.loss ?? 0) ? undefined : `the training loss is ${result.loss}`;
  return { result, problem: badStep ?? badLoss };
}

/** An update as it is sent. */
interface MadeUpdate {
  /** The update before stages and privacy. */
  readonly update: Groups;
  /** The bytes before encryption, and those that are sent. */
  readonly open: Uint8Array;
  readonly bytes: Uint8Array;
  /** The memory that belongs to the update. */
  readonly remembered: () => Groups;
}

/** Makes the update of a training, or the reason why there is none. */
async function makeUpdate(
  options: ParticipantOptions,
  opening: RoundOpening,
  { received, kept, unsent }: Start,
  { result, problem }: Trained,
  masked: MaskedTask | undefined,
): Promise<MadeUpdate | { readonly refused: string }> {
  const { client, algorithm, stages = [], seed, memory, protect, seal } = options;
  const { round } = opening;
  const report = algorithm.report(result, received, kept);
  if (!algorithm.keepsMemory && Object.keys(report.memory).length > 0) {
    throw new Error(`the algorithm ${algorithm.name} returns a memory: declare keepsMemory`);
  }
  const keepsFigures = options.figures === "kept";
  const { update, memory: own } = keepsFigures ? finiteOr(unchanged(report.update, received, kept), report) : report;
  const context = { seed, round, client, received: received.adapter };
  const safe = (await protect?.(update, { ...context, clip: opening.clip })) ?? update;
  // A client remembers what it sends, which may be clipped.
  const next = protect === undefined ? own : { ...own, ...algorithm.remembered?.(safe, received, kept) };
  const encoded =
    masked !== undefined && stages.length === 0
      ? { groups: changeFrom(safe, received.adapter) }
      : encodeUpdate(safe, stages, context, unsent && { change: unsent, missed: await memory.missed(client, round) });
  const wire = encoded.groups;
  const refused = keepsFigures ? undefined : (problem ?? problemWith(wire, wire) ?? problemWith(next, next));
  if (refused !== undefined) return { refused };
  const groups = algorithm.update(received.adapter, round);
  const sealed =
    masked === undefined
      ? readBack(bytesOfUpdate(wire, stages, context), groups, stages, context)
      : await maskedUpdate(options, masked, opening, wire, groups);
  if ("refused" in sealed) return sealed;
  const { bytes: open, sent } = sealed;
  const before = { next, received, kept, unsent };
  return {
    update,
    open,
    bytes: (await seal?.(open, client)) ?? open,
    remembered: () => memoryAfter(options, encoded, sent?.(), context, before),
  };
}

/** The masked vector of an update. Its weight is the number of records that the client joined with. */
async function maskedUpdate(
  { store, client, stages = [], masking }: ParticipantOptions,
  { weightMax, seal }: MaskedTask,
  { clients }: RoundOpening,
  wire: Groups,
  groups: UpdateGroups,
): ReturnType<MaskedTask["seal"]> {
  const { records } = (await readMessage(store, keys.member(client), member))!;
  const changes = asChange(groups);
  const place = { rules: masking!.rules, clients: clients.length, weightMax };
  return seal(wire, vectorLayout(changes, wireShape(changes, stages), place), records);
}

/** An update that is stored under `hash`, and where it comes from. */
interface Stored {
  readonly start: Start;
  readonly trained: Trained;
  readonly made: MadeUpdate;
  readonly hash: string;
  readonly masked: MaskedTask | undefined;
}

/** Tells the coordinator of a stored update. */
async function submit(options: ParticipantOptions, opening: RoundOpening, stored: Stored): Promise<void> {
  const { store, client, algorithm, figures, events } = options;
  const { round, adapter: base } = opening;
  const { start, trained, made, hash, masked } = stored;
  const ledger = await ledgerOf(options, round, stored);
  await events.flush();
  const { loss, count, metrics, steps, examples, supervisedTokens, seconds } = trained.result;
  const tells = figures !== "kept" && masked === undefined && loss !== undefined;
  await createMessage(store, keys.update(round, client), submission, {
    client,
    base,
    update: hash,
    ...(tells && { loss, count, metrics, steps, examples, supervisedTokens }),
    bytesDown: algorithm.federated ? start.bytesDown : 0,
    bytesUp: algorithm.federated ? made.bytes.length : 0,
    ...(ledger && { ledger }),
    ...(tells && { seconds }),
  });
}

/** The bytes of a client-round by kind; undefined where they are those of whole tensors in float32. */
async function ledgerOf(
  { store, client, algorithm, stages = [], downlink, seal }: ParticipantOptions,
  round: number,
  { start: { downFloat32 }, made: { update, open, bytes }, masked }: Stored,
): Promise<ByteLedger | undefined> {
  const plain = stages.length === 0 && downlink === undefined && seal === undefined && masked === undefined;
  if (!algorithm.federated || plain) return undefined;
  const place = { round, client };
  const float32 = { upFloat32: plainBytes(update, place), downFloat32 };
  if (masked === undefined) {
    const headers = updateHeader(open, stages, place);
    return { ...float32, headers, ...(seal && { keys: bytes.length - open.length }) };
  }
  const cells = [keys.clientKeys(round, client), keys.clientShares(round, client)].map((key) => store.read(key));
  const keyBytes = (await Promise.all(cells)).reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
  return { ...float32, headers: 0, masks: bytes.length, keys: keyBytes };
}

function problemWithStep({ step, loss = 0, gradientNorm = 0 }: StepReport): string | undefined {
  if (!Number.isFinite(loss)) return `the loss of step ${step} is ${loss}`;
  return Number.isFinite(gradientNorm) ? undefined : `the gradient norm of step ${step} is ${gradientNorm}`;
}
