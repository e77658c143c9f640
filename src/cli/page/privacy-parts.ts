import { priceOf } from "../../federation/privacy/ledger.ts";
import { rightGuesses } from "../../privacy/gaussian.ts";
import { epsilonSpent, muSquaredWithin } from "../../privacy/ledger.ts";
import { type Table, textTable } from "../tables/tables.ts";
import { formatCount, formatEpsilon, formatThreeDigits } from "../views/quantities.ts";

/** A part of the report: what is said, point by point, and in a table. */
export interface PrivacyPart {
  readonly id: string;
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly points?: readonly string[];
  readonly table?: Table;
}

/** A charge of a client's ledger: it paid for a round before the round opened. */
export interface PaidRound {
  readonly client: string;
  readonly round: number;
  readonly noiseMultiplier: number;
  readonly clip: number;
  readonly weight: number;
  readonly noiseKey: string;
}

/** The privacy of clients as a run has it. */
export interface ClientFacts {
  readonly mechanism: string;
  readonly epsilon: number;
  readonly delta: number;
  /** All clients of the run, those of the charges and those that never took part. */
  readonly clients: readonly string[];
  /** The number that sums are divided by. */
  readonly divisor: number;
  readonly charges: readonly PaidRound[];
}

/** The privacy of one client's records. */
export interface RecordFacts {
  readonly client: string;
  readonly epsilon: number;
  readonly delta: number;
  readonly clip: number;
  readonly noiseMultiplier: number;
  /** Probability that a record is in a step. */
  readonly rate: number;
  readonly steps: number;
  readonly rounds: number;
  readonly spent: number;
}

interface Account {
  readonly client: string;
  readonly rounds: number;
  readonly muSquared: number;
}

/** What each client has spent, from the charges alone. */
function accountsOf({ clients, charges }: ClientFacts): readonly Account[] {
  const accounts = new Map(clients.map((client): [string, Account] => [client, { client, rounds: 0, muSquared: 0 }]));
  for (const charge of charges) {
    const { client, rounds, muSquared } = accounts.get(charge.client)!;
    accounts.set(client, { client, rounds: rounds + 1, muSquared: muSquared + priceOf(charge) });
  }
  return [...accounts.values()];
}

const largestOf = (accounts: readonly Account[]): number => Math.max(0, ...accounts.map(({ muSquared }) => muSquared));

/** Says in one paragraph what is promised to a client, in terms of what somebody could guess. */
export function clientSummary(facts: ClientFacts): PrivacyPart {
  const { mechanism, epsilon, delta } = facts;
  const accounts = accountsOf(facts);
  const worst = largestOf(accounts);
  const spent = epsilonSpent(worst, delta);
  const percent = (mu: number): string => `${(100 * rightGuesses(mu)).toFixed(0)}%`;
  return {
    id: "promise",
    title: "What each client is promised",
    paragraphs: [
      `The unit is one client with all its records. ${mechanism === "local" ? "All that a client sends is nearly as likely with other records in place of its own" : "The result of the run is nearly as likely with a client's contribution as without it"}: ε = ${formatEpsilon(spent)} at δ = ${formatThreeDigits(delta)} for the client that spent most, of a budget of ε = ${formatThreeDigits(epsilon)} which no client can pass.`,
      `${mechanism === "local" ? "Somebody who sees all that a client sends, and guesses which of two sets of records it has," : "Somebody who sees every adapter of the run, knows all other clients' updates, and guesses whether a certain client contributed,"} is right in at most ${percent(Math.sqrt(worst))} of cases so far, and in at most ${percent(Math.sqrt(muSquaredWithin({ epsilon, delta })))} once the budget is spent. A coin is right in 50%.`,
    ],
  };
}

/** The terms in a table. */
export function clientTerms({ mechanism, epsilon, delta, clients, divisor, charges }: ClientFacts): PrivacyPart {
  const numbers = (of: (charge: PaidRound) => number): string => {
    const all = charges.map(of);
    const [least, most] = [Math.min(...all), Math.max(...all)].map(formatThreeDigits);
    return charges.length === 0 ? "–" : least === most ? least! : `${least} to ${most}`;
  };
  const keys = [...new Set(charges.map(({ noiseKey }) => noiseKey))].join(", ") || "–";
  return {
    id: "terms",
    title: "Terms",
    paragraphs: [],
    table: textTable(
      "terms of the guarantee",
      ["term", "value"],
      [
        ["unit", "one client, all its records together"],
        [
          "neighbouring runs",
          mechanism === "local"
            ? "any two updates of a client"
            : "a client's contribution to the sums replaced by zero",
        ],
        ["mechanism", MECHANISMS[mechanism] ?? mechanism],
        ["trust", TRUST[mechanism] ?? "–"],
        ["budget of each client", `ε ${formatThreeDigits(epsilon)} at δ ${formatThreeDigits(delta)}`],
        [
          "clients in all",
          `${formatCount(clients.length)}; δ is below 1/clients = ${formatThreeDigits(1 / clients.length)}`,
        ],
        ["draw of a round's clients", "public: nothing is claimed for it"],
        ["clip: longest contribution", numbers(({ clip }) => clip)],
        ["noise multiplier z", numbers(({ noiseMultiplier }) => noiseMultiplier)],
        ...(mechanism === "local"
          ? [["noise on each update", "standard deviation z times twice the clip, in each number"]]
          : [
              [
                "noise on the sum of a round",
                `standard deviation z times the clip${mechanism === "distributed" ? " or more" : ""}, in each number`,
              ],
              ["sum divided by", `${formatThreeDigits(divisor)}, whoever came`],
              ...(mechanism === "central" ? [["sha256 of the key of the noise", keys]] : []),
            ]),
      ],
      2,
    ),
  };
}

const MECHANISMS: Readonly<Record<string, string>> = {
  central: "clipped sum, discrete Gaussian noise by the coordinator (DP-FedAvg)",
  local: "each client clips its update and adds all the noise itself",
  distributed: "each client clips and adds a part of the noise; only the sum is seen (secure aggregation)",
  ftrl: "clipped sum, noise by the coordinator that is correlated over rounds (DP-FTRL)",
};

const TRUST: Readonly<Record<string, string>> = {
  central: "clients trust the coordinator with their updates, and with the noise",
  local: "none: nothing leaves a client without its noise",
  distributed: "enough clients take part honestly; the coordinator sees sums only",
  ftrl: "clients trust the coordinator with their updates, and with the noise",
};

/** What each client has spent, of what it may. */
export function clientAccounts(facts: ClientFacts): PrivacyPart {
  const { epsilon, delta, charges } = facts;
  const allowed = muSquaredWithin({ epsilon, delta });
  const last = charges.reduce<PaidRound | undefined>(
    (at, each) => (at && at.round >= each.round ? at : each),
    undefined,
  );
  const price = last === undefined ? undefined : priceOf(last);
  const left = (muSquared: number): string =>
    price === undefined || !(price > 0) ? "–" : formatCount(Math.max(0, Math.floor((allowed - muSquared) / price)));
  return {
    id: "clients",
    title: "What each client has spent",
    paragraphs: [
      `A round is charged before it opens, and no charge is taken back, also where the client sent nothing. μ² adds up; ε follows from it at δ ${formatThreeDigits(delta)}. A client takes part in no round that its budget of μ² = ${formatThreeDigits(allowed)} does not cover.`,
    ],
    table: textTable(
      "budgets of clients",
      ["client", "rounds", "μ²", "ε spent", "of ε", "rounds left"],
      accountsOf(facts).map(({ client, rounds, muSquared }) => [
        client,
        formatCount(rounds),
        formatThreeDigits(muSquared),
        formatEpsilon(epsilonSpent(muSquared, delta)),
        formatThreeDigits(epsilon),
        left(muSquared),
      ]),
    ),
  };
}

/** Every round: who paid, and the largest ε up to it. */
export function clientCourse(facts: ClientFacts): PrivacyPart {
  const { charges, delta } = facts;
  const rounds = [...new Set(charges.map(({ round }) => round))].sort((a, b) => a - b);
  return {
    id: "rounds",
    title: "Round by round",
    paragraphs: [],
    table: textTable(
      "rounds",
      ["round", "clients charged", "clip", "z", "largest ε so far"],
      rounds.map((round) => {
        const own = charges.filter((charge) => charge.round === round);
        const before = { ...facts, charges: charges.filter((charge) => charge.round <= round) };
        return [
          String(round),
          formatCount(own.length),
          formatThreeDigits(own[0]!.clip),
          formatThreeDigits(own[0]!.noiseMultiplier),
          formatEpsilon(epsilonSpent(largestOf(accountsOf(before)), delta)),
        ];
      }),
    ),
  };
}

/** The privacy of records in each client's own training. */
export function recordPart(records: readonly RecordFacts[]): PrivacyPart {
  return {
    id: "records",
    title: "What each record is promised",
    paragraphs: [
      "The unit is one record of one client, against everybody who sees what the client sends, the coordinator too. In each local step every record is drawn by a secret coin, its gradient is clipped alone, and noise is added to the sum (DP-SGD). The figures are upper bounds by Rényi accounting, for all local steps of all rounds.",
      ...(records.length === 0
        ? [
            "Each client keeps the ledger of its records in its own folder, and this folder has none. A member makes this report of its own folder.",
          ]
        : []),
    ],
    ...(records.length > 0 && { table: recordTable(records) }),
  };
}

function recordTable(records: readonly RecordFacts[]): Table {
  return textTable(
    "budgets of records",
    ["client", "coin", "clip", "z", "steps", "ε spent", "of ε", "δ"],
    records.map(({ client, rate, clip, noiseMultiplier, steps, rounds, spent, epsilon, delta }) => [
      client,
      formatThreeDigits(rate),
      formatThreeDigits(clip),
      formatThreeDigits(noiseMultiplier),
      formatCount(steps * rounds),
      formatEpsilon(spent),
      formatThreeDigits(epsilon),
      formatThreeDigits(delta),
    ]),
  );
}
