import type { NatsConnection } from "@nats-io/transport-node";
import { UserError } from "../../diagnostics/user-error.ts";
import {
  coordinatorAccountJwt,
  enrolmentAccountJwt,
  memberAccountJwt,
  processCredentials,
  type Revocations,
  systemAccountJwt,
} from "../../identity/claims.ts";
import type { Identity } from "../../identity/keys.ts";
import { connectNats, type ConnectOptions } from "./connect.ts";
import { NotReached } from "./connection-errors.ts";
import type { Federation } from "./federation-folder.ts";
import { INVITATION_GRACE_MS, type MemberRecord } from "./records.ts";

/** Longest wait for the server's answer, milliseconds. */
const PUSH_MS = 5000;

/** The tokens of all accounts as the folder has them now, by account. */
export async function accountTokens(federation: Federation): Promise<ReadonlyMap<string, string>> {
  const { accounts } = federation.facts;
  const signer = await federation.key("signing");
  const tokens = new Map([
    [accounts.system, await systemAccountJwt(accounts.system, signer)],
    [accounts.coordinator, await coordinatorAccountJwt(accounts.coordinator, signer)],
    [accounts.enrolment, await enrolmentToken(federation)],
  ]);
  for (const member of await federation.members()) {
    const token = tokenOf.get(member) ?? (await memberTokenBy(signer, federation, member));
    tokenOf.set(member, token);
    tokens.set(member.account, token);
  }
  return tokens;
}

/** Made already: a server gets the tokens of all members in its configuration, and again over a connection. */
const tokenOf = new WeakMap<MemberRecord, string>();

/** The token of the account of invitations. The revoked ones are in it until their own end. */
export async function enrolmentToken(federation: Federation, now: Date = new Date()): Promise<string> {
  const revocations: Record<string, number> = {};
  for (const { holder, revoked, expires } of await federation.invitations()) {
    if (revoked === undefined || Date.parse(expires) + INVITATION_GRACE_MS < now.getTime()) continue;
    revocations[holder] = secondOf(new Date(revoked));
  }
  const { enrolment: account, coordinator } = federation.facts.accounts;
  return enrolmentAccountJwt({ account, coordinator, signer: await federation.key("signing"), revocations });
}

/** The token of a member's account. */
export async function memberToken(
  federation: Federation,
  member: Pick<MemberRecord, "name" | "account" | "revocations">,
): Promise<string> {
  return memberTokenBy(await federation.key("signing"), federation, member);
}

function memberTokenBy(
  signer: Identity,
  { facts }: Federation,
  { name, account, revocations }: Pick<MemberRecord, "name" | "account" | "revocations">,
): Promise<string> {
  return memberAccountJwt({ name, account, coordinator: facts.accounts.coordinator, signer, revocations });
}

/** Void tokens of one key, or `*` for all, that were made up to this time. */
export function revokedUpTo(now: Date, key: string): Revocations {
  return { [key]: secondOf(now) };
}

/** Milliseconds until a new token of a key is good: one that is made before the end of a revocation stays void. */
export function voidFor(revocations: Revocations, key: string, now: Date): number {
  const upTo = Math.max(revocations["*"] ?? 0, revocations[key] ?? 0);
  return upTo === 0 ? 0 : Math.max(0, (upTo + 1) * 1000 - now.getTime());
}

function secondOf(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** Gives a running server the token of an account, durably. Open connections that it no longer allows are closed. */
export type PushToken = (jwt: string) => Promise<void>;

/**
 * Pushes tokens over a connection of the system account.
 *
 * @throws UserError("storage") where the server does not answer or refuses.
 */
export function pushOver(system: NatsConnection): PushToken {
  return async (jwt) => {
    let answer: unknown;
    try {
      answer = (await system.request("$SYS.REQ.CLAIMS.UPDATE", jwt, { timeout: PUSH_MS })).json();
    } catch (cause) {
      throw new NotReached("storage", "the server did not confirm the change of an account", {
        hint: "Run the same command again.",
        cause,
      });
    }
    const { error } = answer as { readonly error?: { readonly description?: string } };
    if (error === undefined) return;
    throw new UserError("storage", `the server refuses the change of an account: ${error.description ?? "no reason"}`, {
      hint: "Is it the server of this federation?",
    });
  };
}

/** Gives the server every account as the folder has it. Doing it again changes nothing; a new, empty server needs it. */
export function pushAllAccounts(federation: Federation, push: PushToken): Promise<void> {
  return federation.exclusively(async () => {
    for (const jwt of (await accountTokens(federation)).values()) await push(jwt);
  });
}

/** Connects with the rights of an account of the coordinator's side. */
export async function connectAs(
  federation: Federation,
  account: "system" | "coordinator",
  options: Omit<ConnectOptions, "credentials" | "name">,
): Promise<NatsConnection> {
  const credentials = await processCredentials(account, await federation.key(account));
  return connectNats({ ...options, credentials, name: `openfedllm ${account}` });
}
