import type { Algorithm } from "../algorithms/algorithm.ts";
import { clientsOfRound, earlierRounds } from "../algorithms/sampling.ts";
import type { Fidelity } from "../algorithms/settings.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { parameterCount, type Params } from "../tensor/params.ts";
import { type LocalTrainer, takePart } from "./client.ts";
import type { ClientMemory } from "./client-memory.ts";
import { aggregate, closeRound, commit, judgeRound, openRound, openRun, readAdapter, receive } from "./coordinator.ts";
import { type EarlyStop, earlyStop, evaluationsBefore, type StopRule } from "./early-stop.ts";
import { type Evaluate, evaluateOnce, evaluationDue } from "./evaluation.ts";
import type { EventSink, RunEvent } from "./events.ts";
import type { Store } from "../store/store.ts";
import { checkRoster, type FederationClient } from "./roster.ts";
import {
  cells,
  readHead,
  readMessage,
  type RoundClose,
  type RoundEvaluation,
  type RoundOpening,
  type RunHead,
} from "./messages.ts";

export interface FederationOptions {
  readonly exchange: Store;
  readonly algorithm: Algorithm;
  readonly trainer: LocalTrainer;
  readonly memory: ClientMemory;
  /** The adapter of round 0. A run that goes on does not look at it. */
  readonly initialAdapter: Params;
  /** Stands for everything the outcome depends on: settings, data, base model. A run goes on only under its own. */
  readonly config: string;
  readonly seed: number;
  readonly rounds: number;
  /** Every client; their order does not matter. */
  readonly clients: readonly FederationClient[];
  readonly clientsPerRound: number;
  /** Whose way of drawing clients. */
  readonly fidelity?: Fidelity;
  /** Fewest usable updates a round can go on with; at least 1. */
  readonly minClients: number;
  /** The learning rate of round 1, 2, … */
  readonly learningRate: (round: number) => number;
  readonly evaluate?: Evaluate;
  /** Evaluate after every so many rounds besides before the first and after the last; 0: only then. */
  readonly evaluateEvery: number;
  /** Whether to end before the last round; asked where a round was evaluated. */
  readonly stop?: StopRule;
  /** Called for every finished round, again where a run goes on after that round. */
  readonly onRound?: (finished: FinishedRound) => Promise<void>;
  readonly events: EventSink;
  /** Stops the run after the step that is being taken. */
  readonly signal?: AbortSignal;
}

/** A round that is over, and evaluated if that was due. */
export interface FinishedRound {
  readonly round: number;
  /** The global adapter after it. */
  readonly adapter: Params;
  /** Whether the run ends with it. */
  readonly last: boolean;
  /** So far, in round order. */
  readonly evaluations: readonly RoundEvaluation[];
  /** The global adapter after this or an earlier round or, where each client has one, a client's own. */
  readonly adapterAfter: (round: number, client?: string) => Promise<Params>;
}

export interface FederationOutcome {
  readonly head: RunHead;
  readonly adapter: Params;
  /** A client's own adapter, where the algorithm leaves each client one. */
  readonly ownAdapter?: ((client: string) => Promise<Params>) | undefined;
  /** In round order, those of before a restart too. */
  readonly evaluations: readonly RoundEvaluation[];
}

/**
 * Whether everything was done before: the last round, or a round after which `stop` ends the run. False where nothing
 * was begun.
 */
export async function isOver({
  exchange,
  rounds,
  evaluateEvery,
  stop,
}: Pick<FederationOptions, "exchange" | "rounds" | "evaluateEvery" | "stop">): Promise<boolean> {
  const round = (await readHead(exchange))?.head.round;
  if (round === undefined || round >= rounds || stop === undefined) return round !== undefined && round >= rounds;
  return (
    (await earlyStop(exchange, round, await evaluationsBefore(exchange, round + 1, evaluateEvery), stop)) !== undefined
  );
}

/**
 * Runs every round of a federation whose clients are simulated in this process, or goes on with one: after a crash
 * anywhere, the same call ends with the same head.
 *
 * Throws `UserError`s: `config` for a run with other settings, `data` for an unusable list of clients, `training`
 * where a round has too few usable updates, `storage`, and `interrupted` once `signal` stops the run. What was
 * submitted and committed before is kept in each case.
 */
export async function runFederation(options: FederationOptions): Promise<FederationOutcome> {
  const { exchange, algorithm, rounds, events, signal } = options;
  const started = performance.now();
  checkRoster(options.clients);
  const { head: first, resumed } = await openRun(exchange, algorithm, options.initialAdapter, options.config);
  events.emit({
    type: "run-start",
    algorithm: algorithm.name,
    rounds,
    adapterParameters: parameterCount(options.initialAdapter),
    clients: options.clients,
  });
  const evaluations = await evaluationsBefore(exchange, first.round, options.evaluateEvery);
  if (resumed && !(await isOver(options))) events.emit({ type: "run-resume", afterRound: first.round });

  for (;;) {
    const { head, revision } = (await readHead(exchange))!;
    try {
      const adapter = await readAdapter(exchange, head.adapter);
      if (options.evaluate && evaluationDue(head.round, rounds, options.evaluateEvery)) {
        signal?.throwIfAborted();
        const what = { round: head.round, adapter, signal, ownAdapter: ownAdapters(options, head.round, adapter) };
        evaluations.push(await evaluateOnce(exchange, events, head.round, () => options.evaluate!(what)));
      }
      const early = await earlyStop(exchange, head.round, evaluations, options.stop);
      const last = head.round >= rounds || early !== undefined;
      const adapterAfter = adaptersAfter(options, head);
      if (head.round > 0) await options.onRound?.({ round: head.round, adapter, last, evaluations, adapterAfter });
      if (last) {
        if (head.round < rounds) events.emit(earlyStopEvent(head.round, early!));
        events.emit({ type: "run-end", rounds: head.round, adapter: head.adapter, seconds: secondsSince(started) });
        await events.flush();
        return { head, adapter, ownAdapter: ownAdapters(options, head.round, adapter), evaluations };
      }
      await playRound(options, head, revision);
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) throw error;
      await events.flush();
      throw interrupted(head.round, rounds, error);
    }
  }
}

/** The clients' own adapters after `round`, where the algorithm has such and a round was played. */
function ownAdapters({ algorithm, memory }: FederationOptions, round: number, adapter: Params) {
  const { ownAdapter } = algorithm;
  if (ownAdapter === undefined || round === 0) return undefined;
  return async (client: string): Promise<Params> =>
    ownAdapter({ adapter, extra: {} }, await memory.load(client, round + 1));
}

async function playRound(options: FederationOptions, head: RunHead, revision: number): Promise<void> {
  const { exchange, algorithm, events, signal } = options;
  const started = performance.now();
  const round = head.round + 1;
  const roster = [...options.clients].sort((a, b) => (a.name < b.name ? -1 : 1));
  const { seed, fidelity = "paper" } = options;
  const sampling = { seed, population: roster.length, perRound: options.clientsPerRound, fidelity };
  const drawn = clientsOfRound(sampling, round);
  const earlier = earlierRounds(sampling, round);

  const names = drawn.map((index) => roster[index]!.name);
  const opening = await openRound(exchange, algorithm, head, names, options.learningRate(round));
  const { clients, learningRate, adapter } = opening;
  events.emit({ type: "round-start", round, clients, learningRate, adapter });
  const delivery = await receive(exchange, opening);
  for (const index of drawn) {
    signal?.throwIfAborted();
    const { name, records } = roster[index]!;
    await takePart(options, { name, records, earlierRounds: earlier[index]! }, opening, delivery);
  }

  const decision = await judgeRound(exchange, algorithm, opening, delivery);
  for (const { client, refused: reason } of decision.refused) {
    events.emit({ type: "client-refused", round, client, reason });
  }
  await events.flush();
  if (decision.accepted.length < Math.max(1, options.minClients)) throw tooFew(options.minClients, decision);
  const close = await closeRound(exchange, decision);
  const next = await aggregate(exchange, algorithm, head, close, roster.length);
  events.emit({
    type: "round-end",
    round,
    accepted: close.accepted.map(({ client }) => client),
    refused: close.refused.map(({ client }) => client),
    loss: meanLoss(close),
    adapter: next.adapter,
    seconds: secondsSince(started),
  });
  await events.flush();
  await commit(exchange, revision, next);
}

function adaptersAfter(options: FederationOptions, head: RunHead): FinishedRound["adapterAfter"] {
  const { exchange } = options;
  return async (round, client) => {
    // What a round ended with is what the next one begins with.
    const { adapter: hash } =
      round === head.round ? head : ((await readMessage(exchange, cells.opening(round + 1))) as RoundOpening);
    const adapter = await readAdapter(exchange, hash);
    return (client !== undefined && (await ownAdapters(options, round, adapter)?.(client))) || adapter;
  };
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

function roundsAreSafe(rounds: number): string {
  return rounds === 1 ? "1 round is safe" : `${rounds} rounds are safe`;
}

function interrupted(finished: number, rounds: number, cause: unknown): UserError {
  const where = finished < rounds ? `in round ${finished + 1}` : "after the last round";
  return new UserError(
    "interrupted",
    `Stopped ${where}; ${roundsAreSafe(finished)}, and so is what clients have finished since.`,
    {
      hint: "Run the same command again to continue.",
      cause,
    },
  );
}

function tooFew(minClients: number, { round, accepted, refused }: RoundClose): UserError {
  const reasons =
    refused.map(({ client, refused: reason }) => `${client}: ${reason}`).join("; ") || "none was submitted";
  return new UserError(
    "training",
    `Round ${round} has ${accepted.length} usable updates and needs ${Math.max(1, minClients)} (${reasons}); ${roundsAreSafe(round - 1)}.`,
    { hint: "A lower learning rate is the usual cure for a loss that is not finite; it makes a new run." },
  );
}
