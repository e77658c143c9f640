import { randomBytes } from "node:crypto";
import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { invitationCredentials } from "../../identity/claims.ts";
import { timeText } from "../../identity/clock.ts";
import type { Invitation } from "../../identity/invitation.ts";
import { keySegment } from "../../store/store.ts";
import { enrolmentToken, memberToken, type PushToken, revokedUpTo } from "./accounts.ts";
import type { Federation } from "./federation-folder.ts";
import { INVITATION_GRACE_MS, type InvitationRecord, type MemberRecord } from "./records.ts";

/** Longest name, as a file's name: file systems take 255 bytes. */
const LONGEST_SEGMENT = 200;

export interface InviteOptions {
  /** The name of the member. */
  readonly client: string;
  readonly servers: readonly string[];
  /** PEM of the authority of the server's certificate. */
  readonly ca?: string | undefined;
  /** Hours until the invitation expires. */
  readonly hours: number;
  /** True: the name is that of a member that lost its folder. Its key is revoked, and an open invitation too. */
  readonly again?: boolean | undefined;
  readonly now?: Date | undefined;
}

/**
 * Makes an invitation. The folder keeps no secret of it: it cannot be shown a second time.
 *
 * @param push gives a running server what was revoked; undefined where there is none.
 * @throws UserError("config") for a name that is a member's or has an open invitation, unless `again` is set.
 */
export async function inviteMember(
  federation: Federation,
  { client, servers, ca, hours, again = false, now = new Date() }: InviteOptions,
  push?: PushToken,
): Promise<Invitation> {
  checkName(client);
  return federation.exclusively(async () => {
    const member = await federation.member(client);
    const open = (await federation.invitationsOf(client)).filter((each) => isOpen(each, now));
    if (!again) refuseKnown(client, member, open);
    for (const invitation of open) await federation.saveInvitation({ ...invitation, revoked: now.toISOString() });
    if (open.length > 0) await push?.(await enrolmentToken(federation, now));
    if (member !== undefined) {
      const revocations = { ...member.revocations, ...revokedUpTo(now, member.users.at(-1)!) };
      const waiting: MemberRecord = { ...member, state: "waiting", revocations };
      await federation.saveMember(waiting);
      await push?.(await memberToken(federation, waiting));
    }
    const id = randomBytes(16).toString("base64url");
    const expires = new Date(now.getTime() + hours * 3_600_000);
    const account = await federation.key("enrolment");
    const { user, ...creds } = await invitationCredentials({
      id,
      account,
      expires: new Date(expires.getTime() + INVITATION_GRACE_MS),
    });
    await federation.saveInvitation({
      version: 1,
      id,
      client,
      holder: user,
      created: now.toISOString(),
      expires: expires.toISOString(),
    });
    const { name, id: federationId, key } = federation.facts;
    return {
      version: 1,
      federation: { name, id: federationId, key },
      servers,
      ...(ca !== undefined && { ca }),
      client,
      id,
      expires: expires.toISOString(),
      creds,
    };
  });
}

/** True for an invitation that a member may still use. */
export function isOpen({ usedBy, revoked, expires }: InvitationRecord, now: Date): boolean {
  return usedBy === undefined && revoked === undefined && Date.parse(expires) > now.getTime();
}

/**
 * Revokes a member and its open invitations, durably. A running server closes its connections.
 *
 * @param push gives it to a running server; undefined where there is none: then it holds from the server's next start.
 * @throws UserError("config") for a name that is neither a member's nor invited.
 */
export function revokeMember(
  federation: Federation,
  name: string,
  push?: PushToken,
  now: Date = new Date(),
): Promise<{ readonly wasMember: boolean; readonly invitations: number }> {
  return federation.exclusively(async () => {
    const member = await federation.member(name);
    const open = (await federation.invitationsOf(name)).filter((each) => isOpen(each, now));
    if (member === undefined && open.length === 0) {
      const known = [
        ...(await federation.members()).map((each) => each.name),
        ...(await federation.invitations()).map((each) => each.client),
      ];
      const near = nearest(name, known);
      throw new UserError("config", `${name} is neither a member nor invited`, {
        hint: near === undefined ? "openfedllm federation members lists them." : `Did you mean '${near}'?`,
      });
    }
    for (const invitation of open) await federation.saveInvitation({ ...invitation, revoked: now.toISOString() });
    // Pushed even where nothing changed: an earlier call may have died before it reached the server.
    await push?.(await enrolmentToken(federation, now));
    if (member !== undefined) {
      const revoked: MemberRecord = { ...member, state: "revoked", revocations: revokedUpTo(now, "*") };
      await federation.saveMember(revoked);
      await push?.(await memberToken(federation, revoked));
    }
    return { wasMember: member !== undefined, invitations: open.length };
  });
}

/**
 * Ends the membership of a member that asks for it, durably. Returns the function that gives it to the running server, which
 * then closes the member's connections: the member gets its answer first.
 */
export async function leaveMember(
  federation: Federation,
  name: string,
  push: PushToken,
  now: Date = new Date(),
): Promise<() => Promise<void>> {
  const left = await federation.exclusively(async () => {
    const member = (await federation.member(name))!;
    const gone: MemberRecord = { ...member, state: "left", revocations: revokedUpTo(now, "*") };
    await federation.saveMember(gone);
    return gone;
  });
  return async () => push(await memberToken(federation, left));
}

function checkName(name: string): void {
  if (name.trim() === name && name !== "" && keySegment(name).length <= LONGEST_SEGMENT) return;
  throw new UserError(
    "config",
    `${JSON.stringify(name.slice(0, 40))} is not a member's name: expected 1 to ${LONGEST_SEGMENT} letters or digits without blanks at the ends`,
  );
}

function refuseKnown(client: string, member: MemberRecord | undefined, open: readonly InvitationRecord[]): void {
  if (member !== undefined) {
    throw new UserError(
      "config",
      member.state === "revoked"
        ? `${client} was revoked`
        : member.state === "left"
          ? `${client} has left the federation`
          : `${client} is already a member, since ${member.since}`,
      {
        hint: `With --again it gets a new invitation under the same name, and its old key is revoked.`,
      },
    );
  }
  if (open.length > 0) {
    throw new UserError(
      "config",
      `${client} has an open invitation, which expires at ${timeText(new Date(open[0]!.expires))}`,
      { hint: "With --again it is revoked, and a new one is made." },
    );
  }
}
