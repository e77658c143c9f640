import { closeSync, createReadStream, fsync, openSync, readSync, fstatSync, writeSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { UserError } from "../../diagnostics/user-error.ts";
import { eventIdentity, type EventSink, type RunEvent } from "../../federation/events.ts";
import { LARGEST_MAX_STALENESS } from "../../updates/staleness.ts";
import { storageError, syncFolder } from "./durable-file.ts";

export interface EventLog extends EventSink {
  close(): void;
}

/** Identities of the latest events. Events of earlier rounds cannot come again, and a long run has millions. */
class Recent {
  readonly #byRound = new Map<number, Set<string>>();

  /** Adds an event; false where one with its identity was added before. */
  add(event: RunEvent): boolean {
    const identity = eventIdentity(event);
    if (identity === undefined) return true;
    const round = "round" in event ? event.round : -1;
    for (const old of this.#byRound.keys()) {
      if (old >= 0 && old < round - 2 - LARGEST_MAX_STALENESS) this.#byRound.delete(old);
    }
    const seen = this.#byRound.get(round) ?? new Set<string>();
    this.#byRound.set(round, seen);
    const size = seen.size;
    return seen.add(identity).size > size;
  }
}

function endsWithNewline(fd: number): boolean {
  const { size } = fstatSync(fd);
  const last = Buffer.alloc(1);
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a);
}

/** Copies the lines of valid events to `kept`. True where some were dropped. */
async function copyWhatHolds(
  file: string,
  kept: string,
  recent: Recent,
  holds: (event: RunEvent) => boolean,
  onEvent: (event: RunEvent) => void,
): Promise<boolean> {
  const out = await open(kept, "w");
  try {
    let dropped = false;
    let torn: number | undefined;
    let number = 0;
    let batch = "";
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (torn !== undefined) {
        throw new UserError("storage", `${file}, line ${torn}, is damaged: it is not JSON.`, {
          hint: "Remove the line, or put the file back from a copy.",
        });
      }
      let event: RunEvent;
      try {
        event = JSON.parse(line) as RunEvent;
      } catch {
        torn = number;
        dropped = true;
        continue;
      }
      if (!holds(event) || !recent.add(event)) {
        dropped = true;
        continue;
      }
      onEvent(event);
      batch += `${line}\n`;
      if (batch.length > 1 << 20) {
        await out.writeFile(batch);
        batch = "";
      }
    }
    await out.writeFile(batch);
    await out.sync();
    return dropped;
  } finally {
    await out.close();
  }
}

/**
 * Appends events to `file`, one JSON object a line (a loss that is not finite is `null`). A file that is there is
 * continued: an incomplete last line and the events that are no longer valid (`eventsThatHold`) are removed first, and an event
 * in the file is not written again. So a run that stopped anywhere and was continued leaves the lines of an undisturbed one
 * (client steps in the order of the steps, clients in the order of the round), except `run-resume` and seconds.
 * `onEvent` gets every event in the file once, both kept and added ones.
 *
 * Throws `UserError`s of kind `storage`.
 */
export async function openEventLog(
  file: string,
  holds: (event: RunEvent) => boolean,
  onEvent: (event: RunEvent) => void = () => undefined,
): Promise<EventLog> {
  const recent = new Recent();
  const kept = `${file}.kept`;
  let fd: number | undefined;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    fd = openSync(file, "a+");
    const whole = endsWithNewline(fd);
    if ((await copyWhatHolds(file, kept, recent, holds, onEvent)) || !whole) {
      await rename(kept, file);
      closeSync(fd);
      fd = openSync(file, "a");
    }
    await rm(kept, { force: true });
    await syncFolder(path.dirname(file));
    return appendTo(file, fd, recent, onEvent);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    await rm(kept, { force: true }).catch(() => undefined);
    throw storageError(file, "write", error);
  }
}

function appendTo(file: string, fd: number, recent: Recent, onEvent: (event: RunEvent) => void): EventLog {
  let failure: unknown;
  return {
    emit(event) {
      // A whole line after half a line would hide the damage in the middle of the file.
      if (failure !== undefined) throw failure;
      if (!recent.add(event)) return;
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      try {
        for (let written = 0; written < line.length;) written += writeSync(fd, line, written);
      } catch (error) {
        failure = storageError(file, "write", error);
        throw failure;
      }
      onEvent(event);
    },
    async flush() {
      try {
        await promisify(fsync)(fd);
      } catch (error) {
        throw storageError(file, "write", error);
      }
    },
    close() {
      closeSync(fd);
    },
  };
}
