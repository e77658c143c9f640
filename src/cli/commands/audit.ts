import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { auditLines } from "../../node/federation/audit-log.ts";
import { type AuditLine, compareLogs, verifyChain } from "../../store/audit.ts";
import { defineCommand, type Command } from "../command.ts";
import { counted } from "../views/quantities.ts";
import { oneLine } from "../views/text-width.ts";

export const command: Command = defineCommand({
  description:
    "Checks audit logs: that no line was changed or taken out, and, for several folders, that the coordinator's log and those of members agree on everything that travelled.",
  argument: {
    placeholder: "<folder...>",
    description: "folder of a federation or of a site, or an audit.jsonl; the coordinator's log first",
  },
  flags: {},
  examples: [
    ["npx openfedllm audit site", "check one log"],
    ["npx openfedllm audit federation site-clinic/audit.jsonl", "compare the coordinator's log with a member's"],
  ],
  async run(_flags, { stdout }, places) {
    const logs: Log[] = [];
    for (const place of places) {
      const log = await readLog(place);
      logs.push(log);
      const { entries } = log;
      const span = entries.length === 0 ? "" : `, ${entries[0]!.at} to ${entries.at(-1)!.at}`;
      stdout.write(`${log.file}: ${counted(entries.length, "line")}, the chain is whole${span}\n`);
    }
    const [coordinator, ...members] = logs;
    const conflicts: string[] = [];
    for (const member of members) {
      const client = clientOf(member);
      const { agreed, pending, conflicts: found } = compareLogs(coordinator!.entries, member.entries, client);
      const waiting = pending === 0 ? "" : `, ${pending} sent and not received yet`;
      stdout.write(`${oneLine(client)}: ${counted(agreed, "content")} in both logs${waiting}\n`);
      conflicts.push(...found);
    }
    if (conflicts.length === 0) return;
    const more = conflicts.length === 1 ? "" : ` (and ${conflicts.length - 1} more)`;
    throw new UserError("storage", `The logs do not agree: ${oneLine(conflicts[0]!)}${more}.`, {
      hint: "One of the two logs is of another federation, was exchanged for a copy, or tells what did not happen.",
    });
  },
});

interface Log {
  readonly file: string;
  readonly entries: readonly AuditLine[];
}

async function readLog(place: string): Promise<Log> {
  const file = existsSync(place) && statSync(place).isDirectory() ? path.join(place, "audit.jsonl") : place;
  if (!existsSync(file)) {
    throw new UserError("storage", `There is no audit log ${file}.`, {
      hint: "Name the folder of a federation or of a site, or its audit.jsonl.",
    });
  }
  const { entries, problem } = await verifyChain(await auditLines(file));
  if (problem === undefined) return { file, entries };
  throw new UserError("storage", `The audit log ${file} was changed: ${problem}.`, {
    hint: `The entries before it are as they were written: ${entries.length}.`,
  });
}

/** The member that a log is of: it notes its own name when it enrols. */
function clientOf({ file, entries }: Log): string {
  const client = entries.find(({ what }) => what === "enrolled")?.client;
  if (client !== undefined) return client;
  throw new UserError("storage", `${file} is not the log of a member: it has no entry of an enrolment.`, {
    hint: "Name the coordinator's log first, and members' logs after it.",
  });
}
