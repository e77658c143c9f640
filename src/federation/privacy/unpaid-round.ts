import type { MemberStore } from "../../store/store.ts";
import { readTheirs } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { type RoundClose, roundClose, submission } from "../protocol/messages.ts";

/** Says whether a client sent an update in a round, as the exchange has it. A refusal is none; a damaged answer may be one. */
async function tookPart(exchange: MemberStore, client: string, round: number): Promise<boolean> {
  const answer = await readTheirs(exchange, keys.update(round, client), submission);
  if (answer !== undefined && (answer instanceof Error || !("refused" in answer))) return true;
  // With secure aggregation a close alone says who took part.
  const close = await readTheirs(exchange, keys.close(round), roundClose);
  return close !== undefined && !(close instanceof Error) && isIn(close, client, round);
}

/** Finds a round from `from` on and before `before` in which a client took part and that `isPaid` does not know. */
export async function unpaidRound(
  exchange: MemberStore,
  client: string,
  { from, before }: { readonly from: number; readonly before: number },
  isPaid: (round: number) => boolean | Promise<boolean>,
): Promise<number | undefined> {
  for (let round = from; round < before; round++) {
    if (!(await isPaid(round)) && (await tookPart(exchange, client, round))) return round;
  }
  return undefined;
}

/** True where an update of the client that answers this round is in it. */
function isIn({ accepted }: RoundClose, client: string, round: number): boolean {
  return accepted.some((entry) => entry.client === client && (entry.round ?? round) === round);
}
