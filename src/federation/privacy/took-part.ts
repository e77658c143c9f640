import type { MemberStore } from "../../store/store.ts";
import { readTheirs } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { type RoundClose, roundClose, submission } from "../protocol/messages.ts";

/** Says whether a client sent an update in a round, as the exchange has it. A refusal is none; a damaged answer may be one. */
export async function tookPart(exchange: MemberStore, client: string, round: number): Promise<boolean> {
  const answer = await readTheirs(exchange, keys.update(round, client), submission);
  if (answer !== undefined && (answer instanceof Error || !("refused" in answer))) return true;
  // With secure aggregation a close alone says who took part.
  const close = await readTheirs(exchange, keys.close(round), roundClose);
  return close !== undefined && !(close instanceof Error) && isIn(close, client, round);
}

/** True where an update of the client that answers this round is in it. */
function isIn({ accepted }: RoundClose, client: string, round: number): boolean {
  return accepted.some((entry) => entry.client === client && (entry.round ?? round) === round);
}
