import { clientsOfRound, earlierRounds } from "../algorithms/client-sampling.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { parameterCount, type Params } from "../tensor/params.ts";
import { type AdapterSet, commonAdapter, keepsOwnAdapters, ownAdapters } from "./adapter-set.ts";
import type { CoordinatorOptions, CoordinatorStep } from "./coordinator-options.ts";
import { type EarlyStop, earlyStop, evaluationsBefore } from "./early-stop.ts";
import { closeEvaluation, evaluationDue, openEvaluation, readAnswers, readEvaluation } from "./evaluation.ts";
import type { RunEvent } from "./events.ts";
import { createMessage, readHead, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  type RoundClose,
  type RoundEvaluation,
  roundOpening,
  type RoundOpening,
  type RunHead,
  runEnd,
} from "./protocol/messages.ts";
import { isOver, refuseOtherRun, roundsKept } from "./resume.ts";
import {
  aggregate,
  beginRun,
  closeRound,
  advanceHead,
  forgetRound,
  decideRound,
  openRound,
  readAdapter,
  readSubmission,
} from "./round.ts";

const MOVED: CoordinatorStep = { state: "moved" };

/**
 * The coordinator's half of a run: opens rounds, waits for updates, decides on them, closes, aggregates, commits, and asks
 * for scores. Its progress lies in the store; in memory it keeps only a record of the events it emitted. So another
 * coordinator of the same settings continues where this one died.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #started = performance.now();
  /** When this process first saw each cell that clients answer to, by key. */
  readonly #since = new Map<string, number>();
  /** Keys of openings and updates that were reported as events. */
  readonly #reported = new Set<string>();
  #evaluations: RoundEvaluation[] | undefined;
  /** The last round that was evaluated, checked by `stop` and handed to `onRound`. */
  #settled = -1;
  #adapter: { readonly hash: string; readonly params: Params } | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
  }

  /**
   * Does one step of whatever is next.
   *
   * @throws UserError: `config` for a run of another identity, `training` where a round has too few usable updates,
   * `storage`.
   */
  async advance(): Promise<CoordinatorStep> {
    const { store, algorithm, initialAdapter, identity, signal } = this.#options;
    signal?.throwIfAborted();
    const found = await readHead(store);
    if (found === undefined && this.#evaluations !== undefined) throw storeIsGone();
    if (found === undefined) {
      await beginRun(store, algorithm, initialAdapter, identity);
      this.#evaluations ??= this.#introduce();
      return MOVED;
    }
    const { head, revision } = found;
    if (this.#evaluations === undefined) await this.#resume(head);
    if (this.#settled < head.round) {
      const step = await this.#settle(head);
      if (step !== undefined) return step;
    }
    return this.#play(head, revision);
  }

  #introduce(): RoundEvaluation[] {
    const { algorithm, rounds, members, initialAdapter, events } = this.#options;
    events.emit({
      type: "run-start",
      algorithm: algorithm.name,
      rounds,
      adapterParameters: parameterCount(initialAdapter),
      clients: members.map(({ client, records, heldOut }) => ({ name: client, records, heldOut })),
    });
    return [];
  }

  async #resume(head: RunHead): Promise<void> {
    const { store, identity, evaluateEvery, events } = this.#options;
    await refuseOtherRun(store, identity);
    this.#introduce();
    this.#evaluations = await evaluationsBefore(store, head.round, evaluateEvery);
    if (!(await isOver(this.#options))) events.emit({ type: "run-resume", afterRound: head.round });
  }

  /** Evaluates after the round of `head`, decides whether the run ends there, and hands the round over. */
  async #settle(head: RunHead): Promise<CoordinatorStep | undefined> {
    const { store, rounds, evaluateEvery, events, stop, onRound } = this.#options;
    const { round } = head;
    const evaluations = this.#evaluations!;
    const adapter = await this.#common(head.adapter);
    const adapters = this.#adapters(round, adapter);
    if (this.#options.evaluate && evaluationDue(round, rounds, evaluateEvery) && evaluations.at(-1)?.round !== round) {
      const stored = await readEvaluation(store, round);
      if (stored !== undefined) evaluations.push(stored);
      else {
        const step = await this.#evaluate(head, adapters);
        if (step !== undefined) return step;
      }
    }
    const early = await earlyStop(store, round, evaluations, stop);
    const last = round >= rounds || early !== undefined;
    const adaptersAfter = (earlier: number): Promise<AdapterSet> => this.#adaptersAfter(head, earlier);
    if (round > 0) await onRound?.({ round, adapters, last, evaluations, adaptersAfter });
    this.#settled = round;
    if (!last) return undefined;
    if (round < rounds) events.emit(earlyStopEvent(round, early!));
    events.emit({ type: "run-end", rounds: round, adapter: head.adapter, seconds: secondsSince(this.#started) });
    await events.flush();
    await createMessage(store, keys.end(round), runEnd, { round, adapter: head.adapter });
    return { state: "over", outcome: { head, adapter, adapters, evaluations } };
  }

  /** Asks the clients for scores, adds its own and stores all. Returns the step that waits, or undefined once all is stored. */
  async #evaluate({ round, adapter }: RunHead, adapters: AdapterSet): Promise<CoordinatorStep | undefined> {
    const { store, algorithm, members, events, signal } = this.#options;
    // A client's own adapter may answer benchmarks and the common set, whether or not it holds records out.
    const keepsOwn = keepsOwnAdapters(algorithm, round);
    const asked = members.filter(({ heldOut }) => keepsOwn || heldOut > 0).map(({ client }) => client);
    const { answered, missing } = await openEvaluation(store, { round, adapter, clients: asked });
    const waiting = this.#waiting(keys.evaluationRequest(round), asked, missing);
    if (waiting !== undefined) return waiting;
    const answers = await readAnswers(store, round, answered, { keepsOwn, holdsAll: members.length === 1 });
    const own = await this.#options.evaluate!({ round, adapters: keepsOwn ? noAdapters : adapters, signal });
    this.#evaluations!.push(await closeEvaluation(store, events, round, [...answers, own]));
    return undefined;
  }

  async #play(head: RunHead, revision: number): Promise<CoordinatorStep> {
    const { store, algorithm, members, minClients, events } = this.#options;
    const opening = await this.#open(head);
    const { round, clients } = opening;
    const written = new Set(await store.list(keys.updates(round)));
    const missing = clients.filter((client) => !written.has(keys.update(round, client)));
    for (const client of clients) if (written.has(keys.update(round, client))) await this.#report(round, client);
    const waiting = this.#waiting(keys.opening(round), clients, missing);
    if (waiting !== undefined && (await store.read(keys.close(round))) === undefined) return waiting;
    const decision = await decideRound(store, algorithm, opening, members, this.#options.stages);
    // An update may have come since the list was made.
    for (const { client } of decision.accepted) await this.#report(round, client);
    for (const { client, refused: reason } of decision.refused) {
      events.emit({ type: "client-refused", round, client, reason });
    }
    await events.flush();
    if (decision.accepted.length < Math.max(1, minClients)) throw tooFew(minClients, decision);
    const close = await closeRound(store, decision);
    const next = await aggregate(store, algorithm, head, close, members.length, this.#options);
    events.emit({
      type: "round-end",
      round,
      accepted: close.accepted.map(({ client }) => client),
      refused: close.refused.map(({ client }) => client),
      loss: meanLoss(close),
      adapter: next.adapter,
      seconds: secondsSince(this.#sinceWhen(keys.opening(round))),
    });
    await events.flush();
    // The updates of the last round stay, so that they can be looked at when the run is over.
    if (round > 1) await forgetRound(store, round - 1);
    await advanceHead(store, revision, next);
    return MOVED;
  }

  /** Finds the opening of the round after `head`, or publishes it. */
  async #open(head: RunHead): Promise<RoundOpening> {
    const { store, algorithm, events } = this.#options;
    const round = head.round + 1;
    this.#sinceWhen(keys.opening(round));
    const opening =
      (await readMessage(store, keys.opening(round), roundOpening)) ??
      (await openRound(store, algorithm, head, this.#task(round)));
    const { clients, learningRate, adapter } = opening;
    if (this.#first(keys.opening(round))) events.emit({ type: "round-start", round, clients, learningRate, adapter });
    return opening;
  }

  #task(round: number): Pick<RoundOpening, "clients" | "earlierRounds" | "learningRate"> {
    const { members, seed, clientsPerRound, fidelity = "paper", learningRate } = this.#options;
    const sorted = members.map(({ client }) => client).sort();
    const sampling = { seed, population: sorted.length, perRound: clientsPerRound, fidelity };
    const drawn = clientsOfRound(sampling, round);
    const earlier = earlierRounds(sampling, round);
    return {
      clients: drawn.map((index) => sorted[index]!),
      earlierRounds: drawn.map((index) => earlier[index]!),
      learningRate: learningRate(round),
    };
  }

  /** Emits a client's update, once. */
  async #report(round: number, client: string): Promise<void> {
    if (!this.#first(keys.update(round, client))) return;
    const found = await readSubmission(this.#options.store, round, client);
    if (found === undefined || "refused" in found) return;
    const { base: _base, ...figures } = found;
    this.#options.events.emit({ type: "client-update", round, ...figures });
  }

  #first(what: string): boolean {
    return this.#reported.size < this.#reported.add(what).size;
  }

  #sinceWhen(key: string): number {
    if (!this.#since.has(key)) this.#since.set(key, performance.now());
    return this.#since.get(key)!;
  }

  /** The step that waits for `missing` of `clients` to answer the cell `asked`; undefined where it is time to go on. */
  #waiting(asked: string, clients: readonly string[], missing: readonly string[]): CoordinatorStep | undefined {
    const { deadlineSeconds = Number.POSITIVE_INFINITY } = this.#options;
    const minClients = Math.min(this.#options.minClients, clients.length);
    const left = deadlineSeconds - secondsSince(this.#sinceWhen(asked));
    const enough = clients.length - missing.length >= Math.max(1, minClients);
    if (missing.length === 0 || (enough && left <= 0)) return undefined;
    const milliseconds = enough && Number.isFinite(left) ? left * 1000 : undefined;
    return { state: "waiting", clients: missing, milliseconds };
  }

  async #common(hash: string): Promise<Params> {
    if (this.#adapter?.hash !== hash) this.#adapter = { hash, params: await readAdapter(this.#options.store, hash) };
    return this.#adapter.params;
  }

  #adapters(round: number, adapter: Params): AdapterSet {
    if (!keepsOwnAdapters(this.#options.algorithm, round)) return commonAdapter(adapter);
    return this.#options.ownAdapters?.(round, adapter) ?? noAdapters;
  }

  async #adaptersAfter(head: RunHead, round: number): Promise<AdapterSet> {
    const { store } = this.#options;
    // A round ends with the adapter that the next one begins with.
    const hash =
      round === head.round ? head.adapter : (await readMessage(store, keys.opening(round + 1), roundOpening))!.adapter;
    return this.#adapters(round, await readAdapter(store, hash));
  }
}

/** Clients of other processes keep theirs. */
const noAdapters = ownAdapters([], () => Promise.reject(new Error("clients of other processes keep their adapters")));

function storeIsGone(): UserError {
  return new UserError("storage", "The run is gone from the exchange: its head was there and is not any more.", {
    hint: "Put the exchange back. Then run the same command again to continue.",
  });
}

function earlyStopEvent(round: number, { best, ...why }: EarlyStop): RunEvent {
  return { type: "early-stop", round, ...why, ...(best && { bestRound: best.round, bestValue: best.value }) };
}

function meanLoss({ accepted }: RoundClose): number {
  const total = accepted.reduce((sum, { count }) => sum + count, 0);
  return accepted.reduce((sum, { loss, count }) => sum + loss * count, 0) / total;
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

function tooFew(minClients: number, { round, accepted, refused }: RoundClose): UserError {
  const reasons =
    refused.map(({ client, refused: reason }) => `${client}: ${reason}`).join("; ") || "none was submitted";
  return new UserError(
    "training",
    `Round ${round} has ${accepted.length} usable updates and needs ${Math.max(1, minClients)} (${reasons}); ${roundsKept(round - 1)}.`,
    { hint: "A lower learning rate is the usual cure for a loss that is not finite; it makes a new run." },
  );
}
