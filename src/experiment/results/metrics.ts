import type { EventOf, RunEvent } from "../../federation/events.ts";
import type { ByteLedger } from "../../federation/protocol/messages.ts";

type ClientMetrics = Omit<EventOf<"client-update">, "type" | "round" | "client" | "update">;

export interface RoundMetrics {
  readonly round: number;
  learningRate: number;
  /** Mean training loss of the accepted clients, weighted by the number of tokens or records behind each loss. */
  loss: number | undefined;
  /** Seconds of the round; 0 until it has ended. */
  seconds: number;
  /** Privacy that the clients of the round have spent; absent without privacy.client. */
  privacy?: Omit<EventOf<"privacy-spent">, "type" | "round">;
  readonly clients: Record<string, ClientMetrics>;
  readonly refused: Record<string, string>;
  /** The part of each client's update in the result, 1 as in the mean and 0 cut out; absent where no rule judges them. */
  weights?: Record<string, UpdateWeight>;
  /** Scores of the global adapter after this round, by set. */
  readonly heldOut: Record<string, SetScore>;
  /** Scores of the clients' own adapters by client and set, if clients have their own. */
  personal?: Record<string, Record<string, SetScore>>;
  /** The reasons for scores that sites do not give, by set; absent where all are given. */
  withheld?: Record<string, string>;
  /** Results of the benchmarks after this round, in the order in which they ran. */
  benchmarks?: BenchmarkMetrics[];
}

type BenchmarkMetrics = Omit<EventOf<"benchmark-end">, "type" | "round">;

type UpdateWeight = Omit<EventOf<"update-weighed">, "type" | "round" | "client">;

type SetScore = Omit<EventOf<"evaluation-end">, "type" | "round" | "set" | "client">;

/** Sums over a run. */
interface Totals {
  readonly supervisedTokens?: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly ledger?: ByteLedger;
  readonly seconds: number;
}

/** All measurements of a run, folded from its events. A second fold of an event changes nothing. */
export class Metrics {
  readonly #rounds = new Map<number, RoundMetrics>();

  /** Adds an event. Returns the round that it belongs to, if any. */
  fold(event: RunEvent): RoundMetrics | undefined {
    if (!("round" in event)) return undefined;
    const round = this.#round(event.round);
    switch (event.type) {
      case "round-start":
        round.learningRate = event.learningRate;
        break;
      case "privacy-spent": {
        const { type: _type, round: _round, ...spent } = event;
        round.privacy = spent;
        break;
      }
      case "client-update": {
        const { type: _type, round: _round, client, update: _update, ...metrics } = event;
        round.clients[client] = metrics;
        break;
      }
      case "client-refused":
        round.refused[event.client] = event.reason;
        break;
      case "update-weighed": {
        const { type: _type, round: _round, client, ...part } = event;
        (round.weights ??= byName())[client] = part;
        break;
      }
      case "evaluation-end": {
        const { type: _type, round: _round, set, client, ...score } = event;
        if (client === undefined) round.heldOut[set] = score;
        else ((round.personal ??= byName())[client] ??= byName())[set] = score;
        break;
      }
      case "evaluation-withheld": {
        const { set, client = set, reason } = event;
        (round.withheld ??= byName())[client === set ? set : `${set}, adapter of ${client}`] = reason;
        break;
      }
      case "benchmark-end": {
        const { type: _type, round: _round, ...score } = event;
        const others = (round.benchmarks ?? []).filter(
          ({ benchmark, client }) => benchmark !== score.benchmark || client !== score.client,
        );
        round.benchmarks = [...others, score];
        break;
      }
      case "round-end":
        round.loss = event.loss;
        round.seconds = event.seconds;
        break;
      default:
    }
    return round;
  }

  /** The rounds in order; round 0 holds the evaluation before training. */
  rounds(): RoundMetrics[] {
    return [...this.#rounds.values()].sort((a, b) => a.round - b.round);
  }

  /** `supervisedTokens` is absent where clients keep their figures, `ledger` where all travels as it is. */
  totals(): Totals {
    const totals = { supervisedTokens: 0, bytesUp: 0, bytesDown: 0, seconds: 0 };
    let isKept = false;
    for (const round of this.#rounds.values()) {
      for (const key of ["supervisedTokens", "bytesUp", "bytesDown"] as const) totals[key] += sumOfClients(round, key);
      isKept ||= Object.values(round.clients).some(({ supervisedTokens }) => supervisedTokens === undefined);
      const scores = [round.heldOut, ...Object.values(round.personal ?? {})].flatMap((sets) => Object.values(sets));
      const timed = [...scores, ...(round.benchmarks ?? [])];
      totals.seconds += round.seconds + timed.reduce((sum, { seconds }) => sum + seconds, 0);
    }
    const { supervisedTokens, ...others } = totals;
    const ledger = sumOfLedgers([...this.#rounds.values()].flatMap(({ clients }) => Object.values(clients)));
    return { ...others, ...(ledger && { ledger }), ...(!isKept && { supervisedTokens }) };
  }

  #round(round: number): RoundMetrics {
    let metrics = this.#rounds.get(round);
    if (metrics === undefined) {
      metrics = {
        round,
        learningRate: 0,
        loss: undefined,
        seconds: 0,
        clients: byName(),
        refused: byName(),
        heldOut: byName(),
      };
      this.#rounds.set(round, metrics);
    }
    return metrics;
  }
}

/** Adds up the ledgers of client-rounds; undefined where there is none. */
export function sumOfLedgers(clients: readonly Pick<ClientMetrics, "ledger">[]): ByteLedger | undefined {
  const ledgers = clients.flatMap(({ ledger }) => ledger ?? []);
  if (ledgers.length === 0) return undefined;
  const sum = (key: keyof ByteLedger): number => ledgers.reduce((total, ledger) => total + (ledger[key] ?? 0), 0);
  const has = (key: keyof ByteLedger): boolean => ledgers.some((ledger) => ledger[key] !== undefined);
  return {
    upFloat32: sum("upFloat32"),
    downFloat32: sum("downFloat32"),
    headers: sum("headers"),
    ...(has("masks") && { masks: sum("masks") }),
    ...(has("keys") && { keys: sum("keys") }),
  };
}

/** Sums a quantity over the clients of a round. */
export function sumOfClients({ clients }: RoundMetrics, key: "supervisedTokens" | "bytesUp" | "bytesDown"): number {
  return Object.values(clients).reduce((sum, client) => sum + (client[key] ?? 0), 0);
}

/** A record without a prototype: a client can be called `__proto__`. */
function byName<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
