import { JetStreamApiError, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";
import { UserError } from "../diagnostics/user-error.ts";

/** The server's error codes for a stream name that is taken by another configuration, and for no such stream. */
const NAME_IN_USE = 10058;
const NO_STREAM = 10059;

export interface StreamLimits {
  /** Copies of each message in a cluster: 1, 3 or 5. Default: 1. */
  readonly replicas?: number | undefined;
  /** Bytes that the blobs of a run may take, reserved on the server's disk. Default: no limit, nothing reserved. */
  readonly maxBlobBytes?: number | undefined;
}

/** A stream and the subjects it holds. */
export interface Subjects {
  readonly stream: string;
  /** Without the last dot. */
  readonly prefix: string;
}

export interface RunStreams {
  readonly cells: Subjects;
  readonly blobs: Subjects;
  readonly head: Subjects;
}

/** Makes the streams of a run, or finds them. */
export async function ensureStreams(
  manager: JetStreamManager,
  name: string,
  { replicas = 1, maxBlobBytes = -1 }: StreamLimits,
): Promise<RunStreams> {
  const streams = streamsOf(name);
  const common = { num_replicas: replicas, allow_direct: true, max_msgs_per_subject: 1 };
  // The first message of a subject wins; the server refuses the second.
  const once = { ...common, discard: "new" as const, discard_new_per_subject: true };
  await ensure(manager, { ...once, name: streams.cells.stream, subjects: [`${streams.cells.prefix}.>`] });
  await ensure(manager, {
    ...once,
    name: streams.blobs.stream,
    subjects: [`${streams.blobs.prefix}.>`],
    max_bytes: maxBlobBytes,
  });
  await ensure(manager, { ...common, name: streams.head.stream, subjects: [streams.head.prefix] });
  return streams;
}

/** The streams of a run that another party made; undefined where there are none. */
export async function findStreams(manager: JetStreamManager, name: string): Promise<RunStreams | undefined> {
  const streams = streamsOf(name);
  try {
    // The head is made last.
    await manager.streams.info(streams.head.stream);
    return streams;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === NO_STREAM) return undefined;
    throw error;
  }
}

function streamsOf(name: string): RunStreams {
  return {
    cells: { stream: `${name}_cells`, prefix: `fl.${name}.cell` },
    blobs: { stream: `${name}_blobs`, prefix: `fl.${name}.blob` },
    head: { stream: `${name}_head`, prefix: `fl.${name}.head` },
  };
}

type Wanted = Partial<StreamConfig> & { readonly name: string };

async function ensure(manager: JetStreamManager, wanted: Wanted): Promise<void> {
  try {
    await manager.streams.add(wanted);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === NAME_IN_USE)) throw error;
    const { config } = await manager.streams.info(wanted.name);
    // With other rules the first write would not win.
    const keys = ["subjects", "max_msgs_per_subject", "discard", "discard_new_per_subject"] as const;
    const other = keys.find((key) => wanted[key] !== undefined && String(config[key]) !== String(wanted[key]));
    if (other === undefined) return;
    throw new UserError("config", `The server has a stream ${wanted.name} with another ${other}: it is not of a run.`, {
      hint: "Choose another name for the run.",
    });
  }
}
