import { JetStreamApiError, type JetStreamManager, type StreamConfig } from "@nats-io/jetstream";

/** The server's answer to a stream that is there with the same or another configuration. */
const NAME_IN_USE = 10058;

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
  const streams: RunStreams = {
    cells: { stream: `${name}_cells`, prefix: `fl.${name}.cell` },
    blobs: { stream: `${name}_blobs`, prefix: `fl.${name}.blob` },
    head: { stream: `${name}_head`, prefix: `fl.${name}.head` },
  };
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

async function ensure(manager: JetStreamManager, config: Partial<StreamConfig> & { name: string }): Promise<void> {
  try {
    await manager.streams.add(config);
  } catch (error) {
    if (!(error instanceof JetStreamApiError && error.code === NAME_IN_USE)) throw error;
  }
}
