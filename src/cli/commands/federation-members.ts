import { timeText } from "../../identity/clock.ts";
import { openFederation } from "../../node/federation/federation-folder.ts";
import { isOpen } from "../../node/federation/invite.ts";
import type { InvitationRecord, MemberRecord } from "../../node/federation/records.ts";
import { type Command, defineCommand } from "../command.ts";
import { tableLines } from "../tables/table.ts";
import { printable } from "../views/text-width.ts";
import { federationFlag } from "../work/federation.ts";

const STATES: Readonly<Record<MemberRecord["state"], string>> = {
  member: "member",
  waiting: "invited again",
  revoked: "revoked",
  left: "left",
};

export const command: Command = defineCommand({
  description:
    "Lists the members and the invitations that nobody has used. A member was last seen when it joined or renewed its login.",
  flags: { federation: federationFlag },
  examples: [["npx openfedllm federation members"]],
  async run({ federation: folder }, { stdout }) {
    const federation = await openFederation(folder);
    const [members, invitations, now] = [await federation.members(), await federation.invitations(), new Date()];
    const rows = [
      ...members.map((member) => memberRow(member, invitations, now)),
      ...waitingInvitations(members, invitations).map((invitation) => invitationRow(invitation, now)),
    ];
    if (rows.length === 0) {
      stdout.write("no members and no invitations\n");
      return;
    }
    const columns = ["name", "state", "since", "last seen", "expires"].map((header) => ({ header }));
    stdout.write(`${tableLines(columns, rows).join("\n")}\n`);
  },
});

function memberRow(
  { name, state, since, lastSeen, expires }: MemberRecord,
  invitations: readonly InvitationRecord[],
  now: Date,
): string[] {
  const open = invitations.find((each) => each.client === name && isOpen(each, now));
  const end =
    state === "member" ? timeOf(expires) : state === "waiting" && open !== undefined ? timeOf(open.expires) : "";
  const word = state === "waiting" && open === undefined ? "invitation expired" : STATES[state];
  return [printable(name), word, timeOf(since), timeOf(lastSeen), end];
}

function invitationRow({ client, created, expires, revoked }: InvitationRecord, now: Date): string[] {
  const state =
    revoked !== undefined
      ? "invitation revoked"
      : Date.parse(expires) > now.getTime()
        ? "invited"
        : "invitation expired";
  return [printable(client), state, timeOf(created), "", timeOf(expires)];
}

/** The last invitation of each name that is no member's. */
function waitingInvitations(
  members: readonly MemberRecord[],
  invitations: readonly InvitationRecord[],
): readonly InvitationRecord[] {
  const last = new Map<string, InvitationRecord>();
  for (const invitation of [...invitations].sort((a, b) => (a.created < b.created ? -1 : 1))) {
    last.set(invitation.client, invitation);
  }
  for (const { name } of members) last.delete(name);
  return [...last.values()].sort((a, b) => (a.client < b.client ? -1 : 1));
}

function timeOf(iso: string): string {
  return timeText(new Date(iso));
}
