import { type Bytes, fromBase64 } from "../../secagg/bytes.ts";
import type { Cohort } from "../../secagg/cohort.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { type Answer, type Parties, recoverSecrets, type Recovery } from "../../secagg/unmask.ts";
import { MismatchError } from "../../store/check.ts";
import { keySegment, type Store } from "../../store/store.ts";
import { readMessage, readTheirs } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import type { RoundOpening } from "../protocol/messages.ts";
import { type KeyList, keyList, type Remaining, remaining, unmasking } from "../protocol/secure-messages.ts";
import { cohortOf } from "./secure-cohort.ts";

/** A secure round whose survivors are settled. */
export interface PlayedRound {
  readonly list: KeyList;
  readonly cohort: Cohort;
  readonly survivors: Remaining;
  readonly parties: Parties;
}

/** Reads a round as its cells tell it; undefined before its survivors are settled. */
export async function readPlayed(
  store: Store,
  run: string,
  opening: RoundOpening,
  rules: SecureRules,
): Promise<PlayedRound | undefined> {
  const { round } = opening;
  const list = await readMessage(store, keys.keyList(round), keyList);
  const sharers = await readMessage(store, keys.sharers(round), remaining);
  const survivors = await readMessage(store, keys.survivors(round), remaining);
  if (list === undefined || sharers === undefined || survivors === undefined) return undefined;
  return playedRound(list, await cohortOf(run, opening, list, rules), sharers, survivors);
}

/** The round of these cells. */
export function playedRound(list: KeyList, cohort: Cohort, sharers: Remaining, survivors: Remaining): PlayedRound {
  const parties = {
    sharers: new Set(sharers.clients.map(keySegment)),
    survivors: new Set(survivors.clients.map(keySegment)),
  };
  return { list, cohort, survivors, parties };
}

/** Rebuilds the secrets of a round from the shares that `clients` gave. */
export async function recoverRound(
  store: Store,
  { cohort, parties, survivors: { round } }: PlayedRound,
  clients: readonly string[],
): Promise<Recovery> {
  const answers = new Map<string, Answer>();
  for (const client of clients) {
    const found = await readTheirs(store, keys.unmasking(round, client), unmasking);
    if (found === undefined || found instanceof MismatchError) continue;
    answers.set(keySegment(client), {
      self: sharesOf(found.self, (name) => parties.survivors.has(name)),
      mask: sharesOf(found.mask, (name) => parties.sharers.has(name) && !parties.survivors.has(name)),
    });
  }
  return recoverSecrets(cohort, parties, answers);
}

/** The shares of the clients that they were asked of, by segment. */
function sharesOf(
  given: Readonly<Record<string, string>>,
  isAsked: (segment: string) => boolean,
): ReadonlyMap<string, Bytes> {
  const shares = new Map<string, Bytes>();
  for (const [client, text] of Object.entries(given)) {
    const name = keySegment(client);
    // 32 bytes in base64.
    if (isAsked(name) && /^[A-Za-z\d+/]{43}=$/.test(text)) shares.set(name, fromBase64(text));
  }
  return shares;
}
