import { UserError } from "../../diagnostics/user-error.ts";
import { type AdaptiveClip, defaultCountDeviation } from "../../privacy/adaptive-clip.ts";
import type { PrivacyBudget } from "../../privacy/ledger.ts";
import type { Store } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import type { Aggregator } from "../../updates/aggregator.ts";
import type { GroupScales } from "../../updates/clipped.ts";
import { type FollowingClip, privateMean } from "../../updates/private-mean.ts";
import { drawCohort, type Draw } from "../cohort.ts";
import type { EventOf } from "../events.ts";
import { createMessage, readHead, readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { type RoundOpening, roundOpening } from "../protocol/messages.ts";
import { clipOfRound, ownKeys } from "./messages.ts";
import { PrivacyLedger, priceOf } from "./ledger.ts";
import { readSecretKey, secretKeyIn } from "./secret-key.ts";

/** The privacy of clients as the settings of a run fix it. */
export interface ClientPrivacyRules {
  /**
   * `central`: the coordinator adds the noise. `local`: each client does, and any aggregator makes the mean. `distributed`: the
   * clients do together, and secure aggregation makes it.
   */
  readonly mechanism: "central" | "local" | "distributed";
  readonly budget: PrivacyBudget;
  readonly noiseMultiplier: number;
  /** Largest norm of a client's contribution, or the rule by which it follows the norms. */
  readonly clip: number | AdaptiveClip;
  /** Factors on groups within the clip. Default: 1 for each. */
  readonly scales?: GroupScales | undefined;
  /** qN: clients that a round plans with. The sum is divided by it. */
  readonly expectedClients: number;
}

export interface PrivateRoundsOptions {
  /** The coordinator's own store: the key of the noise and the ledger. Nothing in it travels. */
  readonly own: Store;
  readonly exchange: Store;
  /** Stands for the run. */
  readonly identity: string;
  readonly rules: ClientPrivacyRules;
}

/** The coordinator's part in the privacy of clients: who may still take part, what a round costs, and the noise on its sum. */
export class PrivateRounds {
  readonly #own: Store;
  readonly #rules: ClientPrivacyRules;
  readonly #ledger: PrivacyLedger;
  readonly #noiseKey: string;
  /** Makes the mean of a round, with noise; undefined where the clients add it. */
  readonly aggregator: Aggregator | undefined;

  private constructor(
    { own, identity, rules }: PrivateRoundsOptions,
    ledger: PrivacyLedger,
    key: Uint8Array,
    noiseKey: string,
  ) {
    this.#own = own;
    this.#rules = rules;
    this.#ledger = ledger;
    this.#noiseKey = noiseKey;
    // A round has the noise that was paid for, also where the run was lengthened since.
    const terms = (round: number) => ledger.termsOf(round)!;
    const { clip, expectedClients, mechanism, scales } = rules;
    const following = typeof clip === "number" ? undefined : this.#following(clip);
    this.aggregator =
      mechanism === "central"
        ? privateMean({ terms, divisor: expectedClients, key, run: identity, scales, following })
        : undefined;
  }

  /**
   * Opens the ledger and the key of the noise, or makes them where the run has not begun.
   *
   * @throws UserError of kind `storage` where a round was opened, and the key or a charge of it is not here.
   */
  static async open(options: PrivateRoundsOptions): Promise<PrivateRounds> {
    const { own, exchange, rules } = options;
    const opened = await openings(exchange);
    if (opened.length > 0 && (await readSecretKey(own)) === undefined)
      throw lost("the key of its noise", opened.length);
    const ledger = await PrivacyLedger.open(own, rules.budget);
    for (const { round, clients } of opened) {
      const free = clients.find((client) => !ledger.has(client, round));
      if (free !== undefined) throw lost(`the charge of client ${free} for round ${round}`, opened.length);
    }
    const key = await secretKeyIn(own);
    return new PrivateRounds(options, ledger, key, await sha256(key));
  }

  /** The members that can pay for a round. */
  withBudget(members: Iterable<string>, round: number): string[] {
    const price = priceOf(this.#terms);
    return [...members].filter((client) => this.#ledger.mayPay(client, round, price));
  }

  /**
   * Draws the clients of a round: of those with budget, the ones that took part least. So all spend alike, and nobody runs
   * out while others have budget left.
   *
   * @throws UserError of kind `training` where fewer than `fewest` have budget.
   */
  draw({ members, available, ...sampling }: Draw, round: number, fewest: number): string[] {
    const all = [...members];
    const able = this.withBudget(all, round);
    if (able.length < Math.max(1, fewest)) throw this.#spent(all, able, round, fewest);
    const count = Math.min(sampling.perRound, able.length);
    const isThere = (client: string): boolean => available?.has(client) ?? true;
    const ranks = new Map(
      able.map((client) => [client, (isThere(client) ? 0 : 1e9) + this.#ledger.roundsBefore(client, round)]),
    );
    const drawn: string[] = [];
    for (const rank of [...new Set(ranks.values())].sort((a, b) => a - b)) {
      const alike = able.filter((client) => ranks.get(client) === rank);
      drawn.push(...drawCohort({ ...sampling, perRound: Math.max(0, count - drawn.length), members: alike }, round));
    }
    return drawn.sort();
  }

  /** Charges the clients of a round. To be called before the round opens. */
  async charge(clients: readonly string[], round: number): Promise<void> {
    const clip = await this.#clipOf(round);
    for (const client of clients) {
      await this.#ledger.charge({ client, round, ...this.#terms, clip, noiseKey: this.#noiseKey });
    }
  }

  /** The clip that clients have to be told, as it follows the norms; undefined for one that is in the settings. */
  async toldClip(round: number): Promise<number | undefined> {
    return typeof this.#rules.clip === "number" ? undefined : this.#clipOf(round);
  }

  async #clipOf(round: number): Promise<number> {
    const { clip } = this.#rules;
    if (typeof clip === "number") return clip;
    if (round === 1) return clip.start;
    const kept = await readMessage(this.#own, ownKeys.clip(round), clipOfRound);
    if (kept === undefined) throw lost(`the clip of round ${round}`, round - 1);
    return kept;
  }

  #following(clip: AdaptiveClip): FollowingClip {
    return {
      ...clip,
      countDeviation: defaultCountDeviation(this.#rules.expectedClients),
      keep: async (round, next) => {
        await createMessage(this.#own, ownKeys.clip(round), clipOfRound, next);
      },
    };
  }

  /** Tells what the clients of a round have spent, with that round. */
  spentBy({ round, clients }: RoundOpening): EventOf<"privacy-spent"> {
    const { budget, mechanism, expectedClients } = this.#rules;
    const { noiseMultiplier, clip } = this.#ledger.termsOf(round)!;
    const spent = clients.map((client) => ({ client, epsilon: this.#ledger.epsilonOf(client, round) }));
    return {
      type: "privacy-spent",
      round,
      mechanism,
      epsilon: Math.max(0, ...spent.map(({ epsilon }) => epsilon)),
      budget: budget.epsilon,
      delta: budget.delta,
      noiseMultiplier,
      clip,
      divisor: expectedClients,
      noiseKey: this.#noiseKey,
      clients: spent,
    };
  }

  get #terms() {
    // What a round costs does not rest on its clip, for the noise grows with it.
    return { noiseMultiplier: this.#rules.noiseMultiplier, clip: 1, sampling: 1, weight: 1 };
  }

  #spent(all: readonly string[], able: readonly string[], round: number, fewest: number): UserError {
    const { epsilon, delta } = this.#rules.budget;
    const out = all.filter((client) => !able.includes(client));
    const [first] = out;
    if (first === undefined) {
      return new UserError("training", `Round ${round} has ${all.length} members and needs ${fewest}.`, {
        hint: "Run the same command again once clients have joined.",
      });
    }
    const after = this.#ledger.roundsBefore(first, round);
    const one = `Client ${first} has spent its budget (ε ${this.#ledger.epsilonOf(first, round - 1).toFixed(2)} of ${epsilon} at δ ${shownDelta(delta)} after ${after === 1 ? "1 round" : `${after} rounds`})`;
    const others = out.length === 1 ? "" : `, and so have ${out.length - 1} others`;
    return new UserError(
      "training",
      `${one}${others}: round ${round} needs at least ${Math.max(1, fewest)} with budget left, and has ${able.length}.`,
      {
        hint: `The ${round - 1} rounds are kept, and so is their adapter. More rounds need another run with a larger privacy.client.epsilon or noiseMultiplier.`,
      },
    );
  }
}

/** δ as people write it: 1e-5. */
export function shownDelta(delta: number): string {
  return Number(delta.toPrecision(2)).toExponential();
}

async function openings(exchange: Store): Promise<RoundOpening[]> {
  const rounds = ((await readHead(exchange))?.head.round ?? 0) + 1;
  const found: RoundOpening[] = [];
  for (let round = 1; round <= rounds; round++) {
    const opening = await readMessage(exchange, keys.opening(round), roundOpening);
    if (opening !== undefined) found.push(opening);
  }
  return found;
}

function lost(what: string, rounds: number): UserError {
  return new UserError(
    "storage",
    `${rounds} rounds of this private run were opened, and ${what} is not in its folder: nobody can say what was spent.`,
    { hint: "Put the folder private/ of the run back as it was. Without it, start a new run." },
  );
}
