import { UserError } from "../diagnostics/user-error.ts";
import type { Bytes } from "./bytes.ts";
import { keyStream } from "./mask.ts";

/** Up to so many clients each has all others as neighbours. */
const COMPLETE_UP_TO = 100;

/** The neighbours of each client, in the order of names. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** Clients that share a secret with a client: its neighbours and itself. The place of one, from 1, is the x of its share. */
export function holdersOf(graph: Graph, client: string): readonly string[] {
  return [...graph.get(client)!, client].sort();
}

/** Each has all others. */
export function completeGraph(clients: readonly string[]): Graph {
  const sorted = [...clients].sort();
  return new Map(sorted.map((client) => [client, sorted.filter((other) => other !== client)]));
}

/** The neighbours of a client are those at most `neighbours` / 2 places away on the ring of `order` (Bell et al. 2020). */
export function circulantGraph(order: readonly string[], neighbours: number): Graph {
  const n = order.length;
  const steps = Array.from({ length: neighbours / 2 }, (_, i) => i + 1).flatMap((step) => [step, n - step]);
  const around = (place: number): string[] => steps.map((step) => order[(place + step) % n]!).sort();
  const places = new Map(order.map((client, place) => [client, place]));
  return new Map([...order].sort().map((client) => [client, around(places.get(client)!)]));
}

/** A permutation of the clients by coins of 32 bytes: Fisher and Yates, without bias. */
export async function shuffle(clients: readonly string[], coins: Bytes): Promise<string[]> {
  const order = [...clients].sort();
  const numbers = uniform32(coins);
  for (let i = order.length - 1; i > 0; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1));
    let drawn: number;
    do drawn = (await numbers.next()).value!;
    while (drawn >= limit);
    const j = drawn % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

async function* uniform32(seed: Bytes): AsyncGenerator<number, undefined> {
  for await (const piece of keyStream(seed, 1 << 20)) yield* new Uint32Array(piece);
  throw new Error("no more coins");
}

/** Number of neighbours, and the number of holders whose shares give a secret back. */
export interface GraphSize {
  readonly neighbours: number;
  readonly threshold: number;
}

export interface GraphSettings {
  /** Even. Default: all others up to 100 clients, then by `smallestGraph`. */
  readonly neighbours?: number | undefined;
  /** Default: by the number of holders. */
  readonly threshold?: number | undefined;
  /** True against a coordinator that does not follow the protocol. */
  readonly active: boolean;
}

/**
 * The size of the graph of a round. The complete graph has the threshold ⌊n/2⌋ + 1, against an active adversary ⌊2n/3⌋ + 1
 * (Bonawitz et al. 2017, sections 6.1 and 6.2). Larger cohorts bear 10% corrupt and 10% lost clients; against an active
 * adversary 33% and 5%.
 *
 * @throws UserError of kind `config` for a size that protects nothing or cannot be.
 */
export function graphSize(clients: number, { neighbours, threshold, active }: GraphSettings): GraphSize {
  const most = (holders: number): number => Math.floor(active ? (2 * holders) / 3 : holders / 2) + 1;
  if (neighbours === undefined && clients > COMPLETE_UP_TO) {
    const found = smallestGraph(clients, active ? 0.33 : 0.1, active ? 0.05 : 0.1);
    if (found !== undefined) return { ...found, threshold: threshold ?? found.threshold };
  }
  const wanted = Math.min(neighbours ?? clients - 1, clients - 1);
  const chosen = wanted < clients - 1 ? wanted - (wanted % 2) : wanted;
  const size = { neighbours: chosen, threshold: threshold ?? most(chosen + 1) };
  if (size.neighbours > 254) {
    throw new UserError("config", `secureAggregation.neighbours is ${size.neighbours}, expected at most 254`);
  }
  if (size.threshold > size.neighbours + 1 || size.threshold <= (size.neighbours + 1) / 2) {
    throw new UserError(
      "config",
      `secureAggregation.threshold is ${size.threshold} with ${size.neighbours} neighbours, expected ` +
        `${Math.floor((size.neighbours + 1) / 2) + 1} to ${size.neighbours + 1}`,
      { hint: "Half of the holders or fewer could open a client; more than there are cannot answer." },
    );
  }
  return size;
}

/**
 * The smallest graph in which, over all clients, secrets open to the corrupt with a probability below 2⁻⁴⁰ and cannot be
 * recovered with one below 2⁻²⁰ (hypergeometric tails, union bound). `corrupt`, `dropout`: shares of the clients. Undefined
 * where there is none below `clients` neighbours.
 */
export function smallestGraph(clients: number, corrupt: number, dropout: number): GraphSize | undefined {
  const tail = hypergeometricTail(clients - 1);
  const [bad, lost] = [Math.floor(corrupt * clients), Math.floor(dropout * clients)];
  for (let neighbours = 4; neighbours < clients; neighbours += 2) {
    for (let threshold = neighbours / 2 + 1; threshold <= neighbours; threshold++) {
      const opened = clients * tail(bad, neighbours, threshold);
      const unrecoverable = clients * tail(lost, neighbours, neighbours - threshold + 1);
      if (opened < 2 ** -40 && unrecoverable < 2 ** -20) return { neighbours, threshold };
    }
  }
  return undefined;
}

/** Gives P(X ≥ x), X the marked ones among `drawn` of `total` of which `marked` are marked. */
function hypergeometricTail(total: number): (marked: number, drawn: number, x: number) => number {
  const logFactorial = new Float64Array(total + 1);
  for (let i = 2; i <= total; i++) logFactorial[i] = logFactorial[i - 1]! + Math.log(i);
  const logChoose = (n: number, k: number): number => logFactorial[n]! - logFactorial[k]! - logFactorial[n - k]!;
  return (marked, drawn, x) => {
    let sum = 0;
    for (let i = Math.max(x, drawn - (total - marked)); i <= Math.min(drawn, marked); i++) {
      sum += Math.exp(logChoose(marked, i) + logChoose(total - marked, drawn - i) - logChoose(total, drawn));
    }
    return sum;
  };
}
