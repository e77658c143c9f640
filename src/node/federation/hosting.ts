import type { NatsConnection } from "@nats-io/transport-node";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { PROTOCOL } from "../../federation/protocol/messages.ts";
import { isAccepted, lastUpdates, restoreRun } from "../../federation/restore.ts";
import { FederationMonitor, readHeartbeat } from "../../federation/status.ts";
import { signedStore } from "../../identity/signed-store.ts";
import { hostStore } from "../../net/host-store.ts";
import { uplinkRun, uplinkBlobs } from "../../net/layout.ts";
import { takeLead } from "../../net/lead.ts";
import { serveRpc } from "../../net/rpc.ts";
import { publishTask } from "../../net/task.ts";
import { blobParts, ensureFederationStreams, ensureUplink, type RunMessages, sweepUplink } from "../../net/uplinks.ts";
import { auditedStore } from "../../store/audited-store.ts";
import { type MirroredStore, mirroredStore } from "../../store/mirrored-store.ts";
import { recentBlobs } from "../../store/recent-blobs.ts";
import { encodeJson } from "../../store/codec.ts";
import { type Store, writerSegment } from "../../store/store.ts";
import { connectAs, pushAllAccounts, pushOver } from "./accounts.ts";
import type { AuditLog } from "./audit-log.ts";
import { serveEnrolment } from "./enrolment-service.ts";
import type { Federation } from "./federation-folder.ts";
import type { HostedServer } from "./hosted-server.ts";
import { verifyNatively } from "./native-signatures.ts";
import { leaveMember } from "./invite.ts";
import { connectionState, silenceNotes } from "./connection-state.ts";
import { unanswered } from "./connection-errors.ts";
import { refuseWithoutRoom } from "./server-room.ts";
import { type MemberDirectory, openMemberDirectory } from "./member-directory.ts";
import type { MemberRecord } from "./records.ts";

/** Time for an answer to leave before its receiver's connection is closed, milliseconds. */
const ANSWER_FIRST_MS = 500;

/** Bytes of blobs that the coordinator keeps in memory from the look at an update to its aggregation. */
const RECENT_BYTES = 32_000_000;

export interface HostingOptions {
  readonly federation: Federation;
  readonly server: Pick<HostedServer, "connection" | "check">;
  /** Name of the run: letters, digits, - and _. */
  readonly run: string;
  /** Gets a copy of the exchange; a lost exchange is restored from it. */
  readonly copy: Store;
  readonly audit: AuditLog;
  /** Name and version of this program. */
  readonly software: string;
  readonly replicas?: number | undefined;
  /** Bytes that each member may have on the server at once, reserved on its disk. */
  readonly uplinkBytes: number;
  /** The most messages of each member in the run. Default: 100,000 cells and as many parts of blobs. */
  readonly messages?: RunMessages | undefined;
  /** Names the process in the message that a replaced coordinator gets. */
  readonly who: string;
  readonly onNote: (note: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A federation at work: its members can join, and meet the coordinator in the exchange. */
export interface Hosting {
  readonly exchange: MirroredStore;
  readonly monitor: FederationMonitor;
  readonly members: MemberDirectory;
  readonly isConnected: () => boolean;
  /** Once the run is over: deletes updates that came too late or were refused. Returns how many went. */
  readonly sweep: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/**
 * Brings a federation's server up to date and opens the exchange of a run: accounts and streams, enrolment, heartbeats, the
 * lead over other coordinators, the run as the federation's task.
 *
 * @throws UserError("storage") where the server does not answer, or another coordinator takes over.
 */
export async function openHosting(options: HostingOptions): Promise<Hosting> {
  const { federation, server, run, copy, audit, software, replicas, uplinkBytes, messages, who, onNote, signal } =
    options;
  const { id, name } = federation.facts;
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closers.reverse()) await step();
    closers.length = 0;
  };
  try {
    const system = await connectAs(federation, "system", server.connection);
    closers.push(() => system.close());
    await pushAllAccounts(federation, pushOver(system));
    const connection = await connectAs(federation, "coordinator", server.connection);
    closers.push(() => connection.close());
    const manager = await jetstreamManager(connection);
    await ensureFederationStreams(manager, { replicas });
    const monitor = new FederationMonitor({ federation: name, run });
    const members = await openMemberDirectory(federation, (directory) => monitor.expect(directory.active()));
    closers.push(() => members.close());
    await refuseWithoutRoom(system, { members: members.accounts().size, bytesEach: uplinkBytes });
    const prepare = (account: string): Promise<void> =>
      ensureUplink(manager, account, {
        replicas,
        maxBytes: uplinkBytes,
        messages: messages && { ...messages, run },
      });
    for (const account of members.accounts().values()) await prepare(account);
    const key = await federation.key("federation");
    const patience = { signal, onSilence: silenceNotes(onNote, server.check) };
    const lead = await takeLead(connection, run, who, patience);
    const onFull = (client: string): void => {
      const detail = "it has sent as many messages as it may; the server takes no more of it";
      onNote(`${client}: ${detail}`);
      void audit.log({ what: "refused", run, client, detail });
    };
    const store = await hostStore({ connection, run, members: members.accounts, lead, onFull, ...patience });
    closers.push(() => store.close());
    const direct = {
      ...store,
      async list(prefix: string) {
        // On a full disk only writes fail, and a coordinator that waits for its members writes nothing.
        server.check?.();
        return store.list(prefix);
      },
    };
    const writer = (cell: string): MemberRecord | undefined => members.bySegment(writerSegment(cell));
    const signed = signedStore(direct, {
      federation: id,
      run,
      identity: key,
      verify: verifyNatively,
      ownerOf: (cell) => (writerSegment(cell) === undefined ? key.publicKey : writer(cell)?.users),
    });
    const restored = await restoreRun(signed, copy);
    if (restored !== undefined)
      onNote(`the server had lost the run; it was restored, with ${restored} finished rounds`);
    const audited = auditedStore(signed, { run, log: audit.log, writerOf: (cell) => writer(cell)?.name });
    closers.push(
      serve(connection, {
        federation,
        system,
        members,
        monitor,
        audit,
        manager,
        run,
        onNote,
        prepare,
        uplinkBytes,
        software,
      }),
    );
    await publishTask(connection, { federation: id, key, task: { protocol: PROTOCOL, run, software } });
    await audit.log({ what: "hosting", run, detail: software });
    const isConnected = connectionState(connection);
    const mirrored = mirroredStore(audited, copy, (hash, owner) => isAccepted(copy, hash, owner));
    const exchange = recentBlobs(mirrored, RECENT_BYTES);
    const sweep = async (): Promise<number> => {
      let count = 0;
      const kept = await lastUpdates(copy);
      for (const [client, account] of members.accounts()) {
        count += (await sweepUplink(manager, account, run, new Set(kept.get(client)))).length;
      }
      return count;
    };
    return { exchange, monitor, members, isConnected, sweep, close };
  } catch (error) {
    await close();
    throw unanswered(error);
  }
}

interface Service {
  readonly federation: Federation;
  readonly system: NatsConnection;
  readonly members: MemberDirectory;
  readonly monitor: FederationMonitor;
  readonly audit: AuditLog;
  readonly manager: JetStreamManager;
  /** Makes the stream of a member's account. */
  readonly prepare: (account: string) => Promise<void>;
  readonly run: string;
  readonly uplinkBytes: number;
  readonly software: string;
  readonly onNote: (note: string) => void;
}

/** Answers members: enrolment, new tokens, heartbeats, chunks that the server has, the wish to leave. Returns the function that ends it. */
function serve(connection: NatsConnection, service: Service): () => void {
  const { federation, system, members, monitor, audit, manager, run, prepare, uplinkBytes, software, onNote } = service;
  const push = pushOver(system);
  const told = new Set<string>();
  const stopEnrolment = serveEnrolment(connection, federation, {
    push,
    software,
    async prepare(member) {
      await prepare(member.account);
      members.add(member);
      return { bytes: uplinkBytes };
    },
    onEnrolled(name) {
      onNote(`${name} has joined the federation`);
      void audit.log({ what: "enrolled", client: name });
    },
    onRefused(name, { refused, message }) {
      // A site that may try again does so every few seconds.
      if (told.size === told.add(`${name} ${refused}`).size) return;
      onNote(`${name ?? "somebody with an unknown invitation"} may not join: ${message}`);
      void audit.log({ what: "refused", ...(name !== undefined && { client: name }), detail: message });
    },
    onFailure: (error) =>
      onNote(`a request could not be answered: ${error instanceof Error ? error.message : String(error)}`),
  });
  const stopRpc = serveRpc(connection, {
    async hb(account, bytes) {
      const client = members.clientOf(account);
      const heartbeat = readHeartbeat(bytes);
      if (client !== undefined && heartbeat !== undefined) monitor.hear(client, heartbeat);
      return new Uint8Array();
    },
    async leave(account) {
      const client = members.clientOf(account);
      if (client === undefined) throw new Error("not a member");
      const end = await leaveMember(federation, client, push);
      await audit.log({ what: "left", client });
      onNote(`${client} has left the federation`);
      await members.refresh();
      // A server that does not hear of it has it from the next start of the coordinator on.
      setTimeout(() => void end().catch(() => undefined), ANSWER_FIRST_MS);
      return new Uint8Array();
    },
    async have(account, bytes) {
      const hash = new TextDecoder().decode(bytes);
      if (!/^[0-9a-f]{64}$/.test(hash)) throw new Error("not a hash");
      return encodeJson(await blobParts(manager, uplinkBlobs(account), uplinkRun(account, run), hash));
    },
  });
  return () => {
    stopEnrolment();
    stopRpc();
  };
}
