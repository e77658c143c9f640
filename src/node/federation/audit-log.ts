import { readFile } from "node:fs/promises";
import { errorCode } from "../../diagnostics/error-code.ts";
import { type AuditEntry, type AuditLine, nextLine } from "../../store/audit.ts";
import { storageError } from "../store/durable-file.ts";
import { openJsonLog } from "../store/json-log.ts";

/** An append-only log, each line chained to the line before. */
export interface AuditLog {
  /** Appends an entry, durably. An entry about a content that the log has already is left out. */
  readonly log: (entry: AuditEntry) => Promise<void>;
}

/**
 * Opens the audit log of one side, which need not exist yet. One process at a time writes it.
 *
 * @throws UserError of kind `storage` for a damaged line, and for a file that cannot be read or written.
 */
export async function openAuditLog(file: string, now: () => Date = () => new Date()): Promise<AuditLog> {
  const lines = await openJsonLog<AuditLine>(file, {
    called: "entry",
    isRecord: ({ number, what }) => typeof number === "number" && typeof what === "string",
  });
  const known = new Set(lines.records.map(identityOf).filter((identity) => identity !== undefined));
  let last = (await auditLines(file)).at(-1);
  let queue: Promise<void> = Promise.resolve();
  const append = async (entry: AuditEntry): Promise<void> => {
    const identity = identityOf(entry);
    if (identity !== undefined && known.has(identity)) return;
    const line = await nextLine(entry, last, now());
    await lines.append([JSON.parse(line) as AuditLine]);
    last = line;
    if (identity !== undefined) known.add(identity);
  };
  return {
    log: (entry) => {
      const written = queue.then(() => append(entry));
      queue = written.catch(() => undefined);
      return written;
    },
  };
}

/** The lines of an audit log as text; empty where there is none. */
export async function auditLines(file: string): Promise<string[]> {
  try {
    return (await readFile(file, "utf8")).split("\n").slice(0, -1);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw storageError(file, "read", error);
  }
}

/** A restarted party writes and reads the same things again; one entry is enough. */
function identityOf({ what, run, cell, blob, sha256, client }: AuditEntry): string | undefined {
  if (what !== "sent" && what !== "received") return undefined;
  return JSON.stringify([what, run, cell, blob, sha256, client]);
}
