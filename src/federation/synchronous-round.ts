import { Answers, timeLeft } from "./answers.ts";
import type { CoordinatorOptions, CoordinatorStep } from "./coordinator-options.ts";
import { decideRound, Judge, readSubmission } from "./decision.ts";
import { lateUpdates } from "./late.ts";
import type { Membership } from "./membership.ts";
import { keys } from "./protocol/keys.ts";
import { readMessage } from "./protocol/cells.ts";
import { type RoundClose, roundClose, type RoundOpening, type Submission } from "./protocol/messages.ts";
import { inAggregationOrder } from "./staleness.ts";

/** A round as its coordinator plays it, from the opening to the decision. */
export interface RoundPlay {
  readonly opening: RoundOpening;
  /** Seconds since this process saw the opening. */
  readonly seconds: number;
  /** Looks once. Returns the decision, or the step that waits. */
  next(): Promise<RoundClose | Extract<CoordinatorStep, { state: "waiting" }>>;
}

/** The coordinator, as its rounds need it. */
export interface RoundContext {
  readonly options: CoordinatorOptions;
  readonly membership: Membership;
  /** Tells that a client has answered a round. `given`: its message, where it was read already. */
  readonly report: (round: number, client: string, given?: Submission) => Promise<void>;
}

/** A round whose clients are named in its opening. */
export function synchronousRound({ options, membership, report }: RoundContext, opening: RoundOpening): RoundPlay {
  const { store, algorithm, stages, minClients, extendDeadline: extensions, revoked, pace } = options;
  const { round, clients, closesWith, deadlineSeconds } = opening;
  const byPace = (a: string, b: string): number => pace!(a, round) - pace!(b, round);
  const inOrder = pace === undefined || closesWith === undefined ? clients : [...clients].sort(byPace);
  const answers = new Answers(store, inOrder, keys.updates(round), (client) => keys.update(round, client));
  const judge = new Judge(store, algorithm, opening, stages);
  const fewest = Math.min(minClients, clients.length);

  /** Usable updates so far, of clients that were not put out since. */
  const usable = async (): Promise<number> => {
    let count = 0;
    for (const client of answers.arrived) {
      const verdict = await judge.verdict(client, membership.members.get(client)!);
      if (verdict !== undefined && "update" in verdict && revoked?.().has(client) !== true) count++;
    }
    return count;
  };

  const milliseconds = async (awaited: number): Promise<number | undefined> => {
    if (awaited === 0) return 0;
    if (closesWith !== undefined && answers.arrived.length >= closesWith && (await usable()) >= closesWith) return 0;
    return timeLeft(answers.seconds, answers.arrived.length, { fewest, deadlineSeconds, extensions });
  };

  const decide = async (): Promise<RoundClose> => {
    const { members } = membership;
    const rules = { judge, arrived: answers.arrived, revoked: revoked?.() };
    const { accepted, refused } = await decideRound(store, algorithm, opening, members, rules);
    const fresh = new Set(accepted.map(({ client }) => client));
    const late = await lateUpdates(store, round, members, fresh, options);
    return { round, accepted: inAggregationOrder([...accepted, ...late]), refused };
  };

  return {
    opening,
    get seconds() {
      return answers.seconds;
    },
    async next() {
      const closed = await readMessage(store, keys.close(round), roundClose);
      const arrived = await answers.look();
      // All at once: each read waits for the network and the disk.
      const found = await Promise.all(arrived.map((client) => readSubmission(store, round, client)));
      for (const [i, client] of arrived.entries()) {
        await report(round, client, found[i]);
        // Judged while others still train, so that the close does not wait for the transfer of all.
        if (closed === undefined) await judge.verdict(client, membership.members.get(client)!, found[i]);
      }
      if (closed === undefined) {
        const gone = answers.missing.length === 0 ? new Set() : await membership.gone();
        const awaited = answers.missing.filter((client) => !gone.has(client));
        const left = await milliseconds(awaited.length);
        if (left !== 0) return { state: "waiting", clients: awaited, milliseconds: left };
      }
      const decision = closed ?? (await decide());
      // An update may have come since the list was made.
      for (const entry of decision.accepted) await report(entry.round ?? round, entry.client);
      return decision;
    },
  };
}
