import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { storageError } from "./durable-file.ts";

/** A running process has the folder. */
export class FolderInUse extends UserError {
  /** Its id. */
  readonly owner: number;

  constructor(owner: number, ...rest: ConstructorParameters<typeof UserError>) {
    super(...rest);
    this.owner = owner;
  }
}

/** Locks of this process. */
const held = new Set<string>();

/**
 * Locks a folder for this process and returns the function that unlocks it. The lock of a process that died is taken over. It
 * is valid among the processes of one machine.
 *
 * @throws FolderInUse (a UserError of kind `storage`) naming the process that has it.
 */
export function lockFolder(folder: string): () => void {
  const file = path.resolve(folder, "lock");
  if (held.has(file)) throw inUse(file, folder, process.pid);
  const mine = `${file}.${randomUUID()}`;
  try {
    // A link is made at once, so no process reads a lock without its owner.
    writeFileSync(mine, String(process.pid));
    for (;;) {
      try {
        linkSync(mine, file);
        held.add(file);
        return () => {
          held.delete(file);
          rmSync(file, { force: true });
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      removeIfStale(file, folder);
    }
  } catch (error) {
    throw storageError(file, "write", error);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Removes the lock of a dead process. Renaming makes sure that only one of several processes does it. */
function removeIfStale(file: string, folder: string): void {
  const aside = `${file}.${randomUUID()}`;
  const owner = ownerOf(file);
  if (owner === undefined) return;
  // This process's own number on a lock belongs to a process that died: in a container, the first process is always 1.
  if (owner !== process.pid && isAlive(owner)) throw inUse(file, folder, owner);
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  const taken = ownerOf(aside)!;
  // Another process was faster, and this is its valid lock: put it back.
  if (taken !== owner) linkSync(aside, file);
  rmSync(aside, { force: true });
  if (taken !== owner) throw inUse(file, folder, taken);
}

function ownerOf(file: string): number | undefined {
  try {
    // 0 is no process; it stands for a text that is not a number.
    return Number(readFileSync(file, "utf8")) || 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function inUse(file: string, folder: string, owner: number): FolderInUse {
  return new FolderInUse(owner, "storage", `another process (${owner}) works in the folder ${folder}`, {
    hint: `Wait for it, stop it, or choose another folder. If there is no such process, remove ${file}.`,
  });
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
