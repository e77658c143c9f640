import { setTimeout as sleep } from "node:timers/promises";
import { memberUserJwt } from "../../identity/claims.ts";
import { spanText, timeText } from "../../identity/clock.ts";
import {
  enrolledAnswer,
  type Enrolled,
  type EnrolmentRequest,
  isSignedByUser,
  protocolDifference,
  PROTOCOL_VERSION,
  readEnrolmentRequest,
  type Refused,
  type Renewed,
} from "../../identity/enrolment.ts";
import { newIdentity } from "../../identity/keys.ts";
import { memberToken, type PushToken, voidFor } from "./accounts.ts";
import type { Federation } from "./federation-folder.ts";
import type { InvitationRecord, MemberRecord } from "./records.ts";

/** Days that a member's token is valid. A member that connects more rarely needs a new invitation. */
const TOKEN_DAYS = 30;

/** A token is made for a second, and so is a revocation: one of the same second is waited for. */
const SAME_SECOND_MS = 2000;

export interface EnrolmentOptions {
  /** Gives the running server the member's account. */
  readonly push: PushToken;
  /** Name and version of this program. */
  readonly software?: string | undefined;
  /** Makes what the member needs on the server. Gives the limits that the member is told. */
  readonly prepare?: ((member: MemberRecord) => Promise<Readonly<Record<string, number>>>) | undefined;
  readonly now?: Date | undefined;
}

/**
 * Enrols the sender of a request, durably, before it gives the answer. The same request again gets the same account again, so
 * a lost answer is harmless.
 *
 * @param id the invitation whose credentials sent the message, as the server vouches for it.
 */
export function enrolMember(
  federation: Federation,
  id: string,
  text: string,
  { push, prepare, software = "openfedllm", now = new Date() }: EnrolmentOptions,
): Promise<Enrolled | Refused> {
  const refuse = refusalAt(now);
  const request = readEnrolmentRequest(text);
  if (request === undefined || request.invitation !== id || !isSignedByUser(request, federation.facts.id)) {
    return Promise.resolve(refuse("malformed", "the request is damaged, or it is for another federation"));
  }
  if (request.protocol !== PROTOCOL_VERSION) {
    const difference = protocolDifference({ software, protocol: PROTOCOL_VERSION }, request);
    return Promise.resolve(refuse("protocol", difference));
  }
  return federation.exclusively(async () => {
    const invitation = await federation.invitation(id);
    const member = invitation && (await federation.member(invitation.client));
    const problem = problemOf(request, invitation, member, now);
    if (problem !== undefined) return refuse(...problem);
    const voidMs = member === undefined ? 0 : voidFor(member.revocations, request.user, now);
    if (voidMs > SAME_SECOND_MS) return refuse("failed", clockSetBack(now, voidMs));
    await sleep(voidMs);
    const joined = await join(federation, request, invitation!, member, now);
    await push(await memberToken(federation, joined));
    const limits = (await prepare?.(joined)) ?? {};
    const { account, users } = joined;
    const jwt = await tokenFor(federation, joined);
    const earlier = users.length > 1 ? { earlier: users.slice(0, -1) } : {};
    return enrolledAnswer(await federation.key("federation"), federation.facts.id, request, {
      account,
      jwt,
      limits,
      ...earlier,
      time: now.toISOString(),
    });
  });
}

/** Gives the member of an account a new token, or refuses. @param account as the server vouches for it. */
export function renewMember(
  federation: Federation,
  account: string,
  now: Date = new Date(),
): Promise<Renewed | Refused> {
  return federation.exclusively(async () => {
    const member = (await federation.members()).find((each) => each.account === account);
    if (member?.state !== "member") return refusalAt(now)("no-member", "it is no member of the federation");
    const renewed = { ...member, expires: tokenEnd(now).toISOString(), lastSeen: now.toISOString() };
    await federation.saveMember(renewed);
    return { jwt: await tokenFor(federation, renewed), time: now.toISOString() };
  });
}

/** A refusal at a time of the coordinator's clock. */
export function refusalAt(now: Date): (refused: Refused["refused"], message: string) => Refused {
  return (refused, message) => ({ refused, message, time: now.toISOString() });
}

function clockSetBack(now: Date, voidMs: number): string {
  const revoked = new Date(now.getTime() + voidMs);
  return `its clock (${timeText(now)}) is ${spanText(voidMs)} behind the time at which the membership was revoked by it (${timeText(revoked)}): its administrator has to correct it, or to wait`;
}

type Problem = readonly [refused: Refused["refused"], message: string];

function problemOf(
  { user, name }: EnrolmentRequest,
  invitation: InvitationRecord | undefined,
  member: MemberRecord | undefined,
  now: Date,
): Problem | undefined {
  if (invitation === undefined) return ["unknown", "the coordinator does not know the invitation"];
  if (invitation.client !== name) return ["malformed", "the invitation is for another name"];
  if (invitation.revoked !== undefined) {
    return ["revoked", `the invitation was revoked at ${timeText(new Date(invitation.revoked))}`];
  }
  if (invitation.usedBy === undefined) {
    if (Date.parse(invitation.expires) > now.getTime()) return undefined;
    return [
      "expired",
      `the invitation expired at ${timeText(new Date(invitation.expires))}; it is ${timeText(now)} by the coordinator's clock`,
    ];
  }
  if (invitation.usedBy !== user) return ["used", "the invitation was used by another key"];
  if (member !== undefined && (member.state !== "member" || member.users.at(-1) !== user)) {
    return ["revoked", "the membership was revoked after the invitation was used"];
  }
  return undefined;
}

/** Stores who joined: the account's key first, then who used the invitation, then the member. A crash between is repeated. */
async function join(
  federation: Federation,
  { user, software }: EnrolmentRequest,
  invitation: InvitationRecord,
  member: MemberRecord | undefined,
  now: Date,
): Promise<MemberRecord> {
  const [time, expires] = [now.toISOString(), tokenEnd(now).toISOString()];
  if (invitation.usedBy === undefined) await federation.saveInvitation({ ...invitation, usedBy: user });
  if (member !== undefined) {
    const users = member.users.at(-1) === user ? member.users : [...member.users, user];
    const joined: MemberRecord = { ...member, state: "member", users, expires, lastSeen: time, software };
    await federation.saveMember(joined);
    return joined;
  }
  const key = newIdentity("account");
  await federation.saveMemberKey(key);
  const joined: MemberRecord = {
    version: 1,
    name: invitation.client,
    account: key.publicKey,
    state: "member",
    users: [user],
    revocations: {},
    since: time,
    expires,
    lastSeen: time,
    software,
  };
  await federation.saveMember(joined);
  return joined;
}

function tokenEnd(now: Date): Date {
  return new Date(now.getTime() + TOKEN_DAYS * 86_400_000);
}

async function tokenFor(federation: Federation, { name, account, users, expires }: MemberRecord): Promise<string> {
  const key = await federation.memberKey(account);
  return memberUserJwt({ name, user: users.at(-1)!, account: key, expires: new Date(expires) });
}
