import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { UserError } from "../diagnostics/user-error.ts";
import { storageError } from "./directory-exchange.ts";

/**
 * Takes a folder for this process; returns what gives it back. The lock of a process that died is taken over.
 *
 * @throws UserError of kind `storage` naming the process that has it.
 */
export function lockFolder(folder: string): () => void {
  const file = path.join(folder, "lock");
  for (let attempt = 0; ; attempt++) {
    try {
      const handle = openSync(file, "wx");
      writeSync(handle, String(process.pid));
      closeSync(handle);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw storageError(file, "write", error);
      const owner = Number(readFileSync(file, "utf8"));
      if (attempt > 0 || (owner !== process.pid && isAlive(owner))) {
        throw new UserError("storage", `another process (${owner}) works in the run folder ${folder}`, {
          hint: `Wait for it, stop it, or choose another folder with --out. If there is no such run, remove ${file}.`,
        });
      }
      rmSync(file, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
