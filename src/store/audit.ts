import { sha256 } from "../tensor/sha256.ts";
import { writerSegment } from "./store.ts";

/** One line of an audit log, without its place in the chain. */
export interface AuditEntry {
  /** `sent`, `received`, or an act of a person or a party: `enrolled`, `revoked`, `consented`, `declined`, `refused`,
   * `left`. */
  readonly what: string;
  /** The run, where the entry is of one. */
  readonly run?: string;
  /** Key of the cell that travelled; `head` for the head. */
  readonly cell?: string;
  /** Hash of the blob that travelled. */
  readonly blob?: string;
  /** sha256 of the cell's content. */
  readonly sha256?: string;
  readonly bytes?: number;
  /** The member that an entry of the coordinator is about. */
  readonly client?: string;
  readonly detail?: string;
}

/** A line of an audit log. Each names the hash of the line before it, so none can be changed or removed in between. */
export interface AuditLine extends AuditEntry {
  /** 1 for the first line. */
  readonly number: number;
  /** Time on the clock of the machine, ISO 8601 in UTC. */
  readonly at: string;
  /** sha256 of the text of the line before; 64 zeros in the first. */
  readonly previous: string;
}

const NOTHING_BEFORE = "0".repeat(64);

/** The next line of a log. `last`: the line before, as text. */
export async function nextLine(entry: AuditEntry, last: string | undefined, at: Date): Promise<string> {
  const number = last === undefined ? 1 : (JSON.parse(last) as AuditLine).number + 1;
  const previous = last === undefined ? NOTHING_BEFORE : await hashOf(last);
  return JSON.stringify({ number, at: at.toISOString(), ...entry, previous } satisfies AuditLine);
}

/** Checks the chain of a log. Returns its entries, and the first problem where the chain is broken. */
export async function verifyChain(
  lines: readonly string[],
): Promise<{ readonly entries: readonly AuditLine[]; readonly problem?: string }> {
  const entries: AuditLine[] = [];
  let previous = NOTHING_BEFORE;
  for (const [i, line] of lines.entries()) {
    const entry = parsed(line);
    if (entry === undefined) return { entries, problem: `line ${i + 1} is not an entry of an audit log` };
    if (entry.number !== i + 1) return { entries, problem: `line ${i + 1} has the number ${entry.number}` };
    if (entry.previous !== previous) {
      return { entries, problem: `line ${i + 1} does not follow from the line before it: one of them was changed` };
    }
    entries.push(entry);
    previous = await hashOf(line);
  }
  return { entries };
}

function parsed(line: string): AuditLine | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditLine> | null;
    const isEntry = typeof value?.number === "number" && typeof value.what === "string";
    return isEntry ? (value as AuditLine) : undefined;
  } catch {
    return undefined;
  }
}

function hashOf(line: string): Promise<string> {
  return sha256(new TextEncoder().encode(line));
}

/** The result of comparing the log of a coordinator with that of a member. */
export interface Agreement {
  /** Things that both logs have, with one content. */
  readonly agreed: number;
  /** Sentences about a content that differs, or about what one side received and the other did not send. */
  readonly conflicts: readonly string[];
  /** Things that one side sent and the other has not received. */
  readonly pending: number;
}

/** Compares what a coordinator and a member say of what travelled between them. */
export function compareLogs(
  coordinator: readonly AuditLine[],
  member: readonly AuditLine[],
  client: string,
): Agreement {
  const conflicts: string[] = [];
  let agreed = 0;
  let pending = 0;
  const compare = (
    sender: string,
    sent: ReadonlyMap<string, ReadonlySet<string>>,
    receiver: string,
    received: ReadonlyMap<string, ReadonlySet<string>>,
  ): void => {
    for (const [thing, contents] of received) {
      for (const content of contents) {
        if (sent.get(thing)?.has(content) === true) agreed++;
        else if (sent.has(thing))
          conflicts.push(`${receiver} received ${thing} with another content than ${sender} sent`);
        else conflicts.push(`${receiver} received ${thing}, and ${sender} did not log sending it`);
      }
    }
    for (const thing of sent.keys()) if (!received.has(thing)) pending++;
  };
  compare(
    `the member ${client}`,
    travelled(member, "sent"),
    "the coordinator",
    travelled(coordinator.slice(lastEnrolment(coordinator, client)), "received", client),
  );
  // A member that starts again reads cells of its own, too: no coordinator sent these.
  const foreign = member.filter(({ cell }) => cell === undefined || writerSegment(cell) === undefined);
  compare("the coordinator", travelled(coordinator, "sent"), `the member ${client}`, travelled(foreign, "received"));
  return { agreed, conflicts, pending };
}

/** The place of the last enrolment of a member: what it sent before is in the log that it lost, where it had to join again. */
function lastEnrolment(coordinator: readonly AuditLine[], client: string): number {
  return Math.max(
    0,
    coordinator.findLastIndex((entry) => entry.what === "enrolled" && entry.client === client),
  );
}

/** Contents by thing: a cell of a run, or a blob. */
function travelled(lines: readonly AuditLine[], what: string, client?: string): Map<string, Set<string>> {
  const things = new Map<string, Set<string>>();
  for (const line of lines) {
    if (line.what !== what || (client !== undefined && line.client !== client)) continue;
    const thing = line.cell === undefined ? `blob ${line.blob}` : `${line.cell} of run ${line.run ?? "?"}`;
    const contents = things.get(thing) ?? new Set();
    things.set(thing, contents.add(line.sha256 ?? line.blob ?? ""));
  }
  return things;
}
