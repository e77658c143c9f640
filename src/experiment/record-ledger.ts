import { UserError } from "../diagnostics/user-error.ts";
import { createMessage, isWritten, readMessage } from "../federation/protocol/cells.ts";
import { keys } from "../federation/protocol/keys.ts";
import { unpaidRound } from "../federation/privacy/unpaid-round.ts";
import { rdpOfSampledGaussian } from "../privacy/rdp.ts";
import { filterAt, filterEpsilon, filterFor, noiseForSteps, wholeTimes } from "../privacy/renyi-filter.ts";
import { newSecretKey } from "../privacy/secret-stream.ts";
import { toHex } from "../secagg/bytes.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { RecordPrivacy } from "../settings/record-privacy.ts";
import { type Checked, count, hash, measured, message, text } from "../store/check.ts";
import { keySegment, type MemberStore, type Store } from "../store/store.ts";

/** The terms under which a client began. They hold to the end of the run, however long it becomes. */
const recordTerms = message({
  client: text,
  /** 32 secret bytes, from which all coins and all noise of the client are derived. */
  key: hash,
  epsilon: measured,
  delta: measured,
  clip: measured,
  /** q: probability that a record is in a step. */
  rate: measured,
  noiseMultiplier: measured,
  /** Optimizer steps of a round. */
  steps: count,
  /** Order of the Rényi filter. */
  order: measured,
});
export type RecordTerms = Checked<typeof recordTerms>;

/** A round that the client pays for. `sent` stands for all that it trains from. */
const charge = message({ round: count, sent: text });

const cells = {
  all: "record-privacy/",
  terms: (client: string): string => `${cells.all}${keySegment(client)}/terms`,
  charges: (client: string): string => `${cells.all}${keySegment(client)}/rounds/`,
  charge: (client: string, round: number): string => `${cells.charges(client)}${keys.round(round)}`,
};

/** The steps of a client's round, as its records and the settings make them. */
export interface RoundSteps {
  readonly rate: number;
  readonly steps: number;
}

export interface RecordLedger {
  /** Says why the client's budget does not allow the round; undefined where it does, or where the round is paid for. */
  refuse(round: number, client: string): Promise<string | undefined>;
  /** Pays for a round before anything of it is computed, once however often it is begun again. Returns the client's terms. */
  charge(round: number, client: string, sent: string): Promise<RecordTerms>;
}

/** What a client has spent. */
export interface RecordSpending extends Omit<RecordTerms, "key"> {
  readonly rounds: number;
  /** ε that the rounds have cost, at `delta`. */
  readonly spent: number;
}

/**
 * The ledger of each client for the privacy of its records, in the clients' own store: cells written once, nothing is taken
 * back. The key is stored before anything is made of it, so a round that is begun again has the same coins and the same
 * noise. `commits` is the exchange: it says which rounds a client has answered.
 *
 * @throws UserError of kind `data` where a paid round is missing, `config` where the run has other terms than the client began
 * with, `storage` where a round was begun from something else.
 */
export function recordLedger(
  own: Store,
  commits: MemberStore,
  { privacy, federation }: Pick<ExperimentConfig, "federation"> & { readonly privacy: RecordPrivacy },
  stepsOf: (client: string) => RoundSteps,
): RecordLedger {
  /** Rounds below this one were compared with the exchange. */
  const compared = new Map<string, number>();

  async function refuseLost(client: string, round: number): Promise<void> {
    const rounds = { from: compared.get(client) ?? 1, before: round };
    const unpaid = await unpaidRound(commits, client, rounds, (earlier) =>
      isWritten(own, cells.charge(client, earlier)),
    );
    if (unpaid !== undefined) throw lost(client, unpaid);
    compared.set(client, round);
  }

  async function begin(client: string): Promise<RecordTerms> {
    const { rate, steps } = stepsOf(client);
    const { epsilon, delta, clip } = privacy;
    const found = await readMessage(own, cells.terms(client), recordTerms);
    if (found !== undefined) {
      refuseOtherTerms(found, { epsilon, delta, clip, rate, steps });
      return found;
    }
    const { noiseMultiplier, order } = noiseOf(privacy, rate, federation.rounds * steps);
    const terms = { client, key: toHex(newSecretKey()), epsilon, delta, clip, rate, noiseMultiplier, steps, order };
    return createMessage(own, cells.terms(client), recordTerms, terms);
  }

  return {
    async refuse(round, client) {
      await refuseLost(client, round);
      if (await isWritten(own, cells.charge(client, round))) return undefined;
      const terms = await begin(client);
      const rounds = (await own.list(cells.charges(client))).length;
      if (roundsWithin(terms) > rounds) return undefined;
      const { epsilon, delta } = terms;
      const spent = epsilonAfter(terms, rounds).toFixed(2);
      return `it has spent its budget (ε ${spent} of ${epsilon} at δ ${delta} after ${rounds} rounds)`;
    },
    async charge(round, client, sent) {
      const terms = await begin(client);
      const paid = await createMessage(own, cells.charge(client, round), charge, { round, sent });
      if (paid.sent !== sent) throw begunOtherwise(client, round);
      return terms;
    },
  };
}

/** The noise of a client's steps, and the order of its filter: as set, or such that all steps of the run fit in the budget. */
export function noiseOf(
  privacy: RecordPrivacy,
  rate: number,
  steps: number,
): Pick<RecordTerms, "noiseMultiplier" | "order"> {
  const noiseMultiplier = privacy.noiseMultiplier ?? noiseForSteps(rate, steps, privacy);
  return { noiseMultiplier, order: filterFor({ rate, noiseMultiplier }, privacy).filter.order };
}

/** Reads what the clients of a store have spent, those that have begun, by name. */
export async function recordSpending(own: Store): Promise<readonly RecordSpending[]> {
  const all: RecordSpending[] = [];
  for (const cell of (await own.list(cells.all)).filter((key) => key.endsWith("/terms"))) {
    const found = (await readMessage(own, cell, recordTerms))!;
    const { key: _key, ...terms } = found;
    const rounds = (await own.list(cells.charges(terms.client))).length;
    all.push({ ...terms, rounds, spent: epsilonAfter(found, rounds) });
  }
  return all;
}

/** Divergence of one round at the order of the filter. */
const divergenceOf = ({ rate, noiseMultiplier, steps, order }: RecordTerms): number =>
  steps * rdpOfSampledGaussian(rate, noiseMultiplier, order);

/** Rounds that the budget allows. */
function roundsWithin(terms: RecordTerms): number {
  const { allowed } = filterAt(terms, terms.order);
  return wholeTimes(allowed / divergenceOf(terms));
}

function epsilonAfter(terms: RecordTerms, rounds: number): number {
  return filterEpsilon(terms, rounds * divergenceOf(terms), terms.delta);
}

function refuseOtherTerms(began: RecordTerms, now: Omit<RecordTerms, "client" | "key" | "noiseMultiplier" | "order">) {
  for (const [name, value] of Object.entries(now)) {
    const before = began[name as keyof typeof now];
    if (before === value) continue;
    throw new UserError(
      "config",
      `client ${began.client} began with ${TERMS[name as keyof typeof now]} ${before}, and now it is ${value}`,
      { hint: "What was trained cannot be noised anew: put the settings back, or start a new run." },
    );
  }
}

const TERMS = {
  epsilon: "privacy.record.epsilon",
  delta: "privacy.record.delta",
  clip: "privacy.record.clip",
  rate: "a share of records in a step of",
  steps: "a number of local steps of",
};

function lost(client: string, round: number): UserError {
  return new UserError(
    "data",
    `Client ${client} took part in round ${round}, and its privacy ledger has no such round.`,
    {
      hint: "Continue with the folder (--out) that the client had then. Without it, start a new run.",
    },
  );
}

function begunOtherwise(client: string, round: number): UserError {
  return new UserError(
    "storage",
    `Client ${client} began round ${round} from another adapter than the exchange has now.`,
    { hint: "The same noise on two trainings would show their difference. Put the exchange back, or start a new run." },
  );
}
