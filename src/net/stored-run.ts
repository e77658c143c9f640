import type { JetStreamManager } from "@nats-io/jetstream";
import { type NatsConnection, RequestError } from "@nats-io/nats-core";
import { ANYBODY_MS, coordinatorRun, CHUNK_BYTES, STREAMS, uplinkBlobs, uplinkRun, uplinkStream } from "./layout.ts";
import { ifThere } from "./uplinks.ts";

/** What a run has on a server. */
export interface StoredRun {
  readonly cells: number;
  readonly blobs: number;
  /** Bytes of the blobs. */
  readonly bytes: number;
  /** Members that have something there. */
  readonly members: number;
}

/** The names of the runs that a coordinator began, and that were not purged. */
export async function storedRuns(manager: JetStreamManager): Promise<string[]> {
  const info = await ifThere(() => manager.streams.info(STREAMS.head, { subjects_filter: "fl.s.*.lead" }));
  return Object.keys(info?.state.subjects ?? {})
    .map((subject) => subject.split(".")[2]!)
    .sort();
}

/** Counts what a run has stored. @param accounts the members'. */
export async function storedRun(
  manager: JetStreamManager,
  run: string,
  accounts: Iterable<string>,
): Promise<StoredRun> {
  const own = await storedIn(manager, [STREAMS.cells, STREAMS.blobs], coordinatorRun(run));
  let [{ cells, blobs, bytes }, members] = [own, 0];
  for (const account of accounts) {
    const theirs = await storedIn(manager, [uplinkStream(account), uplinkBlobs(account)], uplinkRun(account, run));
    if (theirs.cells + theirs.blobs > 0) members++;
    cells += theirs.cells;
    blobs += theirs.blobs;
    bytes += theirs.bytes;
  }
  return { cells, blobs, bytes, members };
}

async function storedIn(
  manager: JetStreamManager,
  streams: readonly string[],
  runSubject: string,
): Promise<Omit<StoredRun, "members">> {
  let cells = 0;
  const chunks = new Map<string, number>();
  let bytes = 0;
  for (const stream of streams) {
    const info = await ifThere(() => manager.streams.info(stream, { subjects_filter: `${runSubject}.>` }));
    for (const subject of Object.keys(info?.state.subjects ?? {})) {
      const [kind, hash, part] = subject.slice(runSubject.length + 1).split(".");
      if (kind === "c") cells++;
      else if (part !== "size") chunks.set(hash!, (chunks.get(hash!) ?? 0) + 1);
      else bytes += sizeIn((await manager.streams.getMessage(stream, { last_by_subj: subject }))?.data);
    }
    // A blob without its size was cut off on its way, and a member may have written any size.
    const most = [...chunks.values()].reduce((sum, count) => sum + count * CHUNK_BYTES, 0);
    bytes = Math.min(bytes, most);
  }
  return { cells, blobs: chunks.size, bytes };
}

function sizeIn(data: Uint8Array | undefined): number {
  return Math.max(0, Number(new TextDecoder().decode(data)) || 0);
}

/** True where a coordinator answers the members of the federation now, on whatever machine. */
export async function isCoordinated(coordinator: NatsConnection): Promise<boolean> {
  try {
    await coordinator.request("fl.rpc.nobody.hb", undefined, { timeout: ANYBODY_MS });
    return true;
  } catch (error) {
    // One that is there and busy counts.
    return !(error instanceof RequestError && error.isNoResponders());
  }
}
