import { JetStreamApiError, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { UserError } from "../diagnostics/user-error.ts";
import {
  CHUNK_BYTES,
  NO_STREAM,
  STREAMS,
  coordinatorRun,
  leadSubject,
  uplinkBlobs,
  uplinkRun,
  uplinkStream,
} from "./layout.ts";

const NAME_IN_USE = 10058;
const NO_ROOM = 10047;

/** The first message of a subject wins; the server refuses the second. */
const ONCE = { max_msgs_per_subject: 1, allow_direct: true, discard: "new", discard_new_per_subject: true } as const;

export interface FederationLimits {
  /** Copies of each message in a cluster: 1, 3 or 5. Default: 1. */
  readonly replicas?: number | undefined;
  /** Bytes that the coordinator's blobs may take, reserved on the server's disk. Default: no limit. */
  readonly maxBlobBytes?: number | undefined;
}

export interface UplinkLimits {
  /** Default: 1. */
  readonly replicas?: number | undefined;
  /** Bytes that the member may store, reserved on the server's disk. */
  readonly maxBytes: number;
  /** Messages that the member may store of this run, besides those of earlier ones. Default: 100,000 of each kind. */
  readonly messages?: (RunMessages & { readonly run: string }) | undefined;
  /** Bytes. Default: 1 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** Messages of a member in one run. */
export interface RunMessages {
  readonly cells: number;
  /** Parts of blobs. */
  readonly parts: number;
}

/** A member's cells in one round: its update, its scores, and room for what secure aggregation adds. */
const CELLS_A_ROUND = 8;
/** Blobs that a member may send in one round: its update, once more after a restart, and room for another kind. */
const BLOBS_A_ROUND = 4;
/** Messages besides those of rounds: to join, to decline, to leave. */
const BESIDES = 64;
/** Without a run to count for. */
const MOST_MESSAGES = 100_000;

/** The most messages that an honest member stores in a run. A stream takes no more, so that nobody can flood the server. */
export function messagesNeeded(rounds: number, updateBytes: number): RunMessages {
  const parts = Math.ceil(updateBytes / CHUNK_BYTES) + 1;
  // The evaluation before the first round counts as a round.
  return {
    cells: CELLS_A_ROUND * (rounds + 1) + BESIDES,
    parts: BLOBS_A_ROUND * parts * (rounds + 1) + BESIDES,
  };
}

/** Makes the coordinator's streams, or finds them. */
export async function ensureFederationStreams(
  manager: JetStreamManager,
  { replicas = 1, maxBlobBytes = -1 }: FederationLimits = {},
): Promise<void> {
  const copies = { num_replicas: replicas };
  await ensure(manager, { ...ONCE, ...copies, name: STREAMS.cells, subjects: ["fl.all.r.*.c.>"] });
  const blobs = { name: STREAMS.blobs, subjects: ["fl.all.r.*.b.>"], max_bytes: maxBlobBytes };
  await ensure(manager, { ...ONCE, ...copies, ...blobs });
  const subjects = ["fl.all.r.*.head", "fl.all.task", "fl.s.*.lead"];
  await ensure(manager, { ...copies, max_msgs_per_subject: 1, allow_direct: true, name: STREAMS.head, subjects });
}

/** Of a member's room, the part of its cells, and the most that they need: a few thousand rounds. */
const CELLS_SHARE = 1 / 4;
const MOST_CELL_BYTES = 4_000_000;

/**
 * Makes a member's two streams, or brings those that are there to these limits.
 *
 * @throws UserError("storage") where the server has no room for it.
 */
export async function ensureUplink(manager: JetStreamManager, account: string, limits: UplinkLimits): Promise<void> {
  const { replicas = 1, maxBytes, messages, maxMessageBytes = 1024 * 1024 } = limits;
  const cellBytes = Math.min(MOST_CELL_BYTES, Math.floor(maxBytes * CELLS_SHARE));
  const stream = (name: string, kind: "c" | "b", bytes: number): Promise<boolean> => {
    const config = {
      ...ONCE,
      name,
      subjects: [`fl.u.${account}.r.*.${kind}.>`],
      num_replicas: replicas,
      max_bytes: bytes,
      max_msg_size: maxMessageBytes,
    };
    const most = messages === undefined ? MOST_MESSAGES : messages[kind === "c" ? "cells" : "parts"];
    return ensure(manager, { ...config, max_msgs: most }, async () => {
      if (messages === undefined) return { ...config, max_msgs: most };
      const ofRun = { subjects_filter: `${uplinkRun(account, messages.run)}.${kind}.>` };
      const { state } = await manager.streams.info(name, ofRun);
      const now = Object.keys(state.subjects ?? {}).length;
      // A server deletes what is over a limit that is set lower, and nothing stored may go.
      return { ...config, max_msgs: state.messages - now + Math.max(most, now) };
    });
  };
  try {
    const isChanged = await stream(uplinkStream(account), "c", cellBytes);
    // Blobs were in this stream too once, and would fill it.
    if (isChanged) await purge(manager, uplinkStream(account), `fl.u.${account}.r.*.b.>`);
    await stream(uplinkBlobs(account), "b", maxBytes - cellBytes);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === NO_ROOM)) throw error;
    throw new UserError(
      "storage",
      `The server has no room for another member: it reserves ${Math.ceil(maxBytes / 1e6)} MB for each`,
      {
        hint: "Free disk space on the machine of the server, start the server anew, and run the same command again.",
        cause: error,
      },
    );
  }
}

/** Bytes that a member has stored; 0 where it has no stream. */
export async function uplinkBytes(manager: JetStreamManager, account: string): Promise<number> {
  const streams = [uplinkStream(account), uplinkBlobs(account)];
  const infos = await Promise.all(streams.map((name) => ifThere(() => manager.streams.info(name))));
  return infos.reduce((sum, info) => sum + (info?.state.bytes ?? 0), 0);
}

/** Deletes all that a run has stored. @param accounts the members'. */
export async function purgeRun(manager: JetStreamManager, run: string, accounts: Iterable<string>): Promise<void> {
  for (const account of accounts) {
    await purge(manager, uplinkStream(account), `${uplinkRun(account, run)}.c.>`);
    await purge(manager, uplinkBlobs(account), `${uplinkRun(account, run)}.b.>`);
  }
  await purge(manager, STREAMS.cells, `${coordinatorRun(run)}.c.>`);
  await purge(manager, STREAMS.blobs, `${coordinatorRun(run)}.b.>`);
  await purge(manager, STREAMS.head, `${coordinatorRun(run)}.head`);
  await purge(manager, STREAMS.head, leadSubject(run));
}

/** The parts of a blob that a stream has. @param runSubject of the run in it. */
export async function blobParts(
  manager: JetStreamManager,
  stream: string,
  runSubject: string,
  hash: string,
): Promise<string[]> {
  const filter = { subjects_filter: `${runSubject}.b.${hash}.*` };
  const { state } = await manager.streams.info(stream, filter);
  return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(subject.lastIndexOf(".") + 1));
}

/** Deletes the blobs of a member in a run, but those of these hashes. Returns the hashes that went. */
export async function sweepUplink(
  manager: JetStreamManager,
  account: string,
  run: string,
  keep: ReadonlySet<string>,
): Promise<string[]> {
  const prefix = `${uplinkRun(account, run)}.b.`;
  const filter = { subjects_filter: `${prefix}>` };
  const info = await ifThere(() => manager.streams.info(uplinkBlobs(account), filter));
  const subjects = Object.keys(info?.state.subjects ?? {});
  const hashes = new Set(subjects.map((subject) => subject.slice(prefix.length).split(".", 1)[0]!));
  const orphans = [...hashes].filter((hash) => !keep.has(hash));
  for (const hash of orphans) await purge(manager, uplinkBlobs(account), `${prefix}${hash}.>`);
  return orphans;
}

async function purge(manager: JetStreamManager, stream: string, filter: string): Promise<void> {
  await ifThere(() => manager.streams.purge(stream, { filter }));
}

/** The answer about a stream; undefined where there is none of that name. */
export async function ifThere<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NO_STREAM) return undefined;
    throw error;
  }
}

/** Makes a stream, or changes the one that is there, to `changed`: then true. */
async function ensure(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { name: string },
  changed: () => Promise<Partial<StreamConfig>> = async () => config,
): Promise<boolean> {
  try {
    await manager.streams.add(config);
    return false;
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === NAME_IN_USE)) throw error;
    await manager.streams.update(config.name, await changed());
    return true;
  }
}
