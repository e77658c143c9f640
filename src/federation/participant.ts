import type { Algorithm, UpdateGroups } from "../algorithms/algorithm.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { BlobError, type MemberStore } from "../store/store.ts";
import type { Groups } from "../tensor/groups.ts";
import type { Params } from "../tensor/params.ts";
import { UNSENT } from "../updates/error-feedback.ts";
import type { Stage } from "../updates/stage.ts";
import { asChange, changeFrom, encodeUpdate, wireShape } from "../updates/wire.ts";
import { type AdapterSet, adapterAfter, commonAdapter, keepsOwnAdapters, ownAdapters } from "./adapter-set.ts";
import { problemWith } from "./check-update.ts";
import { finiteOr, memoryAfter, readBack, unchanged } from "./client-update.ts";
import type { ClientMemory } from "./client-memory.ts";
import { decline } from "./decline.ts";
import { fetchAdapter } from "./downlink.ts";
import type { Evaluate } from "./evaluation.ts";
import type { EventSink } from "./events.ts";
import type { LocalTrainer, StepReport } from "./local-trainer.ts";
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
  refusal,
  type RoundOpening,
  roundOpening,
  type RunHead,
  runEnd,
  submission,
} from "./protocol/messages.ts";
import type { Protect } from "./privacy/protect.ts";
import type { Seal } from "./privacy/sealing.ts";
import { type FetchedAdapter, firstAdapter, readAdapter, receive } from "./round.ts";
import { type MaskedTask, SecureClient, type SecureClientOptions } from "./secure/secure-client.ts";
import { vectorLayout } from "./secure/masked-vector.ts";
import type { StalenessRule } from "./staleness.ts";
import { bytesOfUpdate, plainBytes, updateHeader } from "./update-bytes.ts";

/** Says why a client does not train in a round, in one sentence; undefined where it trains. */
export type RefuseRound = (round: number, client: string) => string | undefined | Promise<string | undefined>;

export interface ParticipantOptions {
  /** The store that coordinator and participants meet in. */
  readonly store: MemberStore;
  readonly client: string;
  readonly algorithm: Algorithm;
  /** The stages of an update's way, the same as the coordinator's. Default: none. */
  readonly stages?: readonly Stage[] | undefined;
  /**
   * `kept`: the client sends its update and nothing else about its records: no count of them, no figures of training, no scores,
   * and in place of an update that is not finite one that changes nothing. Default: sent.
   */
  readonly figures?: "sent" | "kept" | undefined;
  /** What the client does to its update before anything of it leaves: clipping, noise. Default: nothing. */
  readonly protect?: Protect | undefined;
  /** Makes the update readable for the coordinator only. Default: it is sent as it is. */
  readonly seal?: Seal | undefined;
  /** The codec of the adapter's changes, the same as the coordinator's. Default: the adapter comes whole. */
  readonly downlink?: Stage | undefined;
  /** The adapter that the run starts from, as this client makes it of the settings. With a downlink it is not fetched. */
  readonly start?: Params | undefined;
  /** The seed of the run: all randomness follows from it, that of the stages too. */
  readonly seed: number;
  readonly trainer: LocalTrainer;
  readonly memory: ClientMemory;
  /** Scores adapters on this client's held-out records. Without it the client withholds its scores. */
  readonly evaluate?: Evaluate | undefined;
  /** Asynchronous rounds: the client has tasks of its own. Without it, a round's opening names its clients. */
  readonly asynchronous?: { readonly staleness: Pick<StalenessRule, "most"> } | undefined;
  /** Secure aggregation: the client masks its updates. Its own store holds the keys. Default: none. */
  readonly masking?: Omit<SecureClientOptions, "store" | "client"> | undefined;
  /** A reason not to train in a round, in one sentence; undefined: it trains. The coordinator gets it as a refusal. */
  readonly refuseRound?: RefuseRound | undefined;
  /** sha256 of the adapter that the run has to start from. Default: any. */
  readonly startsFrom?: string | undefined;
  readonly events: EventSink;
  readonly signal?: AbortSignal | undefined;
}

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
      await this.#train(opening!, opening!.earlierRounds[drawn]!, step);
      return "worked";
    }
    if (drawn >= 0 && !(await isWritten(store, keys.update(round + 1, client)))) {
      await this.#train(opening!, opening!.earlierRounds[drawn]!);
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
      await this.#train((await readMessage(store, keys.opening(round), roundOpening))!, task.earlierRounds);
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

  /** True where bytes are not those of whole tensors in float32. */
  #packs(masked: MaskedTask | undefined): boolean {
    const { algorithm, stages = [], downlink, seal } = this.#options;
    const plain = stages.length === 0 && downlink === undefined && seal === undefined && masked === undefined;
    return algorithm.federated && !plain;
  }

  /** Bytes of the cells with keys and shares that this client has written for a round's masks. */
  async #cellBytes(round: number): Promise<number> {
    const { store, client } = this.#options;
    const cells = [keys.clientKeys(round, client), keys.clientShares(round, client)].map((key) => store.read(key));
    return (await Promise.all(cells)).reduce((sum, cell) => sum + (cell?.length ?? 0), 0);
  }

  /** The adapter of a round as the downlink brings it; undefined without one. */
  async #adapterOf(opening: RoundOpening): Promise<FetchedAdapter | undefined> {
    const { store, client, memory, seed, downlink, start } = this.#options;
    return downlink && fetchAdapter(store, opening, client, memory, { stage: downlink, seed }, start);
  }

  /**
   * Trains from the round's adapter, stores the update and submits it. A loss or value that is not finite is submitted
   * as a refusal, or as no change where the client keeps its figures. The client's events are durable before its submission is.
   */
  async #train(opening: RoundOpening, earlierRounds: number, masked?: MaskedTask): Promise<void> {
    const { store, client, algorithm, stages = [], seed, trainer, memory, events, signal } = this.#options;
    signal?.throwIfAborted();
    const { round, learningRate, adapter: base } = opening;
    // With secure aggregation it was asked before it published keys.
    const reason = masked === undefined ? await this.#options.refuseRound?.(round, client) : undefined;
    if (reason !== undefined) {
      await createMessage(store, keys.update(round, client), refusal, { client, refused: reason });
      return;
    }
    const { received, bytesDown, downFloat32 } = await receive(store, opening, await this.#adapterOf(opening));
    const keepsUnsent = stages.some(({ errorFeedback }) => errorFeedback === true);
    const remembers = algorithm.keepsMemory === true || keepsUnsent;
    const { [UNSENT]: unsent, ...kept } = remembers ? await memory.load(client, round) : {};
    let badStep: string | undefined;
    const result = await trainer.train({
      round,
      client,
      adapter: algorithm.ownAdapter?.(received, kept) ?? received.adapter,
      learningRate,
      localRule: algorithm.localRule(received, kept),
      earlierRounds,
      sent: JSON.stringify([base, opening.broadcast, learningRate]),
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

    const key = keys.update(round, client);
    const report = algorithm.report(result, received, kept);
    if (!algorithm.keepsMemory && Object.keys(report.memory).length > 0) {
      throw new Error(`the algorithm ${algorithm.name} returns a memory: declare keepsMemory`);
    }
    const keepsFigures = this.#options.figures === "kept";
    const { update, memory: own } = keepsFigures ? finiteOr(unchanged(report.update, received, kept), report) : report;
    const { protect, seal } = this.#options;
    const context = { seed, round, client, received: received.adapter };
    const safe = (await protect?.(update, { ...context, clip: opening.clip })) ?? update;
    // A client remembers what it sends, which may be clipped.
    const next = protect === undefined ? own : { ...own, ...algorithm.remembered?.(safe, received, kept) };
    const encoded =
      masked !== undefined && stages.length === 0
        ? { groups: changeFrom(safe, received.adapter) }
        : encodeUpdate(safe, stages, context, unsent && { change: unsent, missed: await memory.missed(client, round) });
    const wire = encoded.groups;
    const badLoss = Number.isFinite(result.loss ?? 0) ? undefined : `the training loss is ${result.loss}`;
    const refused = keepsFigures
      ? undefined
      : (badStep ?? badLoss ?? problemWith(wire, wire) ?? problemWith(next, next));
    const groups = algorithm.update(received.adapter, round);
    const sealed =
      refused !== undefined
        ? { refused }
        : masked === undefined
          ? readBack(bytesOfUpdate(wire, stages, context), groups, stages, context)
          : await this.#masked(masked, opening, wire, groups);
    if ("refused" in sealed) {
      await events.flush();
      await createMessage(store, key, refusal, { client, refused: sealed.refused });
      return;
    }
    const { bytes: open, sent } = sealed;
    const bytes = (await seal?.(open, client)) ?? open;
    const hash = await store.putBlob(bytes);
    if (remembers) {
      const before = { next, received, kept, unsent };
      await memory.save(client, round, hash, memoryAfter(this.#options, encoded, sent?.(), context, before));
    }
    const ledger = this.#packs(masked) && {
      upFloat32: plainBytes(update, context),
      downFloat32,
      ...(masked === undefined
        ? { headers: updateHeader(open, stages, context), ...(seal && { keys: bytes.length - open.length }) }
        : { headers: 0, masks: bytes.length, keys: await this.#cellBytes(round) }),
    };
    await events.flush();
    const hidesFigures = keepsFigures || masked !== undefined;
    const { loss, count, metrics, steps, examples, supervisedTokens, seconds } = result;
    const tells = !hidesFigures && loss !== undefined;
    await createMessage(store, key, submission, {
      client,
      base,
      update: hash,
      ...(tells && { loss, count, metrics, steps, examples, supervisedTokens }),
      bytesDown: algorithm.federated ? bytesDown : 0,
      bytesUp: algorithm.federated ? bytes.length : 0,
      ...(ledger && { ledger }),
      ...(tells && { seconds }),
    });
  }

  /** The masked vector of an update. Its weight is the number of records that the client joined with. */
  async #masked({ weightMax, seal }: MaskedTask, { clients }: RoundOpening, wire: Groups, groups: UpdateGroups) {
    const { store, client, stages = [], masking } = this.#options;
    const { records } = (await readMessage(store, keys.member(client), member))!;
    const changes = asChange(groups);
    const place = { rules: masking!.rules, clients: clients.length, weightMax };
    return seal(wire, vectorLayout(changes, wireShape(changes, stages), place), records);
  }
}

/** The part of a message to join that would tell something about the records of a client that keeps its figures. */
const KEPT = { records: 1, heldOut: 0, data: "not sent", figures: "kept" } as const;

function problemWithStep({ step, loss = 0, gradientNorm = 0 }: StepReport): string | undefined {
  if (!Number.isFinite(loss)) return `the loss of step ${step} is ${loss}`;
  return Number.isFinite(gradientNorm) ? undefined : `the gradient norm of step ${step} is ${gradientNorm}`;
}
