import type { Algorithm, Received } from "../algorithms/algorithm.ts";
import type { LocalResult, LocalTerm } from "../optim/local-rule.ts";
import type { Params } from "../tensor/params.ts";
import { problemWith } from "./check-update.ts";
import type { ClientMemory } from "./client-memory.ts";
import { encodeGroups } from "../store/codec.ts";
import type { EventSink, RunEvent } from "./events.ts";
import type { Store } from "../store/store.ts";
import { cells, createMessage, type RoundOpening, type SelfRefusal, type SubmittedUpdate } from "./messages.ts";

/** One optimizer step as the event stream tells it. */
export type StepReport = Omit<Extract<RunEvent, { type: "client-step" }>, "type" | "round" | "client">;

/** One client-round of local training. The same task gives the same result, bit for bit. */
export interface LocalTask {
  readonly round: number;
  readonly client: string;
  /** Where training starts; not to be changed in place. */
  readonly adapter: Params;
  readonly learningRate: number;
  readonly localTerm: LocalTerm;
  /** Rounds before this one that the client was drawn for: where its data order goes on. */
  readonly earlierRounds: number;
  readonly signal?: AbortSignal;
  /** Called once, before the first step, with the number of steps. */
  readonly onStart: (steps: number) => void;
  /** Called after every step. Throws where the run is to stop: let it pass. */
  readonly onStep: (report: StepReport) => void;
}

export interface TrainedClient extends LocalResult {
  /** Mean training loss over `count` supervised tokens (SFT) or records (preference objectives). */
  readonly loss: number;
  readonly count: number;
  /** Further means the objective measures in training, by name; empty for SFT. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Examples and supervised tokens trained on, repeats counted. */
  readonly examples: number;
  readonly supervisedTokens: number;
  readonly seconds: number;
}

/** PORT. Local training, whatever the engine. */
export interface LocalTrainer {
  train(task: LocalTask): Promise<TrainedClient>;
}

export interface Participant {
  readonly exchange: Store;
  readonly algorithm: Algorithm;
  readonly trainer: LocalTrainer;
  readonly memory: ClientMemory;
  readonly events: EventSink;
  readonly signal?: AbortSignal;
}

/** What a client fetched to begin its round, and how many bytes that was. */
export interface Delivery {
  readonly received: Received;
  readonly bytesDown: number;
}

/**
 * A client's part of a round: train from what was received, store the update, submit it. Does nothing where the client
 * already submitted. A loss or value that is not finite is submitted as a refusal. The client's events are durable
 * before its submission is.
 */
export async function takePart(
  participant: Participant,
  client: { readonly name: string; readonly records: number; readonly earlierRounds: number },
  { round, learningRate, adapter: base }: RoundOpening,
  { received, bytesDown }: Delivery,
): Promise<void> {
  const { exchange, algorithm, trainer, memory, events, signal } = participant;
  const { name, records, earlierRounds } = client;
  const key = cells.update(round, name);
  if ((await exchange.read(key)) !== undefined) return;

  const kept = await memory.load(name, round);
  const own = algorithm.ownAdapter?.(received, kept);
  let badStep: string | undefined;
  const result = await trainer.train({
    round,
    client: name,
    adapter: own ?? received.adapter,
    learningRate,
    localTerm: algorithm.localTerm(received, kept),
    earlierRounds,
    ...(signal && { signal }),
    onStart(steps) {
      events.emit({ type: "client-start", round, client: name, steps });
    },
    onStep(report) {
      signal?.throwIfAborted();
      events.emit({ type: "client-step", round, client: name, ...report });
      if (!Number.isFinite(report.loss)) badStep ??= `the loss of step ${report.step} is ${report.loss}`;
      if (!Number.isFinite(report.gradientNorm)) {
        badStep ??= `the gradient norm of step ${report.step} is ${report.gradientNorm}`;
      }
    },
  });

  const { update, memory: next } = algorithm.report(result, received, kept);
  const badLoss = Number.isFinite(result.loss) ? undefined : `the training loss is ${result.loss}`;
  const refused = badStep ?? badLoss ?? problemWith(update, update) ?? problemWith(next, next);
  if (refused !== undefined) {
    await events.flush();
    await createMessage<SelfRefusal>(exchange, key, { client: name, refused });
    return;
  }

  const bytes = encodeGroups(update, { kind: "update", round: String(round), client: name });
  const hash = await exchange.putBlob(bytes);
  await memory.save(name, round, hash, next);
  const { loss, count, metrics, steps, examples, supervisedTokens, seconds } = result;
  events.emit({
    type: "client-update",
    round,
    client: name,
    loss,
    count,
    metrics,
    steps,
    examples,
    supervisedTokens,
    bytesDown: algorithm.federated ? bytesDown : 0,
    bytesUp: algorithm.federated ? bytes.length : 0,
    seconds,
    update: hash,
  });
  await events.flush();
  const submission = { client: name, base, update: hash, records, loss, count };
  await createMessage<SubmittedUpdate>(exchange, key, submission);
}
