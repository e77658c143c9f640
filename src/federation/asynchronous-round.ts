import { stream } from "../tensor/random.ts";
import { timeLeft } from "./answers.ts";
import { PUT_OUT, readSubmission, type Verdict } from "./decision.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import {
  type AcceptedUpdate,
  type ClientTask,
  type Refusal,
  type RoundClose,
  roundClose,
  type RoundOpening,
  type Submission,
} from "./protocol/messages.ts";
import type { RoundContext, RoundPlay } from "./synchronous-round.ts";
import { aged, type AsynchronousRules } from "./staleness.ts";
import type { Tasks } from "./tasks.ts";

/**
 * A round of an asynchronous run: one flush of the buffer (Nguyen et al. 2022, "Federated learning with buffered asynchronous
 * aggregation", alg. 1). Clients train from the adapters of this and of earlier rounds; the first K usable updates to arrive are
 * in the round. Their weights are those of the algorithm, their changes are scaled by staleness, and server optimizers take
 * the mean change as they do in synchronous runs.
 */
export function asynchronousRound(
  { options, membership, report }: RoundContext,
  { bufferSize, concurrency = Number.POSITIVE_INFINITY, staleness }: AsynchronousRules,
  tasks: Tasks,
  opening: RoundOpening,
): RoundPlay {
  const { store, seed, minClients, extendDeadline: extensions, revoked, available, pace } = options;
  const { round, deadlineSeconds } = opening;
  const wanted = opening.bufferSize ?? bufferSize;
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;

  const verdictOn = async ({ round: answered, client }: ClientTask, given?: Submission): Promise<Verdict> => {
    const member = membership.members.get(client);
    if (revoked?.().has(client) === true) return { client, refused: PUT_OUT };
    if (member === undefined) return { client, refused: "the client has left" };
    const verdict = (await (await tasks.judge(answered)).verdict(client, member, given))!;
    if ("refused" in verdict || answered === round) return verdict;
    const { adapter } = (await tasks.judge(answered)).opening;
    return aged(verdict, { round: answered, adapter }, round, staleness);
  };

  /** The updates that have arrived, as far as the round takes them. `read`: the messages of those that are new. */
  const decide = async (read: ReadonlyMap<ClientTask, Submission | undefined>): Promise<RoundClose> => {
    const accepted: AcceptedUpdate[] = [];
    const refused: Refusal[] = [];
    for (const task of tasks.arrived) {
      if (accepted.length === wanted) break;
      const verdict = await verdictOn(task, read.get(task));
      if ("refused" in verdict) refused.push(verdict);
      else accepted.push(verdict);
    }
    return { round, accepted, refused };
  };

  const handOut = async (gone: ReadonlySet<string>): Promise<void> => {
    const free = [...membership.members.keys()].filter((client) => tasks.isFree(client) && !gone.has(client)).sort();
    const there = available?.();
    let training = tasks.awaited.filter(({ client }) => !gone.has(client)).length;
    while (training < concurrency && free.length > 0) {
      const present = there === undefined ? free : free.filter((client) => there.has(client));
      const from = present.length > 0 ? present : free;
      const client = from[stream(seed, "task", round, tasks.given).integer(from.length)]!;
      free.splice(free.indexOf(client), 1);
      await tasks.give(client, pace?.(client, round));
      training++;
    }
  };

  return {
    opening,
    get seconds() {
      return seconds();
    },
    async next() {
      const arrived = await tasks.look();
      // All at once: each read waits for the network and the disk.
      const found = await Promise.all(
        arrived.map(({ round: answered, client }) => readSubmission(store, answered, client)),
      );
      const read = new Map(arrived.map((task, i) => [task, found[i]]));
      for (const [task, given] of read) await report(task.round, task.client, given);
      const closed = await readMessage(store, keys.close(round), roundClose);
      if (closed !== undefined) {
        for (const { client, round: answered = round } of closed.accepted) await report(answered, client);
        return closed;
      }
      const decision = await decide(read);
      const usable = decision.accepted.length;
      if (usable >= wanted) return decision;
      const gone = await membership.gone();
      await handOut(gone);
      const clients = tasks.awaited.map(({ client }) => client).filter((client) => !gone.has(client));
      const milliseconds = timeLeft(seconds(), usable, { fewest: minClients, deadlineSeconds, extensions });
      return clients.length === 0 || milliseconds === 0 ? decision : { state: "waiting", clients, milliseconds };
    },
  };
}
