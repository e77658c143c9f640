import type { CoordinatorOptions } from "./coordinator-options.ts";
import { readSubmission } from "./decision.ts";
import type { Membership } from "./membership.ts";
import { keys } from "./protocol/keys.ts";
import type { Member, MembersChange, Submission } from "./protocol/messages.ts";
import type { Declined } from "./roster.ts";

/** The coordinator's events about clients. An update and a refusal to join are told once. */
export class Reports {
  readonly #options: CoordinatorOptions;
  readonly #membership: Membership;
  /** Keys of the cells that were told of. */
  readonly #reported = new Set<string>();

  constructor(options: CoordinatorOptions, membership: Membership) {
    this.#options = options;
    this.#membership = membership;
  }

  /** Emits who declined, who joined and who left. */
  async members(round: number, changes: readonly MembersChange[], rejected: readonly Declined[]): Promise<void> {
    const { events, newcomers } = this.#options;
    for (const { client, reason } of await this.#membership.declined(newcomers?.() ?? [])) {
      if (this.#first(keys.decline(client))) events.emit({ type: "client-declined", client, reason });
    }
    for (const { client, reason } of rejected) events.emit({ type: "client-refused", round, client, reason });
    for (const { round: since, joined, left } of changes) {
      for (const member of joined) {
        events.emit({ type: "client-joined", round: since, client: member.client, ...recordsOf(member) });
      }
      for (const client of left) events.emit({ type: "client-left", round: since, client });
    }
  }

  /** Emits a client's update, once. `given`: its message, where it was read already. */
  async update(round: number, client: string, given?: Submission): Promise<void> {
    if (!this.#first(keys.update(round, client))) return;
    const found = given ?? (await readSubmission(this.#options.store, round, client));
    if (found === undefined || "refused" in found) return;
    const { base: _base, ...figures } = found;
    this.#options.events.emit({ type: "client-update", round, ...figures });
  }

  #first(what: string): boolean {
    return this.#reported.size < this.#reported.add(what).size;
  }
}

/** 0 where the member does not tell. */
export function recordsOf({ records, heldOut, figures }: Member): {
  readonly records: number;
  readonly heldOut: number;
} {
  return figures === "kept" ? { records: 0, heldOut: 0 } : { records, heldOut };
}
