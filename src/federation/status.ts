import { type Check, count, measured, message, oneOf, optional } from "../store/check.ts";
import { decodeJson } from "../store/codec.ts";
import type { RunEvent } from "./events.ts";

/** A member's word about itself, sent every few seconds. It serves people and the choice of cohorts; no result rests on it. */
export interface Heartbeat {
  readonly state: "waiting" | "training" | "scoring" | "sending" | "fetching" | "done";
  readonly round?: number | undefined;
  readonly step?: number | undefined;
  readonly steps?: number | undefined;
  readonly bytesDone?: number | undefined;
  readonly bytesTotal?: number | undefined;
  readonly bytesPerSecond?: number | undefined;
}

const heartbeat: Check<Heartbeat> = message({
  state: oneOf("waiting", "training", "scoring", "sending", "fetching", "done"),
  round: optional(count),
  step: optional(count),
  steps: optional(count),
  bytesDone: optional(count),
  bytesTotal: optional(count),
  bytesPerSecond: optional(measured),
});

/** Reads a heartbeat; undefined for another message. */
export function readHeartbeat(bytes: Uint8Array): Heartbeat | undefined {
  try {
    return heartbeat(decodeJson(bytes), "");
  } catch {
    return undefined;
  }
}

export interface MemberStatus {
  readonly client: string;
  /** Heard of within the last seconds. */
  readonly connected: boolean;
  /** ISO 8601; absent where it was never heard of in this process. */
  readonly lastSeen?: string | undefined;
  readonly declined?: string | undefined;
  readonly heartbeat?: Heartbeat | undefined;
}

/** The state of a federation as its coordinator sees it. */
export interface FederationStatus {
  readonly federation: string;
  readonly run: string;
  readonly state: "gathering members" | "training" | "evaluating" | "over";
  /** The round that is under way, or the last one. */
  readonly round: number;
  readonly rounds: number;
  /** Clients whose answer is missing. */
  readonly awaited: readonly string[];
  /** ISO 8601: the earliest time that the round may close without those that are late. */
  readonly closesAt?: string | undefined;
  readonly members: readonly MemberStatus[];
  /** Bytes of updates and of adapters that travelled in this run. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly refused: number;
  readonly updatedAt: string;
}

/** A member that was silent for this time counts as not connected. Heartbeats come three times as often. */
export const SILENT_AFTER_MS = 15_000;
export const HEARTBEAT_MS = 5000;

/** Collects the state of a federation from the coordinator's events and the members' heartbeats. */
export class FederationMonitor {
  readonly #about: { readonly federation: string; readonly run: string };
  readonly #heard = new Map<string, { readonly at: number; readonly heartbeat: Heartbeat }>();
  readonly #declined = new Map<string, string>();
  readonly #now: () => number;
  #names: readonly string[] = [];
  #state: FederationStatus["state"] = "gathering members";
  #round = 0;
  #rounds = 0;
  #awaited: readonly string[] = [];
  #closesAt: number | undefined;
  #bytesUp = 0;
  #bytesDown = 0;
  #refused = 0;

  constructor(about: { readonly federation: string; readonly run: string }, now: () => number = Date.now) {
    this.#about = about;
    this.#now = now;
  }

  /** Names the members, in the order of tables. */
  expect(clients: readonly string[]): void {
    this.#names = [...new Set([...this.#names, ...clients])];
  }

  hear(client: string, heartbeat: Heartbeat): void {
    if (!this.#names.includes(client)) this.expect([client]);
    this.#heard.set(client, { at: this.#now(), heartbeat });
  }

  decline(client: string, reason: string): void {
    this.#declined.set(client, reason);
  }

  /** @param milliseconds time until the round may close without them. */
  await(clients: readonly string[], milliseconds?: number): void {
    this.#awaited = clients;
    this.#closesAt = milliseconds === undefined ? undefined : this.#now() + milliseconds;
  }

  event(event: RunEvent): void {
    if (event.type === "run-start") this.#rounds = event.rounds;
    if (event.type === "round-start") [this.#state, this.#round] = ["training", event.round];
    if (event.type === "round-end") [this.#state, this.#awaited] = ["evaluating", []];
    if (event.type === "client-refused") this.#refused++;
    if (event.type === "client-declined") this.decline(event.client, event.reason);
    if (event.type === "client-joined") {
      this.expect([event.client]);
      this.#declined.delete(event.client);
    }
    if (event.type === "client-left") this.#names = this.#names.filter((client) => client !== event.client);
    if (event.type === "run-end") [this.#state, this.#awaited] = ["over", []];
    if (event.type !== "client-update") return;
    this.#bytesUp += event.bytesUp;
    this.#bytesDown += event.bytesDown;
  }

  /** Clients that are connected: those that a cohort is chosen from first. */
  connected(): ReadonlySet<string> {
    return new Set(this.#names.filter((client) => this.#isConnected(client)));
  }

  snapshot(): FederationStatus {
    return {
      ...this.#about,
      state: this.#state,
      round: this.#round,
      rounds: this.#rounds,
      awaited: this.#awaited,
      closesAt: this.#closesAt === undefined ? undefined : new Date(this.#closesAt).toISOString(),
      members: this.#names.map((client) => {
        const heard = this.#heard.get(client);
        return {
          client,
          connected: this.#isConnected(client),
          lastSeen: heard && new Date(heard.at).toISOString(),
          declined: this.#declined.get(client),
          heartbeat: heard?.heartbeat,
        };
      }),
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      refused: this.#refused,
      updatedAt: new Date(this.#now()).toISOString(),
    };
  }

  #isConnected(client: string): boolean {
    const heard = this.#heard.get(client);
    return heard !== undefined && this.#now() - heard.at < SILENT_AFTER_MS;
  }
}
