import type { Algorithm } from "../algorithms/algorithm.ts";
import type { Store } from "../store/store.ts";
import { addScaled, type Params, pick, subtract } from "../tensor/params.ts";
import { type RandomStream, stream } from "../tensor/random.ts";
import type { Stage } from "../updates/stage.ts";
import { readSubmission } from "./decision.ts";
import type { LocalTrainer } from "./local-trainer.ts";
import { readMessage } from "./protocol/cells.ts";
import { keys } from "./protocol/keys.ts";
import { roundOpening } from "./protocol/messages.ts";
import { readAdapter, readUpdate } from "./round.ts";

/** The hostile clients of a simulation, and how they change what they send. */
export interface Hostile {
  readonly clients: ReadonlySet<string>;
  /** True where `change` looks at honest changes; in a round without any it is not called. */
  readonly colludes: boolean;
  /** Makes the change that is sent from the one that was trained. */
  readonly change: (
    own: Params,
    context: {
      readonly honest: readonly Params[];
      readonly clients: number;
      readonly hostile: number;
      readonly random: RandomStream;
    },
  ) => Params;
}

export interface HostileOptions {
  readonly algorithm: Algorithm;
  readonly store: Store;
  readonly stages?: readonly Stage[] | undefined;
  readonly seed: number;
}

/**
 * A trainer whose hostile clients end with another adapter than they trained. They see what honest clients sent in the round,
 * so they have to train after them.
 */
export function hostileTrainer(trainer: LocalTrainer, hostile: Hostile, options: HostileOptions): LocalTrainer {
  return {
    async train(task) {
      const result = await trainer.train(task);
      const { round, client, adapter } = task;
      if (!hostile.clients.has(client)) return result;
      const opening = (await readMessage(options.store, keys.opening(round), roundOpening))!;
      const honest = opening.clients.filter((each) => !hostile.clients.has(each));
      const seen = hostile.colludes ? await changesOf(round, honest, opening.adapter, options) : [];
      if (hostile.colludes && seen.length === 0) return result;
      const change = hostile.change(subtract(result.after, adapter), {
        honest: seen,
        clients: opening.clients.length,
        hostile: opening.clients.length - honest.length,
        random: stream(options.seed, "attack", round, client),
      });
      const sent = addScaled(pick(adapter, change), 1, change);
      return { ...result, after: new Map([...result.after, ...sent]) };
    },
  };
}

/** The changes that clients sent in a round, stages undone; of those that sent a usable update. */
async function changesOf(
  round: number,
  clients: readonly string[],
  base: string,
  { store, algorithm, stages, seed }: HostileOptions,
): Promise<Params[]> {
  const global = await readAdapter(store, base);
  const changes: Params[] = [];
  for (const client of clients) {
    const found = await readSubmission(store, round, client);
    if (found === undefined) throw new Error(`client ${client} has not answered round ${round} yet`);
    if ("refused" in found) continue;
    const { adapter } = await readUpdate(store, algorithm, round, { client, update: found.update }, global, {
      stages,
      seed,
    });
    changes.push(subtract(adapter!, pick(global, adapter!)));
  }
  return changes;
}
