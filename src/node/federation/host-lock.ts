import { mkdirSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { storageError } from "../store/durable-file.ts";
import { FolderInUse, lockFolder } from "../store/folder-lock.ts";
import type { Federation } from "./federation-folder.ts";

/**
 * Locks a federation for this process as its host: two would write one audit log, and each chains its lines to its own last one.
 * The lock of a process that died is taken over. Returns the function that unlocks it.
 *
 * @throws UserError("config") where another process of this machine is the host.
 */
export function lockHost({ folder, facts }: Federation): () => void {
  const place = path.join(folder, "host");
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(place, "write", error);
  }
  try {
    return lockFolder(place);
  } catch (error) {
    if (!(error instanceof FolderInUse)) throw error;
    throw new UserError(
      "config",
      `another openfedllm host (process ${error.owner}) works for the federation ${facts.name}`,
      {
        hint: `Stop it first, or use another federation's folder. If there is no such process, remove ${path.join(place, "lock")}.`,
        cause: error,
      },
    );
  }
}
