import { type Cohort, problemWithKeys } from "../../secagg/cohort.ts";
import { addWords, newWords } from "../../secagg/mask.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { unmaskSum } from "../../secagg/unmask.ts";
import { type Check, MismatchError } from "../../store/check.ts";
import { keySegment } from "../../store/store.ts";
import { PUT_OUT } from "../decision.ts";
import { asLine, createMessage, readMessage, readTheirs } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { type Refusal, type RoundClose, roundClose, type RoundOpening } from "../protocol/messages.ts";
import {
  agreed,
  agreementAnswer,
  type KeyList,
  keyList,
  keysAnswer,
  type PublishedKeys,
  relayed,
  type Remaining,
  remaining,
  sharesAnswer,
  unmaskingAnswer,
} from "../protocol/secure-messages.ts";
import { byClient } from "../staleness.ts";
import type { RoundContext, RoundPlay } from "../synchronous-round.ts";
import { CHECK_WORDS, isUnmasked } from "./masked-vector.ts";
import { Phase, type Waiting } from "./phase.ts";
import { asFailure, RoundFailure } from "./failure.ts";
import { type PlayedRound, playedRound, recoverRound } from "./played-round.ts";
import { beyondRecovery, cohortOf, fewestClients, hashOf, keysOf, problemWithParts } from "./secure-cohort.ts";
import { VectorJudge } from "./vector-judge.ts";

/**
 * A round with secure aggregation, as its coordinator plays it (Bonawitz et al. 2017, figure 4). Each phase ends with a cell that
 * is written once, so another coordinator goes on where this one died. A round that fails is closed without an aggregate.
 */
export class SecureRound implements RoundPlay {
  readonly opening: RoundOpening;
  readonly #context: RoundContext;
  readonly #rules: SecureRules;
  readonly #began = performance.now();
  readonly #phases = new Map<string, Phase>();
  readonly #vectors: VectorJudge;
  #cohort: Cohort | undefined;
  /** Answers that were tried, and did not open the sum. */
  #tried = 0;

  constructor(context: RoundContext, rules: SecureRules, opening: RoundOpening) {
    this.opening = opening;
    this.#context = context;
    this.#rules = rules;
    this.#vectors = new VectorJudge(context, rules, opening);
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async next(): Promise<RoundClose | Waiting> {
    const { store } = this.#context.options;
    const { round } = this.opening;
    const closed = await readMessage(store, keys.close(round), roundClose);
    if (closed !== undefined) return this.#told(closed);
    try {
      const list = (await readMessage(store, keys.keyList(round), keyList)) ?? (await this.#listKeys());
      if ("state" in list) return list;
      this.#cohort ??= await cohortOf(this.#context.options.identity, this.opening, list, this.#rules);
      const cohort = this.#cohort;
      const sharers =
        (await readMessage(store, keys.sharers(round), remaining)) ?? (await this.#sendShares(list, cohort));
      if ("state" in sharers) return sharers;
      const survivors =
        (await readMessage(store, keys.survivors(round), remaining)) ?? (await this.#settle(list, cohort, sharers));
      if ("state" in survivors) return survivors;
      const waiting = await this.#agree(survivors, cohort);
      if (waiting !== undefined) return waiting;
      const decision = await this.#open(playedRound(list, cohort, sharers, survivors));
      return "state" in decision ? decision : await this.#told(decision);
    } catch (error) {
      const failure = asFailure(error);
      if (failure === undefined) throw error;
      return { round, accepted: [], refused: [...failure.refused].sort(byClient), failed: failure.message };
    }
  }

  /** Phase 0: the clients that have published keys. */
  async #listKeys(): Promise<KeyList | Waiting> {
    const { store } = this.#context.options;
    const { round, clients } = this.opening;
    const phase = this.#phase("keys", clients, keys.secureKeys(round), (client) => keys.clientKeys(round, client));
    const waiting = await phase.wait(this.#fewest());
    if (waiting !== undefined) return waiting;
    const opening = await hashOf(this.opening);
    const found = new Map<string, PublishedKeys>();
    const refused: Refusal[] = [];
    for (const client of [...phase.arrived].sort()) {
      const answer = await this.#read(keys.clientKeys(round, client), keysAnswer, client);
      if ("refused" in answer) refused.push(answer);
      else if (answer.opening === opening && answer.round === round) found.set(client, answer);
      else refused.push({ client, refused: "its keys are for another opening of the round" });
    }
    for (;;) {
      const problem = await problemWithKeys(keysOf([...found.values()]));
      if (problem === undefined) break;
      const client = [...found.keys()].find((name) => keySegment(name) === problem.client)!;
      found.delete(client);
      refused.push({ client, refused: problem.reason });
    }
    this.#checkCount("published keys", found.size, this.#fewest(), refused);
    const members = [];
    for (const [client, published] of found) {
      const signed = await store.readSigned?.(keys.clientKeys(round, client));
      members.push({ keys: published, ...(signed !== undefined && { signed }) });
    }
    const records = [...found.keys()].map((client) => this.#records(client));
    const message = { round, weightMax: Math.max(...records), members, refused };
    return createMessage(store, keys.keyList(round), keyList, message);
  }

  /** Phase 1: hands on the shares that each client sealed for its neighbours. */
  async #sendShares(list: KeyList, cohort: Cohort): Promise<Remaining | Waiting> {
    const { store } = this.#context.options;
    const { round } = this.opening;
    const clients = list.members.map((member) => member.keys.client);
    const phase = this.#phase("shares", clients, keys.shares(round), (client) => keys.clientShares(round, client));
    const waiting = await phase.wait(fewestClients(cohort, this.#rules));
    if (waiting !== undefined) return waiting;
    const names = new Map(clients.map((client) => [keySegment(client), client]));
    const sent = new Map<string, Readonly<Record<string, string>>>();
    const refused = [...list.refused];
    for (const client of [...phase.arrived].sort()) {
      const answer = await this.#read(keys.clientShares(round, client), sharesAnswer, client);
      if ("refused" in answer) refused.push(answer);
      else if (this.#isRevoked(client)) refused.push({ client, refused: PUT_OUT });
      else if (cohort.graph.get(keySegment(client))!.some((to) => answer.envelopes[names.get(to)!] === undefined)) {
        refused.push({ client, refused: "it has no share for one of its neighbours" });
      } else sent.set(client, answer.envelopes);
    }
    const left = this.#recoverable(cohort, [...sent.keys()]);
    this.#checkCount("shared their secrets", left.length, fewestClients(cohort, this.#rules), refused);
    this.#checkParts(cohort, left, refused);
    for (const client of left) {
      const from = cohort.graph.get(keySegment(client))!.map((segment) => names.get(segment)!);
      const envelopes = from.flatMap((other) => {
        const envelope = left.includes(other) ? sent.get(other)![client] : undefined;
        return envelope === undefined ? [] : [[other, envelope] as const];
      });
      const message = { round, client, envelopes: Object.fromEntries(envelopes) };
      await createMessage(store, keys.envelopes(round, client), relayed, message);
    }
    return createMessage(store, keys.sharers(round), remaining, { round, clients: left, refused });
  }

  /** Phase 2: the clients whose masked vectors are in the sum. */
  async #settle(list: KeyList, cohort: Cohort, sharers: Remaining): Promise<Remaining | Waiting> {
    const { store, pace } = this.#context.options;
    const { round, closesWith } = this.opening;
    const byPace = (a: string, b: string): number => pace!(a, round) - pace!(b, round);
    const clients =
      pace === undefined || closesWith === undefined ? sharers.clients : [...sharers.clients].sort(byPace);
    const phase = this.#phase("update", clients, keys.updates(round), (client) => keys.update(round, client));
    const fewest = fewestClients(cohort, this.#rules);
    const waiting = await phase.wait(fewest);
    const usable: string[] = [];
    const refused = [...sharers.refused];
    for (const client of phase.arrived) {
      const verdict = await this.#vectors.verdict(client, list);
      if ("refused" in verdict) refused.push(verdict);
      else if (this.#isRevoked(client)) refused.push({ client, refused: PUT_OUT });
      else usable.push(client);
    }
    if (waiting !== undefined && (closesWith === undefined || usable.length < closesWith)) return waiting;
    const left = usable.slice(0, closesWith).sort();
    this.#checkCount("sent a vector", left.length, Math.max(fewest, this.#context.options.minClients), refused);
    this.#checkParts(cohort, left, refused);
    const present = new Set(left.map(keySegment));
    const [closed] = beyondRecovery(cohort, sharers.clients.map(keySegment), present);
    if (closed !== undefined) {
      throw new RoundFailure(
        `fewer than ${cohort.threshold} of those that hold shares of ${closed} sent a vector`,
        refused,
      );
    }
    return createMessage(store, keys.survivors(round), remaining, { round, clients: left, refused });
  }

  /** Phase 3, where the coordinator is not trusted: hands on what the survivors signed. Undefined where nothing is awaited. */
  async #agree(survivors: Remaining, cohort: Cohort): Promise<Waiting | undefined> {
    const { store } = this.#context.options;
    const { round } = this.opening;
    if (!this.#rules.active || (await readMessage(store, keys.agreed(round), agreed)) !== undefined) return undefined;
    const { clients } = survivors;
    const phase = this.#phase("agree", clients, keys.agreements(round), (client) => keys.agreement(round, client));
    const waiting = await phase.wait(cohort.threshold);
    if (waiting !== undefined) return waiting;
    const hash = await hashOf(survivors);
    const agreements = [];
    for (const client of [...phase.arrived].sort()) {
      const answer = await this.#read(keys.agreement(round, client), agreementAnswer, client);
      if ("refused" in answer || answer.survivors !== hash) continue;
      const signed = await store.readSigned?.(keys.agreement(round, client));
      agreements.push({ client, ...(signed !== undefined && { signed }) });
    }
    this.#checkCount("agreed on the survivors", agreements.length, cohort.threshold, []);
    await createMessage(store, keys.agreed(round), agreed, { round, agreements });
    return undefined;
  }

  /** Phase 4: the round is decided once the shares open the sum. What they open is looked at in the check words alone. */
  async #open(played: PlayedRound): Promise<RoundClose | Waiting> {
    const { store } = this.#context.options;
    const { round } = this.opening;
    const { survivors } = played;
    const { clients } = survivors;
    const phase = this.#phase("unmask", clients, keys.unmaskings(round), (client) => keys.unmasking(round, client));
    const waiting = await phase.wait(played.cohort.threshold);
    if (phase.arrived.length < played.cohort.threshold && waiting !== undefined) return waiting;
    if (waiting !== undefined && phase.arrived.length === this.#tried) return waiting;
    this.#tried = phase.arrived.length;
    const { opened, closed, wrong } = await recoverRound(store, played, phase.arrived);
    if (opened === undefined && waiting !== undefined) return waiting;
    const refused = [...survivors.refused];
    for (const client of phase.arrived) {
      const answer = await this.#read(keys.unmasking(round, client), unmaskingAnswer, client);
      if ("refused" in answer) refused.push(answer);
    }
    const named = wrong.map((segment) => clients.find((client) => keySegment(client) === segment) ?? segment);
    for (const client of named) {
      refused.push({ client, refused: "a share that it gave does not fit, or a hash that it published" });
    }
    if (opened === undefined) {
      const who = phase.arrived.length - refused.length + survivors.refused.length;
      throw new RoundFailure(
        `${who} usable answers do not open the masks of ${closed.length} clients, such as ${closed[0]}; it needs ${played.cohort.threshold} of the holders of each`,
        refused,
      );
    }
    const records = clients.map((client) => this.#records(client));
    const check = newWords(this.#rules.bits, CHECK_WORDS);
    const updates = new Map<string, string>();
    for (const client of clients) {
      const verdict = await this.#vectors.verdict(client, played.list);
      if ("refused" in verdict) throw new RoundFailure(`the vector of ${client} is gone: ${verdict.refused}`);
      addWords(check, verdict.check, 1);
      updates.set(client, verdict.update);
    }
    await unmaskSum(check, played.cohort, played.parties, opened);
    if (!isUnmasked(check, records)) {
      throw new RoundFailure(
        "the sum does not unmask: a client was told another opening, or its vector is not what the protocol says",
        refused,
      );
    }
    const accepted = clients.map((client, i) => ({ client, update: updates.get(client)!, records: records[i]! }));
    return { round, accepted, refused: refused.sort(byClient) };
  }

  #phase(...[name, clients, prefix, keyOf]: [string, readonly string[], string, (client: string) => string]): Phase {
    const { options, membership } = this.#context;
    const phase =
      this.#phases.get(name) ?? new Phase({ options, membership, opening: this.opening }, clients, prefix, keyOf);
    this.#phases.set(name, phase);
    return phase;
  }

  /** A client's answer, or why it cannot be used. */
  async #read<T extends { readonly client: string }>(
    key: string,
    check: Check<T | Refusal>,
    client: string,
  ): Promise<T | Refusal> {
    const found = await readTheirs(this.#context.options.store, key, check);
    if (found instanceof MismatchError)
      return { client, refused: asLine(`its message is malformed: ${found.message}`) };
    if (found === undefined) return { client, refused: "it did not answer" };
    if (found.client !== client) return { client, refused: "its message names another client" };
    return "refused" in found ? { client, refused: asLine(found.refused) } : found;
  }

  /** The clients that can be recovered from those that are left; a client whose neighbours are gone goes too. */
  #recoverable(cohort: Cohort, clients: readonly string[]): string[] {
    for (let left = clients; ;) {
      const closed = new Set(beyondRecovery(cohort, left.map(keySegment), new Set(left.map(keySegment))));
      if (closed.size === 0) return [...left].sort();
      left = left.filter((client) => !closed.has(keySegment(client)));
    }
  }

  #fewest(): number {
    return Math.max(3, this.#rules.minCohort);
  }

  #records(client: string): number {
    return this.#context.membership.members.get(client)?.records ?? 0;
  }

  #isRevoked(client: string): boolean {
    return this.#context.options.revoked?.().has(client) === true;
  }

  #checkCount(did: string, count: number, fewest: number, refused: readonly Refusal[]): void {
    if (count < fewest) throw new RoundFailure(`${count} clients ${did}, expected ${fewest} or more`, refused);
  }

  #checkParts(cohort: Cohort, clients: readonly string[], refused: readonly Refusal[]): void {
    const problem = problemWithParts(cohort, this.#rules, new Set(clients.map(keySegment)));
    if (problem !== undefined) throw new RoundFailure(problem, refused);
  }

  /** Tells of the updates of a decision. */
  async #told(decision: RoundClose): Promise<RoundClose> {
    for (const { client } of decision.accepted) await this.#context.report(decision.round, client);
    return decision;
  }
}
