import { gaussianEpsilon } from "./gaussian.ts";
import { pldEpsilon } from "./pld.ts";
import { rdpEpsilon } from "./rdp.ts";

/** A run whose clients are protected, as it is planned. */
export interface ClientTerms {
  /** Clients of the federation, N, and those that take part in a round, m. */
  readonly clients: number;
  readonly perRound: number;
  readonly rounds: number;
  /** Budget of each client. */
  readonly epsilon: number;
  readonly delta: number;
  /** z. Central noise has standard deviation z·C on the sum of a round, local noise 2z·C on each update. */
  readonly noiseMultiplier: number;
  readonly isLocal: boolean;
  /** Numbers in an update. */
  readonly length: number;
}

/** What a planned run costs its clients, and whether its noise leaves a signal. */
export interface ClientPlan {
  /** Rounds that a client takes part in at most, all taking part alike. */
  readonly participations: number;
  /** ε of such a client after some rounds, the last among them. */
  readonly course: readonly { readonly round: number; readonly participations: number; readonly epsilon: number }[];
  /** The norm of the noise on the mean of a round over the largest norm of the mean. */
  readonly noiseToSignal: number;
  /** Clients a round, and numbers in an update, with which the noise would be as long as the signal. */
  readonly breakEven: { readonly perRound: number; readonly length: number };
  /** ε after all rounds for what may be known of the draw. */
  readonly draws: {
    /** Known to all, all taking part alike: exact. */
    readonly publicDraw: number;
    /** A client that is in every round: exact. */
    readonly everyRound: number;
    /** A secret coin for each client and round: by Rényi orders, and by the loss distribution (absent for δ below 10⁻¹¹). */
    readonly secretRenyi: number;
    readonly secretLoss: number | undefined;
  };
}

/** Rows of `ClientPlan.course` at most. */
const COURSE_ROWS = 8;

/** Plans the privacy of clients. It computes no step and reads no record. */
export function planClients(terms: ClientTerms): ClientPlan {
  const { clients, perRound, rounds, delta, noiseMultiplier } = terms;
  const rate = perRound / clients;
  const participationsBy = (round: number): number => Math.ceil((round * perRound) / clients);
  const epsilonAfter = (times: number): number => gaussianEpsilon(Math.sqrt(times) / noiseMultiplier, delta);
  const all = [{ rate, noiseMultiplier, rounds }];
  return {
    participations: participationsBy(rounds),
    course: shownRounds(rounds).map((round) => {
      const participations = participationsBy(round);
      return { round, participations, epsilon: epsilonAfter(participations) };
    }),
    noiseToSignal: noiseToSignal(terms),
    breakEven: breakEven(terms),
    draws: {
      publicDraw: epsilonAfter(participationsBy(rounds)),
      everyRound: epsilonAfter(rounds),
      secretRenyi: rdpEpsilon(all, delta).epsilon,
      secretLoss: delta < 1e-11 ? undefined : pldEpsilon(all, delta),
    },
  };
}

/**
 * The expected norm of the noise on a round's mean over C, the largest norm of the mean of clipped updates: z·√d/m for
 * noise on the sum, 2z·√(d/m) where each client adds its own.
 */
export function noiseToSignal({
  noiseMultiplier,
  isLocal,
  length,
  perRound,
}: Pick<ClientTerms, "noiseMultiplier" | "isLocal" | "length" | "perRound">): number {
  return isLocal
    ? 2 * noiseMultiplier * Math.sqrt(length / perRound)
    : (noiseMultiplier * Math.sqrt(length)) / perRound;
}

/** Where `noiseToSignal` is 1, the other terms and the share of clients a round being kept. */
function breakEven({ noiseMultiplier, isLocal, length, perRound }: ClientTerms): ClientPlan["breakEven"] {
  const strength = isLocal ? 2 * noiseMultiplier : noiseMultiplier;
  return isLocal
    ? { perRound: Math.ceil(strength ** 2 * length), length: Math.floor(perRound / strength ** 2) }
    : { perRound: Math.ceil(strength * Math.sqrt(length)), length: Math.floor((perRound / strength) ** 2) };
}

/** Rounds at about equal distances, the last among them. */
function shownRounds(rounds: number): number[] {
  const count = Math.min(COURSE_ROWS, rounds);
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * rounds) / count));
}
