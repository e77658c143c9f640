import { type Account, type ConnectionType, decode, encodeAccount, encodeOperator, encodeUser } from "@nats-io/jwt";
import { type Identity, keyPairOf, newIdentity } from "./keys.ts";

/** All that a connection needs to log in: a token (JWT) and the seed of the key that it is for. */
export interface Credentials {
  readonly jwt: string;
  /** Secret. */
  readonly seed: string;
}

/** Public keys that an account no longer accepts, with the second (Unix time) up to which tokens are void. `*`: every key. */
export type Revocations = Readonly<Record<string, number>>;

const NO_LIMIT = { conn: -1, data: -1, exports: -1, imports: -1, leaf: -1, payload: -1, subs: -1, wildcards: true };

/** Largest message, bytes. The server has the same limit. */
const MAX_PAYLOAD = 4 * 1024 * 1024;

const CONNECTIONS: ConnectionType[] = ["STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS"];

/** The streams of the coordinator that a member may read, with the member's name for each. */
const DOWNLINKS = { cells: "FL_CELLS", blobs: "FL_BLOBS", head: "FL_HEAD" } as const;

/** Makes the operator's token. It is the only one that needs the root key. */
export function operatorJwt(options: {
  readonly name: string;
  readonly root: Identity;
  /** The public key that signs accounts. */
  readonly signingKey: string;
  /** The public key of the system account. */
  readonly system: string;
}): Promise<string> {
  const { name, root, signingKey, system } = options;
  return encodeOperator(ascii(name), keyPairOf(root), { signing_keys: [signingKey], system_account: system });
}

/** Makes the token of the system account. @param signer the operator's signing key; so for every account. */
export function systemAccountJwt(account: string, signer: Identity): Promise<string> {
  return encodeAccount("SYS", account, { limits: NO_LIMIT }, { signer: keyPairOf(signer) });
}

/**
 * Makes the token of the coordinator's account, the only one with JetStream. The position of the account's token in an export
 * ties each subject to the account that may import it.
 */
export function coordinatorAccountJwt(account: string, signer: Identity): Promise<string> {
  const service = (name: string, subject: string, position?: number) => ({
    name,
    subject,
    type: "service" as const,
    response_type: "Singleton" as const,
    ...(position !== undefined && { account_token_position: position }),
  });
  return encodeAccount(
    "FL",
    account,
    {
      limits: { ...NO_LIMIT, disk_storage: -1, mem_storage: -1, streams: -1, consumer: -1 },
      exports: [
        service("up", "fl.u.*.>", 3),
        service("rpc", "fl.rpc.*.>", 3),
        service("own", "$JS.API.DIRECT.GET.*.fl.u.*.>", 8),
        ...Object.entries(DOWNLINKS).map(([name, stream]) => service(name, `$JS.API.DIRECT.GET.${stream}.fl.all.>`)),
        service("enrol", "fl.enrol.*"),
        { name: "events", subject: "fl.eall.>", type: "stream" },
      ],
    },
    { signer: keyPairOf(signer) },
  );
}

/** Makes the token of the account of invitations. It can ask for enrolment and nothing else. */
export function enrolmentAccountJwt(options: {
  readonly account: string;
  readonly coordinator: string;
  readonly signer: Identity;
  readonly revocations: Revocations;
}): Promise<string> {
  const { account, coordinator, signer, revocations } = options;
  const claims: Account = {
    version: 2,
    limits: { ...NO_LIMIT, payload: 64 * 1024, leaf: 0 },
    imports: [
      {
        name: "enrol",
        account: coordinator,
        subject: "fl.enrol.*",
        type: "service",
        local_subject: "enrol.*",
      },
    ],
    revocations,
  };
  return encodeAccount("ENROL", account, claims, { signer: keyPairOf(signer) });
}

/** Makes the token of a member's account. Its local subjects (`up`, `rpc`, `get`, `ev`) do not name the member. */
export function memberAccountJwt(options: {
  readonly name: string;
  readonly account: string;
  readonly coordinator: string;
  readonly signer: Identity;
  readonly revocations: Revocations;
}): Promise<string> {
  const { name, account, coordinator, signer, revocations } = options;
  const service = (label: string, subject: string, local: string) => ({
    name: label,
    account: coordinator,
    subject,
    type: "service" as const,
    local_subject: local,
  });
  const claims: Account = {
    version: 2,
    limits: { ...NO_LIMIT, conn: 3, subs: 50, payload: MAX_PAYLOAD, leaf: 1 },
    imports: [
      service("up", `fl.u.${account}.>`, "up.>"),
      service("rpc", `fl.rpc.${account}.>`, "rpc.>"),
      service("own", `$JS.API.DIRECT.GET.UP_${account}.fl.u.${account}.>`, "get.own.>"),
      ...Object.entries(DOWNLINKS).map(([label, stream]) =>
        service(label, `$JS.API.DIRECT.GET.${stream}.fl.all.>`, `get.${label}.>`),
      ),
      { name: "events", account: coordinator, subject: "fl.eall.>", type: "stream", local_subject: "ev.>" },
    ],
    revocations,
  };
  return encodeAccount(ascii(name), account, claims, { signer: keyPairOf(signer) });
}

/** Makes the token that a member logs in with. @param account the key pair of the member's account. */
export function memberUserJwt(options: {
  readonly name: string;
  readonly user: string;
  readonly account: Identity;
  readonly expires: Date;
}): Promise<string> {
  const { name, user, account, expires } = options;
  const rights = { pub: { allow: ["up.>", "rpc.>", "get.>"] }, sub: { allow: ["_INBOX.>", "ev.>"] } };
  return encodeUser(
    ascii(name),
    user,
    keyPairOf(account),
    { ...rights, allowed_connection_types: CONNECTIONS },
    { exp: seconds(expires) },
  );
}

/** The prefix of the inboxes of an invitation's holder. */
export function invitationInbox(id: string): string {
  return `_INBOX.${id}`;
}

/** Makes the credentials in an invitation. They can ask for the enrolment of this invitation and nothing else. */
export async function invitationCredentials(options: {
  readonly id: string;
  readonly account: Identity;
  readonly expires: Date;
}): Promise<Credentials & { readonly user: string }> {
  const { id, account, expires } = options;
  const user = newIdentity();
  const jwt = await encodeUser(
    `invitation ${id}`,
    user.publicKey,
    keyPairOf(account),
    {
      pub: { allow: [`enrol.${id}`] },
      sub: { allow: [`${invitationInbox(id)}.>`] },
      subs: 5,
      allowed_connection_types: ["STANDARD", "WEBSOCKET"],
    },
    { exp: seconds(expires) },
  );
  return { jwt, seed: user.seed, user: user.publicKey };
}

/** Makes credentials of the coordinator's process. They are made anew for each process and never stored. */
export async function processCredentials(name: string, account: Identity): Promise<Credentials> {
  const user = newIdentity();
  return { jwt: await encodeUser(name, user.publicKey, account.seed), seed: user.seed };
}

export interface TokenFacts {
  /** The public key that the token is for. */
  readonly subject: string;
  /** The public key that signed it. */
  readonly issuer: string;
  readonly issued: Date;
  readonly expires: Date | undefined;
}

/** Reads a token and checks its signature. Undefined for another text. */
export function readToken(jwt: string): TokenFacts | undefined {
  try {
    const { sub, iss, iat, exp } = decode(jwt);
    const expires = exp === undefined ? undefined : new Date(exp * 1000);
    return { subject: sub, issuer: iss, issued: new Date(iat * 1000), expires };
  } catch {
    return undefined;
  }
}

/** A name in a token is for the server's log, and the library garbles other characters. */
function ascii(name: string): string {
  return name.replaceAll(/[^ -~]/gu, "?");
}

function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
