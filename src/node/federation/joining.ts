import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Heartbeat, HEARTBEAT_MS } from "../../federation/status.ts";
import { signedStore } from "../../identity/signed-store.ts";
import type { Transfer } from "../../net/blob-transfer.ts";
import { callRpc, tellRpc } from "../../net/rpc.ts";
import { isUnanswered } from "../../net/direct-get.ts";
import { siteStore } from "../../net/site-store.ts";
import { type FederationTask, readTask } from "../../net/task.ts";
import { auditedStore } from "../../store/audited-store.ts";
import { cachedCells } from "../../store/cached-cells.ts";
import { decodeJson, encodeJson } from "../../store/codec.ts";
import { withLastBlob } from "../../store/last-blob.ts";
import { keySegment, type MemberStore, writerSegment } from "../../store/store.ts";
import type { AuditLog } from "./audit-log.ts";
import { connectNats, type ConnectOptions } from "./connect.ts";
import { LoginRefused, NotReached } from "./connection-errors.ts";
import { isRenewalDue, loginRefused, renewToken, siteConnection } from "./enrol.ts";
import { connectionState, silenceNotes } from "./connection-state.ts";
import { verifyNatively } from "./native-signatures.ts";
import type { Site } from "./site-folder.ts";

/** Longest time between two heartbeats of a transfer, milliseconds. */
const TRANSFER_BEAT_MS = 1000;
/** Time until a task is looked for again, and until a renewal is thought of, milliseconds. */
const LOOK_AGAIN_MS = 1000;
const RENEWAL_LOOK_MS = 60_000;
/** Longest wait for the coordinator to end the membership, milliseconds. */
const RESIGN_MS = 20_000;

/** A site's connection to its federation. */
export interface Membership {
  readonly site: () => Site;
  /** Waits for the federation's task; `after`: for another run than this. */
  task(after?: string): Promise<FederationTask>;
  /** The federation's task now; undefined where there is none, or the server does not answer. */
  currentTask(): Promise<FederationTask | undefined>;
  /** Asks the coordinator to end the membership. @throws NotReached where it does not answer. */
  resign(): Promise<void>;
  /** The exchange of a run, as this site may use it. */
  exchange(run: string, audit: AuditLog): Promise<MemberStore>;
  /** Tells the coordinator at once, and every few seconds from now on, what the site does. */
  tell(heartbeat: Heartbeat): void;
  readonly heartbeat: () => Heartbeat;
  readonly isConnected: () => boolean;
  close(): Promise<void>;
}

export interface MembershipOptions extends Pick<ConnectOptions, "proxy"> {
  readonly onNote: (note: string) => void;
  readonly onTransfer?: ((transfer: Transfer) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Connects a site to its federation. The connection is made again for ever, and the token is renewed in time.
 *
 * @throws UserError("config") where the login is refused, `storage` where no server is reached.
 */
export async function openMembership(joined: Site, options: MembershipOptions): Promise<Membership> {
  const { onNote, onTransfer, signal, proxy } = options;
  let site = joined;
  const { client, federation } = site.record;
  const connection = await connectNats({ ...siteConnection(() => site), proxy }).catch((error: unknown) => {
    throw error instanceof LoginRefused ? loginRefused(site, error) : error;
  });
  const renew = async (): Promise<void> => {
    if (isRenewalDue(site)) site = await renewToken(connection, site);
  };
  // The coordinator may be away for now; the token is good for a third of its time yet.
  const renewal = setInterval(() => void renew().catch(() => undefined), RENEWAL_LOOK_MS);
  void renew().catch(() => undefined);
  let heartbeat: Heartbeat = { state: "waiting" };
  let lastBeat = 0;
  const beat = (): void => {
    lastBeat = performance.now();
    tellRpc(connection, "hb", encodeJson(heartbeat));
  };
  const beats = setInterval(beat, HEARTBEAT_MS);
  for (const timer of [renewal, beats]) timer.unref();
  void watch(connection, onNote);
  beat();
  const taskNow = (): Promise<FederationTask | undefined> =>
    readTask(connection, federation).catch((error: unknown) => {
      // A server that restarts answers a moment later.
      if (isUnanswered(error) && !connection.isClosed()) return undefined;
      throw error;
    });
  return {
    site: () => site,
    async task(after) {
      for (;;) {
        signal.throwIfAborted();
        const task = await taskNow();
        if (task !== undefined && task.run !== after) return task;
        await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    },
    currentTask: taskNow,
    async resign() {
      if ((await callRpc(connection, "leave", new Uint8Array(), { timeout: RESIGN_MS })) !== undefined) return;
      throw new NotReached("storage", "no coordinator answers, so the site is still a member", {
        hint: "Run the same command again once the coordinator is there.",
      });
    },
    async exchange(run, audit) {
      const own = keySegment(client);
      const direct = await siteStore({
        connection,
        run,
        owns: (cell) => writerSegment(cell) === own,
        signal,
        onTransfer,
        onSilence: silenceNotes(onNote),
        async have(hash) {
          const answer = await callRpc(connection, "have", new TextEncoder().encode(hash), { timeout: 5000 });
          const parts = answer && decodeJson(answer);
          return Array.isArray(parts) ? parts.map(String) : undefined;
        },
      });
      const signed = signedStore(direct, {
        federation: federation.id,
        run,
        identity: site.identity,
        verify: verifyNatively,
        ownerOf(cell) {
          const segment = writerSegment(cell);
          if (segment === undefined) return federation.key;
          return segment === own ? [site.record.user, ...(site.record.earlier ?? [])] : undefined;
        },
      });
      const audited = auditedStore(signed, { run, log: audit.log });
      // A server that lost its disk gets the coordinator's cells back, and this site's from this site.
      return withLastBlob(cachedCells(audited, (cell) => writerSegment(cell) === undefined));
    },
    tell(next) {
      const isNews = next.state !== heartbeat.state || next.step !== heartbeat.step;
      heartbeat = next;
      // A transfer tells of every chunk.
      if (isNews || performance.now() - lastBeat > TRANSFER_BEAT_MS) beat();
    },
    heartbeat: () => heartbeat,
    isConnected: connectionState(connection),
    async close() {
      clearInterval(renewal);
      clearInterval(beats);
      await connection.close();
    },
  };
}

/** Notes that the connection was lost and made again. */
async function watch(connection: NatsConnection, onNote: (note: string) => void): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === "disconnect") onNote("the connection to the federation's server is lost; it is made again");
    if (type === "reconnect") onNote("connected again");
  }
}
