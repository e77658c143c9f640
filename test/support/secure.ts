import type { Algorithm } from "../../src/algorithms/algorithm.ts";
import { algorithmOf } from "../../src/algorithms/registry.ts";
import { clientMemory } from "../../src/federation/client-memory.ts";
import { Coordinator } from "../../src/federation/coordinator.ts";
import type { CoordinatorOptions } from "../../src/federation/coordinator-options.ts";
import { Participant } from "../../src/federation/participant.ts";
import type { ParticipantOptions } from "../../src/federation/participant-options.ts";
import { keys } from "../../src/federation/protocol/keys.ts";
import { roundClose, type RoundClose } from "../../src/federation/protocol/messages.ts";
import { readMessage } from "../../src/federation/protocol/cells.ts";
import { join, sha256Bytes } from "../../src/secagg/bytes.ts";
import type { SecureRules } from "../../src/secagg/rules.ts";
import { memoryStore } from "../../src/store/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { membersOf, QuadraticTrainer, quiet, rulesOf } from "./federation.ts";

export const RULES: SecureRules = { bits: 32, range: 4, minCohort: 3, active: false };

/** Keys that do not change from one life of a process to the next, so that lives can be compared. */
const newKey = (client: string, round: number) => sha256Bytes(join(`test key ${client} ${round}`));

/** What a client does in place of what the protocol says: `skip` acts no more from that phase on. */
export type Fate = "keys" | "shares" | "update" | "unmask" | "all";
const ORDER = ["keys", "shares", "update", "unmask"];

export interface SecurePlay {
  readonly names: readonly string[];
  readonly rules?: SecureRules;
  readonly algorithm?: Algorithm;
  readonly rounds?: number;
  /** The phase in which a client is gone; default: none. */
  readonly lostIn?: Readonly<Record<string, Fate>>;
  readonly store?: Store;
  readonly own?: Store;
  readonly options?: Partial<CoordinatorOptions>;
  readonly participant?: (client: string) => Partial<ParticipantOptions>;
  /** Called before each act of a client; true in place of it. */
  readonly instead?: (client: string, store: Store) => Promise<boolean>;
}

/** Plays rounds of a coordinator and clients that may be gone, over one store. Deadlines pass at once where nobody answers. */
export async function playSecure(play: SecurePlay) {
  const { names, rules = RULES, algorithm = algorithmOf("fedavg"), rounds = 1, lostIn = {} } = play;
  const { store = memoryStore(), own = memoryStore() } = play;
  const gone = new Set<string>();
  const coordinator = new Coordinator({
    ...rulesOf(algorithm),
    store,
    members: membersOf(names),
    rounds,
    secure: rules,
    departed: () => gone,
    ...play.options,
  });
  const pulls = Object.fromEntries(names.map((name, i) => [name, 1 + i / 4]));
  const participants = new Map(
    names.map((client) => [
      client,
      new Participant({
        store,
        client,
        algorithm,
        seed: 7,
        trainer: new QuadraticTrainer(pulls),
        memory: clientMemory(own, store),
        events: quiet,
        masking: { rules, own, newKey },
        ...play.participant?.(client),
      }),
    ]),
  );
  for (const [i, participant] of [...participants.values()].entries()) {
    await participant.join({ protocol: 1, records: 10 * (i + 1), heldOut: 0, data: "" });
  }
  for (;;) {
    const step = await coordinator.advance();
    if (step.state === "over") return { store, own, outcome: step.outcome, close: (await closeOf(store, 1))! };
    if (step.state === "moved") continue;
    let worked = false;
    for (const client of step.clients) {
      if (await isLost(store, client, lostIn[client])) gone.add(client);
      else if ((await play.instead?.(client, store)) === true) worked = true;
      else worked = (await participants.get(client)!.act()) === "worked" || worked;
    }
    if (!worked && step.clients.every((client) => !gone.has(client))) throw new Error("nobody has anything to do");
  }
}

export function closeOf(store: Store, round: number): Promise<RoundClose | undefined> {
  return readMessage(store, keys.close(round), roundClose);
}

/** The phase that the round is in. */
async function phaseOf(store: Store, round = 1): Promise<string> {
  if ((await store.read(keys.survivors(round))) !== undefined) return "unmask";
  if ((await store.read(keys.sharers(round))) !== undefined) return "update";
  return (await store.read(keys.keyList(round))) === undefined ? "keys" : "shares";
}

async function isLost(store: Store, _client: string, fate: Fate = "all"): Promise<boolean> {
  return ORDER.includes(fate) && ORDER.indexOf(await phaseOf(store)) >= ORDER.indexOf(fate);
}
