import { createHash, randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { chmod, lstat, mkdtemp, opendir, rename, rmdir, unlink } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { storageError } from "../store/durable-file.ts";
import { setTimeout as delay } from "node:timers/promises";

/** Begins the name of every folder of this kind; the owner follows. */
const PREFIX = "openfedllm-code-";
/** Time for the removal of one folder. */
const REMOVAL_SECONDS = 30;
/** Time for the removal of all that earlier processes left. */
const SWEEP_SECONDS = 10;
/** Entries that are removed at a time. */
const BATCH = 64;

/**
 * Makes a fresh folder under the temporary folder. Its name says which process owns it (`sweepFolders`).
 *
 * @throws UserError("storage") where it cannot be made.
 */
export async function makeFolder(): Promise<string> {
  try {
    return await mkdtemp(path.join(tmpdir(), `${PREFIX}${processSpace()}-${process.pid}-`));
  } catch (error) {
    throw storageError(tmpdir(), "write", error);
  }
}

/**
 * Removes a folder with all that a program may leave in it: locked folders, names that are no text, paths longer than the
 * system takes, any number of files. It never fails, and it gives up after `seconds`: one warning then names what stays.
 */
export async function removeFolder(folder: string, seconds: number = REMOVAL_SECONDS): Promise<void> {
  if (!(await removed(folder, Date.now() + seconds * 1000))) {
    process.emitWarning(
      `${folder} could not be removed completely: a program of a model filled it. Remove it yourself.`,
    );
  }
}

/** Removes the folders of processes that are gone, such as after SIGKILL. It takes ten seconds at most, and never fails. */
export async function sweepFolders(): Promise<void> {
  const deadline = Date.now() + SWEEP_SECONDS * 1000;
  const name = new RegExp(`^${PREFIX}${processSpace()}-(\\d+)-`);
  try {
    for await (const entry of await opendir(tmpdir())) {
      const owner = name.exec(entry.name)?.[1];
      if (owner === undefined || isAlive(Number(owner))) continue;
      const folder = path.join(tmpdir(), entry.name);
      const found = await lstat(folder);
      // Another user may have chosen that name.
      if (found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)) await removed(folder, deadline);
    }
  } catch {
    // Another process sweeps too, or the temporary folder cannot be listed.
  }
}

/** Names the set of processes among which a process number means one process: the machine and, in a container, the container. */
function processSpace(): string {
  let space = hostname();
  try {
    space += readlinkSync("/proc/self/ns/pid");
  } catch {
    // Only Linux has it.
  }
  return createHash("sha256").update(space).digest("hex").slice(0, 8);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/**
 * Empties and removes a folder; returns whether it is gone. Folders in folders are moved up into the first, so that no path
 * becomes long, and no depth needs a deep recursion.
 */
async function removed(folder: string, deadline: number): Promise<boolean> {
  // A program cannot have made such a name.
  const aside = path.join(folder, randomUUID());
  let moves = 0;
  const moveUp = async (inner: Buffer): Promise<void> => {
    await chmod(inner, 0o700);
    await rename(inner, `${aside}-${moves++}`);
  };
  let refusals = 0;
  while (Date.now() <= deadline) {
    try {
      await empty(Buffer.from(folder), deadline, async (inner) => {
        await empty(inner, deadline, moveUp);
        await rmdir(inner);
      });
      await rmdir(folder);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" && !(await exists(folder))) return true;
      // Those that were moved up are met in the next pass.
      if (code === "ENOENT" || code === "ENOTEMPTY" || code === "EEXIST") continue;
      if (++refusals > 3) return false;
      await delay(100);
    }
  }
  return false;
}

/** Removes the entries of a folder; `onFolder` gets each that is a folder. It tries all, then throws the first error. */
async function empty(folder: Buffer, deadline: number, onFolder: (inner: Buffer) => Promise<void>): Promise<void> {
  await chmod(folder, 0o700);
  const errors: unknown[] = [];
  const batch: Promise<unknown>[] = [];
  // A name need not be UTF-8.
  const entries = await opendir(folder, { encoding: "buffer" as BufferEncoding, bufferSize: BATCH });
  for await (const entry of entries) {
    if (Date.now() > deadline) break;
    const inner = Buffer.concat([folder, Buffer.from(path.sep), entry.name as unknown as Buffer]);
    batch.push((entry.isDirectory() ? onFolder(inner) : unlink(inner)).catch((error: unknown) => errors.push(error)));
    if (batch.length === BATCH) await Promise.all(batch.splice(0));
  }
  await Promise.all(batch);
  if (errors.length > 0) throw errors[0];
}

function exists(folder: string): Promise<boolean> {
  return lstat(folder).then(
    () => true,
    () => false,
  );
}
