import { UserError } from "../diagnostics/user-error.ts";
import { parameterCount, type Params } from "../tensor/params.ts";
import type { SecureRules } from "../secagg/rules.ts";
import type { Aggregator } from "../updates/aggregator.ts";
import { type AdapterSet, commonAdapter, keepsOwnAdapters, noAdapters } from "./adapter-set.ts";
import { drawCohort, EarlierRounds } from "./cohort.ts";
import type { CoordinatorOptions, CoordinatorStep } from "./coordinator-options.ts";
import { adapterToSend, type SentAdapter } from "./downlink.ts";
import { type EarlyStop, earlyStop, evaluationsBefore } from "./early-stop.ts";
import { evaluationDue, readEvaluation } from "./evaluation.ts";
import type { RunEvent } from "./events.ts";
import { forgetLate } from "./late.ts";
import { Membership } from "./membership.ts";
import { createMessage, readHead, readMessage, runIsGone } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type RoundClose, type RoundEvaluation, roundOpening, type RunHead, runEnd } from "./protocol/messages.ts";
import { isOver, refuseOtherRun, roundsKept } from "./resume.ts";
import { recordsOf, Reports } from "./reports.ts";
import { Scoring } from "./scoring.ts";
import {
  aggregate,
  beginRun,
  closeRound,
  advanceHead,
  forgetRound,
  openRound,
  readAdapter,
  retireRounds,
} from "./round.ts";
import { asynchronousRound } from "./asynchronous-round.ts";
import { Tasks } from "./tasks.ts";
import { type RoundContext, type RoundPlay, synchronousRound } from "./synchronous-round.ts";
import { refuseFailures } from "./secure/failure.ts";
import { forgetMasked } from "./secure/forget.ts";
import { secureAggregator } from "./secure/secure-aggregator.ts";
import { SecureRound } from "./secure/secure-round.ts";

const MOVED: CoordinatorStep = { state: "moved" };

/**
 * The coordinator's half of a run: opens rounds, waits for updates, decides on them, closes, aggregates, commits, and asks
 * for scores. Its progress lies in the store; in memory it keeps only a record of the events it emitted. So another
 * coordinator of the same settings continues where this one died.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #started = performance.now();
  readonly #membership: Membership;
  readonly #earlier: EarlierRounds;
  readonly #scoring: Scoring;
  readonly #reports: Reports;
  #tasks: Tasks | undefined;
  /** The round that is open. */
  #round: RoundPlay | undefined;
  #evaluations: RoundEvaluation[] | undefined;
  /** The last round that was evaluated, checked by `stop` and handed to `onRound`. */
  #settled = -1;
  #adapter: { readonly hash: string; readonly params: Params } | undefined;

  /** Throws an Error for an algorithm with memories of clients and updates of earlier rounds: parsed settings have no such. */
  constructor(options: CoordinatorOptions) {
    const { algorithm, asynchronous, late } = options;
    if (algorithm.keepsMemory === true && (asynchronous ?? late) !== undefined) {
      throw new Error(`${algorithm.name} keeps a memory of each client, which has to be of the server's round`);
    }
    this.#options = options.secure === undefined ? options : { ...options, aggregator: sumOf(options, options.secure) };
    this.#membership = new Membership(options);
    this.#earlier = new EarlierRounds(options.store);
    this.#scoring = new Scoring(options, this.#membership);
    this.#reports = new Reports(options, this.#membership);
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
    if (found === undefined && this.#evaluations !== undefined) throw runIsGone();
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
      clients: members.map((member) => ({ name: member.client, ...recordsOf(member) })),
    });
    return [];
  }

  async #resume(head: RunHead): Promise<void> {
    const { store, identity, evaluateEvery, events } = this.#options;
    await refuseOtherRun(store, identity);
    this.#introduce();
    if (this.#options.privacy !== undefined) await forgetRound(store, head.round);
    await retireRounds(store, head, { oldest: this.#oldest, sweep: true });
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
        const found = await this.#scoring.after(head, adapters, evaluations[0]);
        if ("state" in found) return found;
        evaluations.push(found);
      }
    }
    const early = await earlyStop(store, round, evaluations, stop);
    const last = round >= rounds || early !== undefined;
    const adaptersAfter = (earlier: number): Promise<AdapterSet> => this.#adaptersAfter(head, earlier);
    // Where the members have spent their budget no round follows, unless somebody joins: its adapter is kept.
    const spent = !last && (await this.#isSpent(round + 1));
    if (round > 0) await onRound?.({ round, adapters, last: last || spent, evaluations, adaptersAfter });
    this.#settled = round;
    if (!last) return undefined;
    if (round < rounds) events.emit(earlyStopEvent(round, early!));
    events.emit({ type: "run-end", rounds: round, adapter: head.adapter, seconds: secondsSince(this.#started) });
    await events.flush();
    await createMessage(store, keys.end(round), runEnd, { round, adapter: head.adapter });
    return { state: "over", outcome: { head, adapter, adapters, evaluations } };
  }

  async #play(head: RunHead, revision: number): Promise<CoordinatorStep> {
    if (this.#round?.opening.round !== head.round + 1) this.#round = await this.#open(head);
    const decision = await this.#round.next();
    return "state" in decision ? decision : this.#close(head, revision, this.#round, decision);
  }

  /** Closes the round of a decision, aggregates and moves the head. */
  async #close(head: RunHead, revision: number, play: RoundPlay, decision: RoundClose): Promise<CoordinatorStep> {
    const { store, algorithm, minClients, events, privacy, secure } = this.#options;
    const oldest = this.#oldest;
    const { round } = decision;
    for (const { client, refused: reason } of decision.refused) {
      events.emit({ type: "client-refused", round, client, reason });
    }
    await events.flush();
    // A private round is as large as it was planned: who is missing contributes nothing, and the noise is the same.
    const mayBeShort = privacy?.aggregator !== undefined || decision.failed !== undefined;
    if (!mayBeShort && decision.accepted.length < Math.max(1, minClients)) throw tooFew(minClients, decision);
    const close = await closeRound(store, decision);
    const rules = { ...this.#options, aggregator: privacy?.aggregator ?? this.#options.aggregator };
    const next = await aggregate(store, algorithm, head, close, this.#membership.members.size, rules, (judged) =>
      events.emit({ type: "update-weighed", round, ...judged }),
    );
    events.emit({
      type: "round-end",
      round,
      accepted: close.accepted.map(({ client }) => client),
      refused: close.refused.map(({ client }) => client),
      ...(close.failed === undefined ? meanLoss(close) : { failed: close.failed }),
      adapter: next.adapter,
      seconds: play.seconds,
    });
    await events.flush();
    // The updates of the last round stay, so that they can be looked at when the run is over.
    if (round > 1) await forgetRound(store, round - 1);
    if (round > 1 && secure !== undefined) await forgetMasked(store, round - 1);
    await forgetLate(store, round - 1 - oldest, this.#options);
    await advanceHead(store, revision, next);
    // Of a private run no single update stays.
    if (privacy !== undefined) await forgetRound(store, round);
    await retireRounds(store, next, { oldest });
    this.#round = undefined;
    await refuseFailures(store, close);
    return MOVED;
  }

  /** Finds the opening of the round after `head`, or publishes it. */
  async #open(head: RunHead): Promise<RoundPlay> {
    const { store, algorithm, stages, events, asynchronous, secure } = this.#options;
    const round = head.round + 1;
    let opening = await readMessage(store, keys.opening(round), roundOpening);
    const rejected = opening === undefined ? await this.#membership.settle(round) : [];
    const changes = await this.#membership.through(round);
    opening ??= await openRound(store, algorithm, head, { ...(await this.#task(round)), ...(await this.#sent(head)) });
    await this.#reports.members(round, changes, rejected);
    const { clients, learningRate, adapter } = opening;
    events.emit({ type: "round-start", round, clients, learningRate, adapter });
    const { privacy } = this.#options;
    if (privacy !== undefined) events.emit(privacy.spentBy(opening));
    const report: RoundContext["report"] = (...answer) => this.#reports.update(...answer);
    const context = { options: this.#options, membership: this.#membership, report };
    if (secure !== undefined) return new SecureRound(context, secure, opening);
    if (asynchronous === undefined) return synchronousRound(context, opening);
    this.#tasks ??= new Tasks({ store, algorithm, stages, maxStaleness: asynchronous.staleness.most });
    await this.#tasks.through(round);
    return asynchronousRound(context, asynchronous, this.#tasks, opening);
  }

  async #isSpent(round: number): Promise<boolean> {
    const { privacy, minClients } = this.#options;
    if (privacy === undefined) return false;
    await this.#membership.through(round - 1);
    return privacy.withBudget(this.#membership.members.keys(), round).length < Math.max(1, minClients);
  }

  /** The adapter that the next round's clients train from. */
  async #sent(head: RunHead): Promise<SentAdapter> {
    const { store, downlink, seed } = this.#options;
    return adapterToSend(store, head, downlink && { stage: downlink, seed });
  }

  async #task(round: number): Promise<Parameters<typeof openRound>[3]> {
    const { asynchronous } = this.#options;
    const learningRate = this.#options.learningRate(round);
    if (this.#membership.members.size === 0) throw noMembers(round);
    const { seed, clientsPerRound, overSelect = 1, fidelity = "paper", available, deadlineSeconds } = this.#options;
    const limits = deadlineSeconds === undefined ? {} : { deadlineSeconds };
    if (asynchronous !== undefined) {
      return { clients: [], earlierRounds: [], learningRate, ...limits, bufferSize: asynchronous.bufferSize };
    }
    const members = this.#membership.members.keys();
    const perRound = Math.ceil(clientsPerRound * overSelect);
    const draw = { seed, perRound, fidelity, members, available: available?.() };
    const { privacy, minClients } = this.#options;
    const clients = privacy?.draw(draw, round, minClients) ?? drawCohort(draw, round);
    // Durable before the round is open: whoever may send an update has paid for it.
    await privacy?.charge(clients, round);
    const clip = await privacy?.toldClip(round);
    const earlierRounds = await this.#earlier.before(round, clients);
    const closesWith = clients.length > clientsPerRound ? { closesWith: clientsPerRound } : {};
    return { clients, earlierRounds, learningRate, ...(clip !== undefined && { clip }), ...closesWith, ...limits };
  }

  /** An update that is older, in rounds, does not count. */
  get #oldest(): number {
    const { late, asynchronous } = this.#options;
    return (late ?? asynchronous?.staleness)?.most ?? 0;
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
    if (round === head.round) return this.#adapters(round, await readAdapter(store, head.adapter));
    // A round ends with the adapter that the next one begins with.
    const { adapter, downlink } = (await readMessage(store, keys.opening(round + 1), roundOpening))!;
    return this.#adapters(round, await readAdapter(store, downlink?.global ?? adapter));
  }
}

function sumOf({ store, identity, stages = [], seed, aggregator }: CoordinatorOptions, rules: SecureRules): Aggregator {
  return secureAggregator({ store, rules, run: identity, stages, seed, ofBuckets: aggregator });
}

function noMembers(round: number): UserError {
  return new UserError("training", `Round ${round} has no clients: all members have left; ${roundsKept(round - 1)}.`, {
    hint: "Run the same command again once clients have joined.",
  });
}

function earlyStopEvent(round: number, { best, ...why }: EarlyStop): RunEvent {
  return { type: "early-stop", round, ...why, ...(best && { bestRound: best.round, bestValue: best.value }) };
}

function meanLoss({ accepted }: RoundClose): { readonly loss?: number } {
  const sent = accepted.flatMap(({ loss, count }) =>
    loss === undefined || count === undefined ? [] : { loss, count },
  );
  if (sent.length === 0 && accepted.length > 0) return {};
  const total = sent.reduce((sum, { count }) => sum + count, 0);
  return { loss: sent.reduce((sum, { loss, count }) => sum + loss * count, 0) / total };
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
