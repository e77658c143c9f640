import { cachedCells } from "../store/cached-cells.ts";
import { type Bytes, join, sha256Bytes } from "../secagg/bytes.ts";
import { ownAdapters } from "./adapter-set.ts";
import type { ClientMemory } from "./client-memory.ts";
import { interruptible } from "./coordinate.ts";
import type { CoordinatorOptions, FederationOutcome } from "./coordinator-options.ts";
import { Coordinator } from "./coordinator.ts";
import { type Hostile, hostileTrainer } from "./hostile.ts";
import { refuseOtherRun } from "./resume.ts";
import type { Evaluate } from "./evaluation.ts";
import type { LocalTrainer } from "./local-trainer.ts";
import { Participant } from "./participant.ts";
import type { ParticipantOptions } from "./participant-options.ts";
import { PROTOCOL } from "./protocol/messages.ts";
import { virtualPace } from "./virtual-clock.ts";
import { checkRoster, type FederationClient, gatherRoster } from "./roster.ts";

export interface SimulationOptions extends Omit<CoordinatorOptions, "members" | "ownAdapters"> {
  /** Every client, in the order of tables. */
  readonly clients: readonly FederationClient[];
  readonly trainer: LocalTrainer;
  readonly memory: ClientMemory;
  /** What each client sends besides its update. Default: sent. */
  readonly figures?: ParticipantOptions["figures"];
  readonly protect?: ParticipantOptions["protect"];
  readonly seal?: ParticipantOptions["seal"];
  readonly refuseRound?: ParticipantOptions["refuseRound"];
  /** Clients that lie. They act after the others of their round. Default: none. */
  readonly hostile?: Hostile | undefined;
  /** With `secure`. */
  readonly masking?: ParticipantOptions["masking"];
  /** The part of an evaluation that belongs to a client: its own held-out records. */
  readonly evaluateClient?: ((client: string) => Evaluate | undefined) | undefined;
}

/**
 * Plays both halves of a run in this process, or goes on with one: the coordinator, and one participant after the other.
 * After a crash anywhere, the same call ends with the same head.
 *
 * @throws UserError: `config` for a run with other settings, `data` for an unusable list of clients, `training` where a
 * round has too few usable updates, `storage`, and `interrupted` once `signal` stops the run. Everything submitted and
 * committed before is kept in each case.
 */
export async function simulate(given: SimulationOptions): Promise<FederationOutcome> {
  const store = cachedCells(given.store);
  const { hostile, algorithm, stages } = given;
  const trainer =
    hostile === undefined
      ? given.trainer
      : hostileTrainer(given.trainer, hostile, { store, algorithm, stages, seed: given.seed });
  const options = { pace: virtualPace(given.seed), ...given, store, trainer };
  const { clients, evaluateClient, signal, seed } = options;
  // Noise that follows from a public seed could be taken away.
  const newKey = options.secure?.noise === undefined ? simulatedKeys(seed) : undefined;
  const masking = options.masking && { ...options.masking, newKey };
  checkRoster(clients);
  await refuseOtherRun(store, options.identity);
  return interruptible(options, async () => {
    const participants = new Map(
      clients.map(({ name }) => [
        name,
        new Participant({
          ...options,
          client: name,
          start: options.initialAdapter,
          evaluate: evaluateClient?.(name),
          masking,
        }),
      ]),
    );
    for (const { name, records, heldOut, data = "" } of clients) {
      await participants.get(name)!.join({ protocol: PROTOCOL, records, heldOut, data });
    }
    const names = clients.map(({ name }) => name);
    const members = await gatherRoster(store, names, { signal });
    const coordinator = new Coordinator({
      ...options,
      members,
      ownAdapters: (round, common) =>
        ownAdapters(names, (client) => participants.get(client)!.adapterAfter(round, common)),
    });
    for (;;) {
      const step = await coordinator.advance();
      if (step.state === "over") return step.outcome;
      if (step.state === "moved") continue;
      const next = step.clients.find((client) => hostile?.clients.has(client) !== true) ?? step.clients[0]!;
      const participant = participants.get(next)!;
      if ((await participant.act()) !== "worked") {
        throw new Error(`client ${participant.client} has nothing to do, but the coordinator waits for it`);
      }
    }
  });
}

/** Keys of secure rounds that follow from the seed: in one process there is nobody to hide from, and runs are repeatable. */
function simulatedKeys(seed: number): (client: string, round: number) => Promise<Bytes> {
  return (client, round) => sha256Bytes(join(`openfedllm simulated key ${seed} ${round} ${client}`));
}
