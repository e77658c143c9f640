import { UserError } from "../diagnostics/user-error.ts";
import { BlobError } from "../store/store.ts";
import type { Params } from "../tensor/params.ts";
import { type AdapterSet, adapterAfter, commonAdapter, keepsOwnAdapters, ownAdapters } from "./adapter-set.ts";
import { playClientRound } from "./client-round.ts";
import { decline } from "./decline.ts";
import type { ParticipantOptions } from "./participant-options.ts";
import { createMessage, isWritten, readHead, readMessage, runIsGone } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  clientScores,
  clientTask,
  type EvaluationRequest,
  evaluationRequest,
  leaving,
  type Member,
  member,
  roundOpening,
  type RunHead,
  runEnd,
} from "./protocol/messages.ts";
import { firstAdapter, readAdapter } from "./round.ts";
import { SecureClient } from "./secure/secure-client.ts";

/** The result of one look at the store: a round or an evaluation was done, there is nothing to do, the run is over. */
export type ParticipantStep = "worked" | "idle" | "over";

/**
 * A client's half of a run: trains when it was drawn, and scores adapters when it was asked. It meets the coordinator in
 * the store alone. It may die anywhere: another participant of the same client and memory goes on.
 */
export class Participant {
  readonly #options: ParticipantOptions;
  readonly #secure: SecureClient | undefined;
  #sawRun = false;
  /** Rounds before this one have no task for this client, or an answered one. */
  #tasksFrom = 1;

  constructor(options: ParticipantOptions) {
    this.#options = options;
    const { masking, store, client } = options;
    this.#secure = masking && new SecureClient({ ...masking, store, client });
  }

  get client(): string {
    return this.#options.client;
  }

  /**
   * Joins the run, or finds that the client joined before.
   *
   * @throws UserError of kind `data` where it joined with other records.
   */
  async join(joining: Omit<Member, "client">): Promise<void> {
    const { store, client, figures } = this.#options;
    const mine = figures === "kept" ? { ...joining, ...KEPT } : joining;
    const joined = await createMessage(store, keys.member(client), member, { ...mine, client });
    if (joined.data === mine.data && joined.records === mine.records) return;
    throw new UserError("data", `The records of client ${client} have changed since it joined the run.`, {
      hint: "Put the files back as they were, or start a new run.",
    });
  }

  /** Says that the client does not take part, and why. The coordinator then does not wait for it; it may join later. */
  async decline(reason: string): Promise<void> {
    const { store, client } = this.#options;
    await decline(store, client, reason);
  }

  /** Takes the client out of later rounds, for good. An update that it has sent still counts. */
  async leave(): Promise<void> {
    const { store, client } = this.#options;
    await createMessage(store, keys.leave(client), leaving, { client });
  }

  /** Does the next thing that the store asks of this client, if any. */
  async act(): Promise<ParticipantStep> {
    const { store } = this.#options;
    const found = await readHead(store);
    if (found === undefined && this.#sawRun) throw runIsGone();
    if (found === undefined) return "idle";
    if (!this.#sawRun) await this.#checkStart();
    this.#sawRun = true;
    try {
      return await this.#next(found.head);
    } catch (error) {
      // The round went on without this client, and what it was fetching is deleted. It looks again.
      if (error instanceof BlobError && (await readHead(store))?.head.round !== found.head.round) return "worked";
      throw error;
    }
  }

  async #next({ round, adapter, identity }: RunHead): Promise<ParticipantStep> {
    const { store, client, asynchronous, refuseRound } = this.#options;
    await this.#secure?.wipe(round);
    const opening = await readMessage(store, keys.opening(round + 1), roundOpening);
    const drawn = opening?.clients.indexOf(client) ?? -1;
    if (drawn >= 0 && this.#secure !== undefined) {
      const step = await this.#secure.next(identity, opening!, () => refuseRound?.(opening!.round, client));
      if (typeof step === "string") return step;
      await playClientRound(this.#options, opening!, opening!.earlierRounds[drawn]!, step);
      return "worked";
    }
    if (drawn >= 0 && !(await isWritten(store, keys.update(round + 1, client)))) {
      await playClientRound(this.#options, opening!, opening!.earlierRounds[drawn]!);
      return "worked";
    }
    if (opening === undefined && (await this.#score(round, adapter))) return "worked";
    if (opening === undefined && (await readMessage(store, keys.end(round), runEnd)) !== undefined) return "over";
    const worked = asynchronous !== undefined && (await this.#doTask(round + 1, asynchronous.staleness.most));
    return worked ? "worked" : "idle";
  }

  /** @throws UserError of kind `config` where the run began with another adapter than its settings name. */
  async #checkStart(): Promise<void> {
    const { store, startsFrom } = this.#options;
    const first = startsFrom === undefined ? undefined : await firstAdapter(store);
    if (first === startsFrom) return;
    const [began, named] = [first, startsFrom].map((hash) => `${String(hash).slice(0, 12)}…`);
    throw new UserError("config", `the run began with the adapter ${began}, and its settings name ${named}`, {
      hint: "Nothing was trained. Ask whoever leads the run to start it again.",
    });
  }

  /** Scores the adapter of a round where that was asked for. False: there is nothing to score. */
  async #score(round: number, adapter: string): Promise<boolean> {
    const { store, client } = this.#options;
    const request = await readMessage(store, keys.evaluationRequest(round), evaluationRequest);
    const asked = request?.clients.includes(client) ?? false;
    if (asked && !(await isWritten(store, keys.clientScores(round, client)))) {
      await this.#evaluate(request!, await readAdapter(store, adapter));
      return true;
    }
    return false;
  }

  /** Trains for the client's latest task in an asynchronous run. False: it has none, or has answered it. */
  async #doTask(newest: number, maxStaleness: number): Promise<boolean> {
    const { store, client } = this.#options;
    for (let round = newest; round >= Math.max(this.#tasksFrom, newest - maxStaleness); round--) {
      const task = await readMessage(store, keys.task(round, client), clientTask);
      if (task === undefined) continue;
      if (await isWritten(store, keys.update(round, client))) break;
      await playClientRound(
        this.#options,
        (await readMessage(store, keys.opening(round), roundOpening))!,
        task.earlierRounds,
      );
      return true;
    }
    // No coordinator gives a task of a round before the one that is open.
    this.#tasksFrom = newest;
    return false;
  }

  /** The adapter that this client trains and is measured by after `round`: its own, or `common`. */
  adapterAfter(round: number, common: Params): Promise<Params> {
    const { algorithm, memory, client } = this.#options;
    return adapterAfter(algorithm, memory, client, round, common);
  }

  async #evaluate({ round, validation }: EvaluationRequest, common: Params): Promise<void> {
    const { store, client, algorithm, figures, signal } = this.#options;
    signal?.throwIfAborted();
    // Scores tell of an adapter of its own, and of its records, without noise: it gives none, whoever asks.
    const evaluate = figures === "kept" ? undefined : this.#options.evaluate;
    const adapters: AdapterSet = keepsOwnAdapters(algorithm, round)
      ? ownAdapters([client], () => this.adapterAfter(round, common))
      : commonAdapter(common);
    const own = adapters.clients === undefined ? {} : { client };
    const none = { scores: [], withheld: [{ set: client, ...own, reason: "this site gives no scores" }] };
    const evaluated = (await evaluate?.({ round, adapters, validation: validation !== undefined, signal })) ?? none;
    await createMessage(store, keys.clientScores(round, client), clientScores, { client, ...evaluated });
  }
}

/** The part of a message to join that would tell something about the records of a client that keeps its figures. */
const KEPT = { records: 1, heldOut: 0, data: "not sent", figures: "kept" } as const;
