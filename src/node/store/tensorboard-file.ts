import { closeSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { ScalarFold } from "../../experiment/results/scalars.ts";
import type { RunEvent } from "../../federation/events.ts";
import { storageError } from "./durable-file.ts";
import { scalarRecord, versionRecord } from "./tensorboard-record.ts";

const NAME = /^events\.out\.tfevents\.(\d+)\.openfedllm$/;
const REWRITTEN = "rewritten.tmp";
const FLUSH_BYTES = 1 << 20;

export interface TensorBoardFile {
  /** Writes an event of the log: before `publish` the events in it, after `publish` each new one. */
  write(event: RunEvent): void;
  /** Renames the file into its place. From then on each event is written at once. */
  publish(): void;
  close(): void;
}

/**
 * Opens TensorBoard's event file of a run, in `folder`. It is written again from the event log at each start, so no event is
 * there twice or lost, however the run was stopped. The same log gives the same bytes.
 *
 * Events have durations and no date. The second in the file's own name, when the run began, is the origin. An event's time is
 * the origin plus the work until then, so a run that was stopped overnight shows no gap. Without an event file, the origin is
 * the date of the file `began`.
 *
 * Throws `UserError`s of kind `storage`.
 */
export async function openTensorBoardFile(folder: string, began: string): Promise<TensorBoardFile> {
  const rewritten = path.join(folder, REWRITTEN);
  const guarded = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw storageError(folder, "write", error);
    }
  };
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(folder, "write", error);
  });
  const origin = guarded(() => originOf(folder) ?? Math.floor(dateOf(began) / 1000));
  const fd = guarded(() => openSync(rewritten, "w"));
  const fold = new ScalarFold();
  let waiting: Uint8Array[] = [versionRecord(origin)];
  let bytes = 0;
  let published = false;
  const flush = (): void => {
    const all = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    for (let written = 0; written < all.length;) written += writeSync(fd, all, written);
  };
  return {
    write: (event) =>
      guarded(() => {
        const { elapsed, scalars } = fold.apply(event);
        if (scalars.length === 0) return;
        const record = scalarRecord(origin + elapsed, scalars[0]!.step, scalars);
        waiting.push(record);
        bytes += record.length;
        if (published || bytes > FLUSH_BYTES) flush();
      }),
    publish: () =>
      guarded(() => {
        flush();
        renameSync(rewritten, path.join(folder, `events.out.tfevents.${origin}.openfedllm`));
        published = true;
      }),
    close() {
      closeSync(fd);
      if (!published) rmSync(rewritten, { force: true });
    },
  };
}

function originOf(folder: string): number | undefined {
  const found = readdirSync(folder).map((name) => NAME.exec(name)?.[1]);
  const [seconds] = found.filter((each) => each !== undefined).sort();
  return seconds === undefined ? undefined : Number(seconds);
}

function dateOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
}
