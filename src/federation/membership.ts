import type { Store } from "../store/store.ts";
import { createMessage, readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { type Member, type MembersChange, membersChange } from "./protocol/messages.ts";
import { type Declined, readDeclined, readMember } from "./roster.ts";

export interface MembershipOptions {
  readonly store: Store;
  /** The roster: the members that the run begins with. */
  readonly members: readonly Member[];
  /** Clients that may join later: those that did not, and those that were enrolled since. Default: none. */
  readonly newcomers?: (() => readonly string[]) | undefined;
  /** Clients that the operator has put out. Default: none. */
  readonly revoked?: (() => ReadonlySet<string>) | undefined;
  /** Clients that ended their membership of the federation themselves. Default: none. */
  readonly departed?: (() => ReadonlySet<string>) | undefined;
}

/** The members of each round: the roster, and the changes that were written since. */
export class Membership {
  readonly #options: MembershipOptions;
  #members: ReadonlyMap<string, Member>;
  /** Changes of rounds up to this one are in `#members`. */
  #round = 0;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#members = new Map(options.members.map((member) => [member.client, member]));
  }

  /** The members of the last round that `through` was called with, in the order in which they joined. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** Goes on to the members of `round`, as its cells tell them. Returns the changes of the rounds that are new here. */
  async through(round: number): Promise<readonly MembersChange[]> {
    const changes: MembersChange[] = [];
    for (let next = this.#round + 1; next <= round; next++) {
      const change = await readMessage(this.#options.store, keys.membersChange(next), membersChange);
      if (change !== undefined) changes.push(change);
      this.#apply(change);
      this.#round = next;
    }
    return changes;
  }

  /**
   * Looks who came and went since the round before, and writes that for `round`, which is not open yet. Returns those that
   * cannot join.
   */
  async settle(round: number): Promise<readonly Declined[]> {
    const { store, newcomers } = this.#options;
    await this.through(round - 1);
    const gone = await this.gone();
    const joined: Member[] = [];
    const rejected: Declined[] = [];
    const candidates = (newcomers?.() ?? []).filter((client) => !this.#members.has(client) && !gone.has(client));
    const written = candidates.length === 0 ? new Set() : new Set(await store.list(keys.members));
    for (const client of new Set(candidates)) {
      if (!written.has(keys.member(client))) continue;
      const found = await readMember(store, client);
      if ("reason" in found) rejected.push(found);
      else joined.push(found);
    }
    const left = [...gone].filter((client) => this.#members.has(client)).sort();
    if (joined.length > 0 || left.length > 0) {
      await createMessage(store, keys.membersChange(round), membersChange, { round, joined, left });
    }
    return rejected;
  }

  /** The members that take no part any more, whatever the round: those that left and those that were put out. */
  async gone(): Promise<ReadonlySet<string>> {
    const { store, revoked, departed } = this.#options;
    const written = new Set(await store.list(keys.leaves));
    const left =
      written.size === 0 ? [] : [...this.#members.keys()].filter((client) => written.has(keys.leave(client)));
    return new Set([...left, ...(revoked?.() ?? []), ...(departed?.() ?? [])]);
  }

  /** The clients that declined and did not join, each with its reason. */
  async declined(clients: readonly string[]): Promise<readonly Declined[]> {
    const found = await readDeclined(this.#options.store, clients);
    return found.filter(({ client }) => !this.#members.has(client));
  }

  #apply(change: MembersChange | undefined): void {
    if (change === undefined) return;
    const next = new Map(this.#members);
    for (const client of change.left) next.delete(client);
    for (const member of change.joined) next.set(member.client, member);
    this.#members = next;
  }
}
