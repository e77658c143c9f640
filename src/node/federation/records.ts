import { z } from "zod";
import { isPublicKey, type KeyKind } from "../../identity/keys.ts";

const publicKey = (kind: KeyKind) =>
  z.string().refine((text) => isPublicKey(text, kind), `expected the public key of a key of kind ${kind}`);
const time = z.iso.datetime();
const revocations = z.record(z.string(), z.number().int());

/** The public facts of a federation: `federation.json`. */
export interface FederationRecord {
  readonly version: 1;
  readonly name: string;
  /** The operator's public key. */
  readonly id: string;
  /** The public key that signs the coordinator's messages. */
  readonly key: string;
  /** The public key that signs accounts. */
  readonly signingKey: string;
  readonly accounts: { readonly system: string; readonly coordinator: string; readonly enrolment: string };
  /** The operator's token, signed by the root key. */
  readonly operatorJwt: string;
  readonly created: string;
}

export const federationSchema: z.ZodType<FederationRecord> = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1),
  id: publicKey("operator"),
  key: publicKey("user"),
  signingKey: publicKey("operator"),
  accounts: z.strictObject({
    system: publicKey("account"),
    coordinator: publicKey("account"),
    enrolment: publicKey("account"),
  }),
  operatorJwt: z.string().min(1),
  created: time,
});

/** A member: `members/<name>.json`. Times are ISO, by the coordinator's clock. */
export interface MemberRecord {
  readonly version: 1;
  readonly name: string;
  /** The public key of the member's account, for good. */
  readonly account: string;
  /** `waiting`: invited again, and not there yet. `left`: it ended its membership itself. */
  readonly state: "member" | "waiting" | "revoked" | "left";
  /** The public keys of the member's users: the last one is in use. */
  readonly users: readonly string[];
  /** Users that the server refuses, with the second of their revocation; `*`: every one up to then. */
  readonly revocations: Readonly<Record<string, number>>;
  readonly since: string;
  /** The end of the last token. */
  readonly expires: string;
  readonly lastSeen: string;
  readonly software: string;
}

export const memberSchema: z.ZodType<MemberRecord> = z.strictObject({
  version: z.literal(1),
  name: z.string().min(1),
  account: publicKey("account"),
  state: z.enum(["member", "waiting", "revoked", "left"]),
  users: z.array(publicKey("user")).min(1),
  revocations,
  since: time,
  expires: time,
  lastSeen: time,
  software: z.string(),
});

/** True for a member that is none any more. */
export function isOut({ state }: Pick<MemberRecord, "state">): boolean {
  return state === "revoked" || state === "left";
}

/**
 * The credentials of an invitation outlive it by a day, so that the coordinator can tell a late member why it refuses. The
 * server's own refusal gives no reason.
 */
export const INVITATION_GRACE_MS: number = 24 * 3_600_000;

/** An invitation, without its secret: `invitations/<id>.json`. */
export interface InvitationRecord {
  readonly version: 1;
  readonly id: string;
  readonly client: string;
  /** The public key of the invitation's credentials. */
  readonly holder: string;
  readonly created: string;
  readonly expires: string;
  /** The user that joined with it. */
  readonly usedBy?: string | undefined;
  readonly revoked?: string | undefined;
}

const invitationId = z.string().regex(/^[\w-]{16,64}$/);

export const invitationSchema: z.ZodType<InvitationRecord> = z.strictObject({
  version: z.literal(1),
  id: invitationId,
  client: z.string().min(1),
  holder: publicKey("user"),
  created: time,
  expires: time,
  usedBy: publicKey("user").optional(),
  revoked: time.optional(),
});

/** The invitations of one name, used or not: `invited/<name>.json`. */
export interface InvitedRecord {
  readonly version: 1;
  readonly ids: readonly string[];
}

export const invitedSchema: z.ZodType<InvitedRecord> = z.strictObject({
  version: z.literal(1),
  ids: z.array(invitationId),
});

/** The server's addresses in invitations: `addresses.json`. */
export interface AddressRecord {
  readonly version: 1;
  readonly servers: readonly string[];
  /** PEM of the authority of the server's certificate. */
  readonly ca?: string | undefined;
}

export const addressSchema: z.ZodType<AddressRecord> = z.strictObject({
  version: z.literal(1),
  servers: z.array(z.string().min(1)).min(1),
  ca: z.string().optional(),
});
