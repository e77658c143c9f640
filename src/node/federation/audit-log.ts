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
  const waiting: {
    readonly entry: AuditEntry;
    readonly written: () => void;
    readonly failed: (why: unknown) => void;
  }[] = [];
  const append = async (entries: readonly AuditEntry[]): Promise<void> => {
    const added: AuditLine[] = [];
    const identities: string[] = [];
    let before = last;
    for (const entry of entries) {
      const identity = identityOf(entry);
      if (identity !== undefined && (known.has(identity) || identities.includes(identity))) continue;
      before = await nextLine(entry, before, now());
      added.push(JSON.parse(before) as AuditLine);
      if (identity !== undefined) identities.push(identity);
    }
    if (added.length === 0) return;
    await lines.append(added);
    last = before;
    for (const identity of identities) known.add(identity);
  };
  let isWriting = false;
  /** Entries that came during a write go to the disk together. */
  const write = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    for (let batch = waiting.splice(0); batch.length > 0; batch = waiting.splice(0)) {
      const end = await append(batch.map(({ entry }) => entry)).catch((why: unknown) => ({ why }));
      for (const { written, failed } of batch) {
        if (end === undefined) written();
        else failed(end.why);
      }
    }
    isWriting = false;
  };
  return {
    log: (entry) =>
      new Promise<void>((written, failed) => {
        waiting.push({ entry, written, failed });
        void write();
      }),
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
