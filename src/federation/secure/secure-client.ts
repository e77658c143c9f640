import { type Bytes, equalBytes, fromBase64, toBase64 } from "../../secagg/bytes.ts";
import {
  dealShares,
  maskVector,
  openShares,
  type OwnSecrets,
  ownSecrets,
  publicKeys,
  sealShares,
  type SharePair,
} from "../../secagg/client.ts";
import type { Cohort } from "../../secagg/cohort.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { encodeJson } from "../../store/codec.ts";
import { keySegment, type MemberStore, type Store } from "../../store/store.ts";
import type { Groups } from "../../tensor/groups.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { createMessage, isWritten, readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { refusal, type RoundOpening } from "../protocol/messages.ts";
import {
  agreed,
  agreementAnswer,
  type KeyList,
  keyList,
  keysAnswer,
  relayed,
  type Remaining,
  remaining,
  sharesAnswer,
  unmaskingAnswer,
} from "../protocol/secure-messages.ts";
import { checkedCohort, checkEnough, orRefusal, ProtocolFault, segmentsWithin } from "./checks.ts";
import { roundedGroups, type VectorLayout, wordBytes } from "./masked-vector.ts";
import { OwnSecretStore } from "./own-secrets.ts";
import { refuseNearlyTheSame } from "./earlier-sums.ts";
import { SecretWords } from "./secret-words.ts";
import { hashOf, openingSalt, toPublished } from "./secure-cohort.ts";

export interface SecureClientOptions {
  readonly store: MemberStore;
  readonly client: string;
  readonly rules: SecureRules;
  /** The client's own store. It holds the master keys. */
  readonly own: Store;
  /** Makes the master key of a round. Default: random bytes. */
  readonly newKey?: ((client: string, round: number) => Bytes | Promise<Bytes>) | undefined;
}

/** A round in which this client has to train now, and the masks for what comes out. */
export interface MaskedTask {
  readonly weightMax: number;
  /**
   * The masked vector as it is sent, or the reason not to send it.
   *
   * @param records the client's weight
   */
  readonly seal: (
    groups: Groups,
    layout: VectorLayout,
    records: number,
  ) => Promise<{ readonly bytes: Uint8Array; readonly sent: () => Groups } | { readonly refused: string }>;
}

/** The next thing in a secure round: nothing, it was done, or training. */
export type SecureStep = "idle" | "worked" | MaskedTask;

/**
 * A client's half of rounds with secure aggregation (Bonawitz et al. 2017, figure 4). It trusts nobody: what it reveals in one
 * round is, of each other client, a share of one of two secrets, and for one set of survivors.
 */
export class SecureClient {
  readonly #options: SecureClientOptions;
  readonly #secrets: OwnSecretStore;
  readonly #words: SecretWords;
  /** The last cohort, by the hash of its list of keys. */
  #known: { readonly hash: string; readonly cohort: Cohort } | undefined;

  constructor(options: SecureClientOptions) {
    const { own, client, rules, newKey } = options;
    this.#options = options;
    this.#words = new SecretWords(rules);
    this.#secrets = new OwnSecretStore(own, client, newKey && ((round) => newKey(client, round)));
  }

  /** Deletes the keys of rounds that are over. */
  wipe(round: number): Promise<void> {
    return this.#secrets.wipe(round);
  }

  /** Does the next thing in a round that names this client. `run`: the identity of the run. */
  async next(
    run: string,
    opening: RoundOpening,
    refuseRound?: () => string | undefined | Promise<string | undefined>,
  ): Promise<SecureStep> {
    const { store, client, rules } = this.#options;
    const { round } = opening;
    if (await isWritten(store, keys.close(round))) return "idle";
    const list = await readMessage(store, keys.keyList(round), keyList);
    if (list !== undefined && !list.members.some((member) => member.keys.client === client)) return "idle";
    const master = await this.#secrets.master(round);
    if (master === undefined) return "idle";
    const own = await ownSecrets(master, await openingSalt(run, opening));
    if (list === undefined) {
      return this.#once(keys.clientKeys(round, client), async (key) => {
        const reason = await refuseRound?.();
        const published = toPublished(client, round, await hashOf(opening), await publicKeys(own));
        await createMessage(store, key, keysAnswer, reason === undefined ? published : { client, refused: reason });
      });
    }
    const me = { run, opening, list, master, own };
    const sharers = await readMessage(store, keys.sharers(round), remaining);
    if (sharers === undefined) {
      return this.#once(keys.clientShares(round, client), async (key) => {
        const answer = await orRefusal(client, async () => ({ round, client, envelopes: await this.#share(me) }));
        await createMessage(store, key, sharesAnswer, answer);
      });
    }
    if (!sharers.clients.includes(client)) return "idle";
    const survivors = await readMessage(store, keys.survivors(round), remaining);
    if (survivors === undefined) {
      if (await isWritten(store, keys.update(round, client))) return "idle";
      const masking = await orRefusal(client, () => this.#masking(me, sharers));
      if (!("refused" in masking)) return masking;
      await createMessage(store, keys.update(round, client), refusal, masking);
      return "worked";
    }
    if (!survivors.clients.includes(client)) return "idle";
    if (rules.active && !(await isWritten(store, keys.agreed(round)))) {
      return this.#once(keys.agreement(round, client), async (key) => {
        await createMessage(store, key, agreementAnswer, { round, client, survivors: await hashOf(survivors) });
      });
    }
    return this.#once(keys.unmasking(round, client), async (key) => {
      const answer = await orRefusal(client, async () => ({
        round,
        client,
        ...(await this.#unmask(me, sharers, survivors)),
      }));
      await createMessage(store, key, unmaskingAnswer, answer);
    });
  }

  async #once(key: string, action: (key: string) => Promise<void>): Promise<SecureStep> {
    if (await isWritten(this.#options.store, key)) return "idle";
    await action(key);
    return "worked";
  }

  /** Checks the list of keys and seals this client's shares. */
  async #share(me: Me): Promise<Record<string, string>> {
    const { client } = this.#options;
    const { opening, list, master, own } = me;
    await this.#checkList(opening, list, own);
    const cohort = await this.#cohort(me);
    const sealed = await sealShares(cohort, keySegment(client), { master, own });
    const names = namesOf(list);
    return Object.fromEntries([...sealed].map(([to, bytes]) => [names.get(to)!, toBase64(bytes)]));
  }

  /** The cohort of the list of keys that this client was given first. */
  async #cohort({ run, opening, list }: Me): Promise<Cohort> {
    const hash = await hashOf(list);
    if ((await this.#secrets.pin(opening.round, "key-list", hash)) !== hash) {
      throw new ProtocolFault("the coordinator gave two lists of keys for one round");
    }
    if (this.#known?.hash !== hash) {
      this.#known = { hash, cohort: await checkedCohort(run, opening, list, this.#options.rules) };
    }
    return this.#known.cohort;
  }

  async #checkList(opening: RoundOpening, { members }: KeyList, own: OwnSecrets): Promise<void> {
    const { store, client, rules } = this.#options;
    const { round, clients } = opening;
    const hash = await hashOf(opening);
    const names = new Set<string>();
    for (const { keys: published, signed } of members) {
      const other = published.client;
      if (!clients.includes(other) || names.size === names.add(other).size) {
        throw new ProtocolFault(`the list of keys has ${other}, which is not in the round or is there twice`);
      }
      if (published.round !== round || published.opening !== hash) {
        throw new ProtocolFault(`${other} was told another opening of the round`);
      }
      if (store.openSigned === undefined) continue;
      const opened = await this.#opened(keys.clientKeys(round, other), signed);
      if (opened === undefined || !equalBytes(opened.bytes, encodeJson(published))) {
        throw new ProtocolFault(`the keys of ${other} are not signed by it`);
      }
      if (rules.active && (await this.#secrets.pinIdentity(other, opened.by)) !== opened.by) {
        throw new ProtocolFault(`another key than before signs for ${other}`);
      }
    }
    const mine = members.find((member) => member.keys.client === client)!.keys;
    const right = toPublished(client, round, hash, await publicKeys(own));
    if (!equalBytes(encodeJson(mine), encodeJson(right))) {
      throw new ProtocolFault(`the list of keys has other keys of ${client} than it published`);
    }
  }

  /** A cell that the coordinator hands on, and its signer; undefined where it is not signed. */
  async #opened(key: string, signed: string | undefined) {
    return signed === undefined ? undefined : this.#options.store.openSigned?.(key, signed).catch(() => undefined);
  }

  /** The masks of this client, for the clients whose shares were sent on. */
  async #masking(me: Me, sharers: Remaining): Promise<MaskedTask> {
    const { client, rules } = this.#options;
    const { opening, list, master, own } = me;
    const cohort = await this.#cohort(me);
    const among = segmentsWithin(sharers, new Set(cohort.keys.keys()), "sharers");
    checkEnough(cohort, rules, among, among);
    return {
      weightMax: list.weightMax,
      seal: async (groups, layout, records) => {
        if (records > list.weightMax) return { refused: `the round was opened for weights up to ${list.weightMax}` };
        const words = await this.#words.of(groups, layout, { records, master, salt: cohort.salt });
        const plain = words.slice();
        await maskVector(words, cohort, { name: keySegment(client), own, sharers: among });
        const bytes = wordBytes(words);
        const hash = await sha256(bytes);
        // Two vectors under the same masks would give their difference away.
        if ((await this.#secrets.pin(opening.round, "masked", hash)) === hash) {
          // What a client remembers of itself has no noise.
          const sent = rules.noise === undefined ? () => roundedGroups(plain, layout, records) : () => groups;
          return { bytes, sent };
        }
        return { refused: "training gave another result than before the restart, and the masks were used" };
      },
    };
  }

  /** The shares that open the sum of the survivors, and nothing else. */
  async #unmask(
    me: Me,
    sharers: Remaining,
    survivors: Remaining,
  ): Promise<{ self: Record<string, string>; mask: Record<string, string> }> {
    const { store, rules } = this.#options;
    const { opening, list, master, own } = me;
    const { round, adapter } = opening;
    const cohort = await this.#cohort(me);
    const shared = segmentsWithin(sharers, new Set(cohort.keys.keys()), "sharers");
    const alive = segmentsWithin(survivors, shared, "survivors");
    checkEnough(cohort, rules, alive, shared);
    if (rules.active) await this.#checkAgreements(opening, survivors, cohort.threshold);
    // The noise hides what a single client adds to a sum.
    if (rules.noise === undefined)
      await refuseNearlyTheSame(store, this.#secrets, opening, survivors.clients, rules.minCohort);
    const answer = JSON.stringify({ adapter, clients: [...survivors.clients].sort() });
    if ((await this.#secrets.pin(round, "answered", answer)) !== answer) {
      throw new ProtocolFault("the coordinator gave two lists of survivors for one round");
    }
    const names = namesOf(list);
    const found = await this.#collectShares(cohort, round, { master, own }, shared, names);
    const of = (which: "self" | "mask", who: (name: string) => boolean): Record<string, string> =>
      Object.fromEntries(
        [...found].filter(([name]) => who(name)).map(([name, pair]) => [names.get(name)!, toBase64(pair[which])]),
      );
    return { self: of("self", (name) => alive.has(name)), mask: of("mask", (name) => !alive.has(name)) };
  }

  /** This client's shares of others and of itself, by segment. One that was not sealed for it is left out. */
  async #collectShares(
    cohort: Cohort,
    round: number,
    secrets: { readonly master: Bytes; readonly own: OwnSecrets },
    shared: ReadonlySet<string>,
    names: ReadonlyMap<string, string>,
  ): Promise<Map<string, SharePair>> {
    const { store, client } = this.#options;
    const me = keySegment(client);
    const sent = await readMessage(store, keys.envelopes(round, client), relayed);
    const found = new Map([[me, (await dealShares(cohort, me, secrets)).get(me)!]]);
    for (const from of cohort.graph.get(me)!) {
      const envelope = sent?.envelopes[names.get(from)!];
      if (!shared.has(from) || envelope === undefined) continue;
      const sealed = bytesOf(envelope);
      const pair = sealed && (await openShares(cohort, { from, to: me, own: secrets.own, sealed }));
      if (pair !== undefined) found.set(from, pair);
    }
    return found;
  }

  /** Against a coordinator that tells some clients other survivors than others. */
  async #checkAgreements({ round }: RoundOpening, survivors: Remaining, threshold: number): Promise<void> {
    const { store } = this.#options;
    const list = await readMessage(store, keys.agreed(round), agreed);
    const hash = await hashOf(survivors);
    const agreeing = new Set<string>();
    for (const { client, signed } of list?.agreements ?? []) {
      if (!survivors.clients.includes(client)) continue;
      if (store.openSigned === undefined) {
        agreeing.add(client);
        continue;
      }
      const opened = await this.#opened(keys.agreement(round, client), signed);
      const pinned = opened && (await this.#secrets.pinIdentity(client, opened.by));
      const expected = encodeJson({ round, client, survivors: hash });
      if (opened !== undefined && pinned === opened.by && equalBytes(opened.bytes, expected)) agreeing.add(client);
    }
    if (agreeing.size >= threshold) return;
    throw new ProtocolFault(`${agreeing.size} clients agree on the survivors, expected ${threshold}`);
  }
}

interface Me {
  readonly run: string;
  readonly opening: RoundOpening;
  readonly list: KeyList;
  readonly master: Bytes;
  readonly own: OwnSecrets;
}

function namesOf({ members }: KeyList): ReadonlyMap<string, string> {
  return new Map(members.map(({ keys: { client } }) => [keySegment(client), client]));
}

function bytesOf(base64: string): Bytes | undefined {
  try {
    return fromBase64(base64);
  } catch {
    return undefined;
  }
}
