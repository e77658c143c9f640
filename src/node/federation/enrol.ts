import type { NatsConnection } from "@nats-io/transport-node";
import { UserError } from "../../diagnostics/user-error.ts";
import { invitationInbox, readToken } from "../../identity/claims.ts";
import { clockNote, timeText } from "../../identity/clock.ts";
import {
  type Enrolled,
  enrolmentRequest,
  isSignedByFederation,
  readEnrolmentAnswer,
  readRenewalAnswer,
  type Refused,
} from "../../identity/enrolment.ts";
import type { Invitation } from "../../identity/invitation.ts";
import { ANSWER_MS } from "../../net/layout.ts";
import { connectNats, type ConnectOptions } from "./connect.ts";
import { LoginRefused, NotReached } from "./connection-errors.ts";
import { openSite, ownIdentity, readSite, saveSite, type Site, type SiteRecord } from "./site-folder.ts";

export interface EnrolOptions extends Pick<ConnectOptions, "proxy" | "env"> {
  /** Name and version of this program, for the coordinator's list of members. */
  readonly software: string;
  /** Is told what a person should know though it worked, such as a wrong clock. */
  readonly onNote?: ((note: string) => void) | undefined;
  readonly now?: (() => Date) | undefined;
  /** Longest wait for the coordinator's answer, milliseconds. */
  readonly answerWithinMs?: number | undefined;
}

/**
 * Joins a federation: makes the site's key, sends its public half, and stores the answer in the folder. Doing it again with
 * the same invitation continues where it broke off, and is harmless after that.
 *
 * @throws UserError("config") where the folder is of another federation or the coordinator refuses, `storage` where nobody
 * answers.
 */
export async function enrol(invitation: Invitation, folder: string, options: EnrolOptions): Promise<Site> {
  const { software, onNote, now = () => new Date(), answerWithinMs, ...rest } = options;
  const known = await readSite(folder);
  if (known !== undefined) {
    if (known.federation.id !== invitation.federation.id || known.client !== invitation.client) {
      throw new UserError(
        "config",
        `${folder} is the site of ${known.client} in the federation ${known.federation.name}, and the invitation is for ${invitation.client} in ${invitation.federation.name}`,
        { hint: "Choose another folder for the site." },
      );
    }
    if (known.invitation === invitation.id) return openSite(folder);
  }
  const identity = await ownIdentity(folder);
  const { federation, id, client, creds, servers, ca } = invitation;
  const connection = await connectNats({
    servers,
    ca,
    credentials: creds,
    inboxPrefix: invitationInbox(id),
    name: `openfedllm invitation of ${client}`,
    ...rest,
  }).catch((error: unknown) => {
    throw error instanceof LoginRefused ? invitationRefused(invitation, now(), error) : error;
  });
  try {
    const request = enrolmentRequest(identity, federation.id, { invitation: id, name: client, software });
    const text = await ask(connection, `enrol.${id}`, JSON.stringify(request), answerWithinMs);
    const answer = readEnrolmentAnswer(text);
    if (answer === undefined) throw unreadable();
    const clocks = clockNote(new Date(answer.time), now());
    if ("refused" in answer) throw refusal(answer, clocks);
    const token = readToken(answer.jwt);
    if (
      !isSignedByFederation(answer, federation, request) ||
      token?.subject !== identity.publicKey ||
      token.issuer !== answer.account
    ) {
      throw new UserError(
        "config",
        "the answer is not from the coordinator of the invitation: its signature is wrong",
        {
          hint: "Do not join. Ask the coordinator by another way whether the address and the invitation are right.",
        },
      );
    }
    if (clocks !== undefined) onNote?.(clocks);
    await saveSite(folder, siteOf(invitation, identity.publicKey, answer));
    return await openSite(folder);
  } finally {
    await connection.close();
  }
}

/**
 * Gets a new token for a site over its own connection, and stores it.
 *
 * @throws UserError("config") where the coordinator refuses, `storage` where it does not answer.
 */
export async function renewToken(connection: NatsConnection, site: Site): Promise<Site> {
  const answer = readRenewalAnswer(await ask(connection, "rpc.renew", ""));
  if (answer === undefined) throw unreadable();
  if ("refused" in answer) throw refusal(answer, clockNote(new Date(answer.time), new Date()));
  const token = readToken(answer.jwt);
  if (token?.subject !== site.identity.publicKey || token.issuer !== site.record.account) throw unreadable();
  const record: SiteRecord = { ...site.record, jwt: answer.jwt };
  await saveSite(site.folder, record);
  return { ...site, record };
}

/** True once two thirds of the token's time are over, so that a new one is due. */
export function isRenewalDue({ record }: Site, now: Date = new Date()): boolean {
  const { issued, expires } = readToken(record.jwt) ?? {};
  if (issued === undefined || expires === undefined) return true;
  return now.getTime() > issued.getTime() + ((expires.getTime() - issued.getTime()) * 2) / 3;
}

/** The login of a site, and how to reach its federation. @param current the site now, whose token may have been renewed. */
export function siteConnection(current: () => Site): ConnectOptions {
  const { record, identity } = current();
  return {
    servers: record.servers,
    ca: record.ca,
    credentials: { jwt: () => current().record.jwt, seed: identity.seed },
    name: `openfedllm ${record.client}`,
  };
}

/** Explains why a server refuses a site's login, with both times where a clock could be the reason. */
export function loginRefused({ record, folder }: Site, error: LoginRefused, now: Date = new Date()): UserError {
  const expires = readToken(record.jwt)?.expires;
  const isOver = expires !== undefined && expires.getTime() < now.getTime();
  return new UserError(
    "config",
    `the federation ${record.federation.name} refuses the login of ${record.client}: ${
      isOver
        ? `its token expired at ${timeText(expires)}, and this machine's clock says ${timeText(now)}`
        : `its membership was revoked, or the server's clock is wrong (the token in ${folder} expires at ${expires === undefined ? "no time" : timeText(expires)}, this machine's clock says ${timeText(now)})`
    }`,
    { hint: "Correct the clock if it is wrong. Otherwise ask the coordinator for a new invitation.", cause: error },
  );
}

function siteOf({ federation, servers, ca, client, id }: Invitation, user: string, answer: Enrolled): SiteRecord {
  const { account, jwt, limits, earlier, time } = answer;
  return {
    version: 1,
    client,
    federation,
    servers,
    ...(ca !== undefined && { ca }),
    invitation: id,
    account,
    user,
    ...(earlier !== undefined && { earlier }),
    jwt,
    limits,
    joined: time,
  };
}

async function ask(
  connection: NatsConnection,
  subject: string,
  text: string,
  timeout: number = ANSWER_MS,
): Promise<string> {
  try {
    return (await connection.request(subject, text, { timeout })).string();
  } catch (cause) {
    throw new NotReached("storage", "the server is there, but no coordinator answers", {
      hint: "Ask its administrator to start the coordinator, then run the same command again.",
      cause,
    });
  }
}

function refusal({ refused, message }: Refused, clocks: string | undefined): UserError {
  if (refused === "failed") {
    return new NotReached("storage", `the coordinator cannot answer: ${message}`, {
      hint: "Run the same command again later.",
    });
  }
  const hint =
    refused === "protocol"
      ? "Use the same version of openfedllm on both sides."
      : "Ask the coordinator for a new invitation.";
  return new UserError("config", `the coordinator refuses: ${message}`, {
    hint: clocks === undefined ? hint : `${clocks} ${hint}`,
  });
}

/** The server itself refuses: it gives no reason, so both times are named. */
function invitationRefused({ expires, creds }: Invitation, now: Date, cause: LoginRefused): UserError {
  const end = new Date(expires);
  const times = `it expires at ${timeText(end)}, and this machine's clock says ${timeText(now)}`;
  const isOver = (readToken(creds.jwt)?.expires ?? end).getTime() < now.getTime();
  return new UserError(
    "config",
    isOver ? `the invitation has expired: ${times}` : `the server refuses the invitation: ${times}`,
    {
      hint: isOver
        ? "Ask the coordinator for a new one. If this machine's clock is wrong, correct it and try again."
        : "It was revoked, it is of another federation, or a clock is wrong. Check the clocks, then ask the coordinator for a new invitation.",
      cause,
    },
  );
}

function unreadable(): UserError {
  return new UserError("config", "the coordinator's answer is not one that this version understands", {
    hint: "Use the same version of openfedllm on both sides.",
  });
}
