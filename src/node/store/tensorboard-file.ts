import { closeSync, openSync, readdirSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { ScalarFold } from "../../experiment/scalars.ts";
import type { RunEvent } from "../../federation/events.ts";
import { storageError } from "./durable-file.ts";
import { scalarRecord, versionRecord } from "./tensorboard-record.ts";

const NAME = /^events\.out\.tfevents\.(\d+)\.openfedllm$/;
const REWRITTEN = "rewritten.tmp";
const FLUSH_BYTES = 1 << 20;

export interface TensorBoardFile {
  /** Takes in an event of the log: first those that are in it, then, after `publish`, each as it happens. */
  write(event: RunEvent): void;
  /** Puts the file into its place: from here on an event is in it at once. */
  publish(): void;
  close(): void;
}

/**
 * TensorBoard's event file of a run, in `folder`. It is written anew from the event log at each start, so nothing in it
 * is there twice and nothing is lost, however the run was stopped; the same log gives the same bytes.
 *
 * Events have durations and no date. So the file's own name, with the second the run began, is the origin, and an
 * event's time is that plus the work done until then: a run that was stopped overnight shows no gap. `began` is the file
 * whose date that second is where there is no event file yet.
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
