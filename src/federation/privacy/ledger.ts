import { epsilonSpent, mayTakePart, muSquaredOf, muSquaredWithin, type PrivacyBudget } from "../../privacy/ledger.ts";
import type { Store } from "../../store/store.ts";
import { createMessage, readMessage } from "../protocol/cells.ts";
import { type Charge, charge, ownKeys } from "./messages.ts";

/** What a client has paid, μ² by round. */
type Account = ReadonlyMap<number, number>;

/**
 * The ledger of each client: cells of the coordinator's own store that are written once. In memory it is only kept. No charge is
 * ever taken back.
 */
export class PrivacyLedger {
  readonly #own: Store;
  readonly budget: PrivacyBudget;
  readonly #allowed: number;
  readonly #accounts = new Map<string, Map<number, number>>();
  readonly #terms = new Map<number, Charge>();

  private constructor(own: Store, budget: PrivacyBudget, charges: readonly Charge[]) {
    this.#own = own;
    this.budget = budget;
    this.#allowed = muSquaredWithin(budget);
    for (const each of charges) this.#enter(each);
  }

  static async open(own: Store, budget: PrivacyBudget): Promise<PrivacyLedger> {
    return new PrivacyLedger(own, budget, await chargesIn(own));
  }

  has(client: string, round: number): boolean {
    return this.#accounts.get(client)?.has(round) ?? false;
  }

  /** Clip and noise of a round that was charged, the largest noise of any charge; undefined where none was. */
  termsOf(round: number): Pick<Charge, "clip" | "noiseMultiplier"> | undefined {
    return this.#terms.get(round);
  }

  /** Rounds before `round` that a client has paid for. */
  roundsBefore(client: string, round: number): number {
    return [...this.#account(client).keys()].filter((earlier) => earlier < round).length;
  }

  /** True where a client that pays `price` (μ²) for `round` stays within its budget. */
  mayPay(client: string, round: number, price: number): boolean {
    return mayTakePart(this.#spent(client, round - 1), price, this.#allowed);
  }

  /** ε that a client has spent, up to and with `round`. */
  epsilonOf(client: string, round: number): number {
    return epsilonSpent(this.#spent(client, round), this.budget.delta);
  }

  /** Writes a charge. Where the client was charged for the round before, nothing changes. */
  async charge(of: Charge): Promise<void> {
    this.#enter(await createMessage(this.#own, ownKeys.charge(of.client, of.round), charge, of));
  }

  #enter(entry: Charge): void {
    const account = this.#accounts.get(entry.client) ?? new Map<number, number>();
    this.#accounts.set(entry.client, account.set(entry.round, priceOf(entry)));
    // A round that was charged anew after a crash, under terms of a longer run, has the larger noise: it is what somebody paid for.
    const known = this.#terms.get(entry.round);
    if (known === undefined || known.noiseMultiplier < entry.noiseMultiplier) this.#terms.set(entry.round, entry);
  }

  #account(client: string): Account {
    return this.#accounts.get(client) ?? new Map();
  }

  #spent(client: string, round: number): number {
    let sum = 0;
    for (const [earlier, price] of this.#account(client)) if (earlier <= round) sum += price;
    return sum;
  }
}

/** Reads all charges of a party's own store. */
export async function chargesIn(own: Store): Promise<Charge[]> {
  const charges: Charge[] = [];
  for (const key of await own.list(ownKeys.ledger)) charges.push((await readMessage(own, key, charge))!);
  return charges;
}

/** μ² of a charge. */
export function priceOf({
  weight,
  clip,
  noiseMultiplier,
}: Pick<Charge, "weight" | "clip" | "noiseMultiplier">): number {
  return muSquaredOf({ weight, clip, noiseDeviation: noiseMultiplier * clip });
}
