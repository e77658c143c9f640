import { z } from "zod";
import { isPublicKey, type Identity, signText, verifyText } from "./keys.ts";

/** The version of the messages between members and coordinator. Parties of other versions refuse each other. */
export const PROTOCOL_VERSION = 1;

/** A program on one side, by its name and version, and the protocol that it speaks. */
export interface Speaker {
  readonly software: string;
  readonly protocol: number;
}

/** Says that two sides speak different protocols, and which one has to be updated. */
export function protocolDifference(coordinator: Speaker, site: Speaker): string {
  const older = coordinator.protocol < site.protocol ? "coordinator" : "site";
  return `the coordinator (${coordinator.software}) speaks protocol ${coordinator.protocol} and the site (${site.software}) protocol ${site.protocol}: update openfedllm at the ${older}`;
}

/** A member's wish to join, sent with the invitation's credentials. */
export interface EnrolmentRequest {
  readonly protocol: number;
  readonly invitation: string;
  /** The public key of the member's user. Its seed stays with the member. */
  readonly user: string;
  readonly name: string;
  /** Name and version of the member's program. */
  readonly software: string;
  /** Base64. Shows that the sender has the seed. */
  readonly signature: string;
}

/** The coordinator's answer to a member that joined. */
export interface Enrolled {
  readonly account: string;
  readonly jwt: string;
  /** Limits of the member's uplink by name, such as `bytes`. */
  readonly limits: Readonly<Record<string, number>>;
  /** The public keys that the member had before it was invited again: what they signed stays its own. */
  readonly earlier?: readonly string[] | undefined;
  /** ISO time of the coordinator's clock. */
  readonly time: string;
  /** Base64, by the federation's key. */
  readonly signature: string;
}

/** The reasons for which a coordinator refuses. */
const REFUSALS = ["protocol", "malformed", "unknown", "used", "expired", "revoked", "no-member", "failed"] as const;

export interface Refused {
  readonly refused: (typeof REFUSALS)[number];
  /** One sentence for the member. */
  readonly message: string;
  readonly time: string;
}

/** The coordinator's answer to `renew`: a new token for the same user. */
export interface Renewed {
  readonly jwt: string;
  readonly time: string;
}

const publicKey = z.string().refine((text) => isPublicKey(text), "expected a public key");

const requestSchema: z.ZodType<EnrolmentRequest> = z.object({
  protocol: z.number().int(),
  invitation: z.string().max(64),
  user: publicKey,
  name: z.string().min(1).max(200),
  software: z.string().max(200),
  signature: z.string().max(200),
});

const refusedSchema: z.ZodType<Refused> = z.object({
  refused: z.enum(REFUSALS),
  message: z.string().max(1000),
  time: z.iso.datetime(),
});

const enrolledSchema: z.ZodType<Enrolled> = z.object({
  account: z.string().refine((text) => isPublicKey(text, "account"), "expected the public key of an account"),
  jwt: z.string(),
  limits: z.record(z.string(), z.number()),
  earlier: z.array(publicKey).optional(),
  time: z.iso.datetime(),
  signature: z.string(),
});

const renewedSchema: z.ZodType<Renewed> = z.object({ jwt: z.string(), time: z.iso.datetime() });

/** Makes a request, signed by the member's user. @param federation the id of the federation. */
export function enrolmentRequest(
  user: Identity,
  federation: string,
  { invitation, name, software }: Pick<EnrolmentRequest, "invitation" | "name" | "software">,
): EnrolmentRequest {
  return {
    protocol: PROTOCOL_VERSION,
    invitation,
    user: user.publicKey,
    name,
    software,
    signature: signText(user, requestText(invitation, federation, user.publicKey)),
  };
}

/** Reads a request. Undefined for another message. */
export function readEnrolmentRequest(text: string): EnrolmentRequest | undefined {
  return read(requestSchema, text);
}

/** True if the sender of the request has the seed of its user. */
export function isSignedByUser({ invitation, user, signature }: EnrolmentRequest, federation: string): boolean {
  return verifyText(user, requestText(invitation, federation, user), signature);
}

type Answer = Pick<Enrolled, "account" | "jwt" | "limits" | "earlier" | "time">;

/** Signs the coordinator's answer to a request. */
export function enrolledAnswer(key: Identity, federation: string, request: EnrolmentRequest, answer: Answer): Enrolled {
  return { ...answer, signature: signText(key, answerText(federation, request, answer)) };
}

/** True if the federation's key signed the answer to this request. */
export function isSignedByFederation(
  answer: Enrolled,
  federation: { readonly id: string; readonly key: string },
  request: EnrolmentRequest,
): boolean {
  return verifyText(federation.key, answerText(federation.id, request, answer), answer.signature);
}

/** Reads the answer to a request for enrolment. Undefined for another message. */
export function readEnrolmentAnswer(text: string): Enrolled | Refused | undefined {
  return read(refusedSchema, text) ?? read(enrolledSchema, text);
}

/** Reads the answer to `renew`. Undefined for another message. */
export function readRenewalAnswer(text: string): Renewed | Refused | undefined {
  return read(refusedSchema, text) ?? read(renewedSchema, text);
}

function requestText(invitation: string, federation: string, user: string): string {
  return `openfedllm enrolment 1\n${invitation}\n${federation}\n${user}`;
}

function answerText(
  federation: string,
  { invitation, user }: EnrolmentRequest,
  { account, jwt, earlier = [] }: Answer,
): string {
  return ["openfedllm enrolled 1", invitation, federation, user, account, jwt, ...earlier].join("\n");
}

function read<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
