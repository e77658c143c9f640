import { UserError } from "../../diagnostics/user-error.ts";
import type { PrivacyBudget } from "../../privacy/ledger.ts";
import type { MemberStore, Store } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { PrivacyLedger } from "./ledger.ts";
import type { Protect } from "./protect.ts";
import { secretKeyIn } from "./secret-key.ts";
import { unpaidRound } from "./unpaid-round.ts";

export interface OwnLedgerOptions {
  /** The client's own store: its secret key and its ledger. */
  readonly own: Store;
  readonly exchange: MemberStore;
  readonly budget: PrivacyBudget;
  readonly clip: number;
  /** z of the noise that hides the client's update. */
  readonly noiseMultiplier: number;
}

/** Pays for a round of a client, once however often it is begun again. */
export type Pay = (client: string, round: number) => Promise<void>;

/**
 * The ledger that a client keeps of itself, where it need not trust the coordinator: it counts the rounds that the client was asked
 * for, whatever the coordinator's ledger says.
 *
 * @throws UserError: `storage` where an update was sent that the ledger lacks, `training` where the budget is spent.
 */
export function ownLedger({ own, exchange, budget, clip, noiseMultiplier }: OwnLedgerOptions): Pay {
  let opened: Promise<PrivacyLedger> | undefined;
  return async (client, round) => {
    const ledger = await (opened ??= PrivacyLedger.open(own, budget));
    const noiseKey = await sha256(await secretKeyIn(own));
    if (!ledger.has(client, round)) await check(ledger, exchange, client, round, noiseMultiplier);
    await ledger.charge({ client, round, noiseMultiplier, clip, sampling: 1, weight: 1, noiseKey });
  };
}

/** Pays for a round before an update is made ready for it. */
export function paidFor(pay: Pay, protect: Protect): Protect {
  return async (update, place) => {
    await pay(place.client, place.round);
    return protect(update, place);
  };
}

async function check(
  ledger: PrivacyLedger,
  exchange: MemberStore,
  client: string,
  round: number,
  noiseMultiplier: number,
): Promise<void> {
  const unpaid = await unpaidRound(exchange, client, { from: 1, before: round }, (earlier) =>
    ledger.has(client, earlier),
  );
  if (unpaid !== undefined) {
    throw new UserError(
      "storage",
      `Client ${client} sent an update in round ${unpaid}, and its ledger has no charge for it: nobody can say what was spent.`,
      { hint: "Continue with the folder (--out) that the client had then. Nothing was sent." },
    );
  }
  if (ledger.mayPay(client, round, 1 / noiseMultiplier ** 2)) return;
  const { epsilon, delta } = ledger.budget;
  throw new UserError(
    "training",
    `Client ${client} has spent its budget (ε ${ledger.epsilonOf(client, round).toFixed(2)} of ${epsilon} at δ ${delta}), and was drawn for round ${round} all the same.`,
    { hint: "Nothing was sent. Ask whoever leads the run." },
  );
}
