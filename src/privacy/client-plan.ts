import { gaussianEpsilon } from "./gaussian.ts";
import { pldEpsilon } from "./pld.ts";
import { rdpEpsilon } from "./rdp.ts";

/** The mechanisms of `privacy.client` that can be planned. */
export type PlannedMechanism = "central" | "local" | "distributed";

/** A run whose clients are protected, as it is planned. */
export interface ClientTerms {
  /** Clients of the federation, N, and those that take part in a round, m. */
  readonly clients: number;
  readonly perRound: number;
  readonly rounds: number;
  /** Budget of each client. */
  readonly epsilon: number;
  readonly delta: number;
  /** z, for noise of standard deviation z·C on the sum of a round, or 2z·C on each update (local). */
  readonly noiseMultiplier: number;
  readonly mechanism: PlannedMechanism;
  /** Clients whose parts of the noise are z·C together, for `distributed`; the others add more. */
  readonly enough: number;
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

/** The terms that the size of the noise depends on. */
type NoiseTerms = Pick<ClientTerms, "noiseMultiplier" | "mechanism" | "enough" | "length" | "perRound">;

/**
 * The expected norm of the noise on a round's mean over C, the largest norm of the mean of clipped updates: z·√d/m for noise
 * on the sum. Where all m clients add noise it grows with √m.
 */
export function noiseToSignal(terms: NoiseTerms): number {
  const { noiseMultiplier, mechanism, length, perRound } = terms;
  return mechanism === "central"
    ? (noiseMultiplier * Math.sqrt(length)) / perRound
    : noiseOfOne(terms) * Math.sqrt(length / perRound);
}

/** Standard deviation over C of the noise that each client adds. */
function noiseOfOne({ noiseMultiplier, mechanism, enough }: NoiseTerms): number {
  return mechanism === "local" ? 2 * noiseMultiplier : noiseMultiplier / Math.sqrt(enough);
}

/** Where `noiseToSignal` is 1, the other terms and the share of clients a round being kept. */
function breakEven(terms: ClientTerms): ClientPlan["breakEven"] {
  const { noiseMultiplier: z, mechanism, length, perRound } = terms;
  if (mechanism === "central") {
    return { perRound: Math.ceil(z * Math.sqrt(length)), length: Math.floor((perRound / z) ** 2) };
  }
  const square = noiseOfOne(terms) ** 2;
  return { perRound: Math.ceil(square * length), length: Math.floor(perRound / square) };
}

/** Rounds at about equal distances, the last among them. */
function shownRounds(rounds: number): number[] {
  const count = Math.min(COURSE_ROWS, rounds);
  return Array.from({ length: count }, (_, i) => Math.round(((i + 1) * rounds) / count));
}
