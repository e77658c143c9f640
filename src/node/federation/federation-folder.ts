import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../diagnostics/user-error.ts";
import { operatorJwt } from "../../identity/claims.ts";
import { type Identity, type KeyKind, newIdentity } from "../../identity/keys.ts";
import { keySegment } from "../../store/store.ts";
import { syncFolder } from "../store/durable-file.ts";
import { absentAs, guarded } from "../store/durable-folder.ts";
import { FolderInUse, lockFolder } from "../store/folder-lock.ts";
import { jsonFolder, readJsonFile, writeJsonFile } from "./json-file.ts";
import {
  type AddressRecord,
  addressSchema,
  type FederationRecord,
  federationSchema,
  type InvitationRecord,
  invitationSchema,
  invitedSchema,
  type MemberRecord,
  memberSchema,
} from "./records.ts";
import { makePrivateFolder, readKey, writeKey } from "./secret-file.ts";

/** The folder's default place. */
export const FEDERATION_FOLDER = "federation";

const FACTS = "federation.json";

/** The keys that daily work needs. */
export type FederationKey = "signing" | "federation" | "system" | "coordinator" | "enrolment";

interface KeyFile {
  readonly file: string;
  readonly kind: KeyKind;
  readonly publicKeyIn: (facts: FederationRecord) => string;
}

const KEYS: Readonly<Record<FederationKey, KeyFile>> = {
  signing: { file: "operator.nk", kind: "operator", publicKeyIn: (facts) => facts.signingKey },
  federation: { file: "federation.nk", kind: "user", publicKeyIn: (facts) => facts.key },
  system: { file: "system.nk", kind: "account", publicKeyIn: (facts) => facts.accounts.system },
  coordinator: { file: "coordinator.nk", kind: "account", publicKeyIn: (facts) => facts.accounts.coordinator },
  enrolment: { file: "enrolment.nk", kind: "account", publicKeyIn: (facts) => facts.accounts.enrolment },
};

/** Signs the operator's token once. No method reads it: it may be kept elsewhere. */
export const ROOT_KEY = "operator-root.nk";

/** Longest wait for another process that changes the folder, and the pause between two looks, milliseconds. */
const LONGEST_WAIT_MS = 10_000;
const LOOK_AGAIN_MS = 20;

/** The folder of a federation: its keys, members and invitations on disk. Each method sees the files as they are now. */
export interface Federation {
  readonly folder: string;
  readonly facts: FederationRecord;
  /** Reads a key. @throws UserError where it is missing, damaged, or others may read it. */
  key(name: FederationKey): Promise<Identity>;
  /** The members, by name. */
  members(): Promise<readonly MemberRecord[]>;
  member(name: string): Promise<MemberRecord | undefined>;
  saveMember(member: MemberRecord): Promise<void>;
  /** The key pair of a member's account. */
  memberKey(account: string): Promise<Identity>;
  saveMemberKey(key: Identity): Promise<void>;
  invitations(): Promise<readonly InvitationRecord[]>;
  /** The invitations of one name. It reads no others: of a thousand names, each is invited by a command of its own. */
  invitationsOf(client: string): Promise<readonly InvitationRecord[]>;
  invitation(id: string): Promise<InvitationRecord | undefined>;
  saveInvitation(invitation: InvitationRecord): Promise<void>;
  addresses(): Promise<AddressRecord | undefined>;
  saveAddresses(addresses: AddressRecord): Promise<void>;
  /** Reads and changes the folder while no other process or task does. Not reentrant. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Makes the folder of a new federation with new keys: whole, or not at all.
 *
 * @throws UserError("config") where there is something at this place.
 */
export async function initFederation(
  folder: string,
  { name, now = new Date() }: { readonly name: string; readonly now?: Date },
): Promise<Federation> {
  await refuseOccupied(folder);
  const parent = path.dirname(path.resolve(folder));
  const making = path.join(parent, `.${path.basename(folder)}.${randomUUID()}`);
  const root = newIdentity("operator");
  const keys = Object.fromEntries(
    Object.entries(KEYS).map(([key, { kind }]) => [key, newIdentity(kind)]),
  ) as unknown as Record<FederationKey, Identity>;
  const facts: FederationRecord = {
    version: 1,
    name,
    id: root.publicKey,
    key: keys.federation.publicKey,
    signingKey: keys.signing.publicKey,
    accounts: {
      system: keys.system.publicKey,
      coordinator: keys.coordinator.publicKey,
      enrolment: keys.enrolment.publicKey,
    },
    operatorJwt: await operatorJwt({
      name,
      root,
      signingKey: keys.signing.publicKey,
      system: keys.system.publicKey,
    }),
    created: now.toISOString(),
  };
  try {
    await guarded(folder, "write", () => mkdir(parent, { recursive: true }));
    for (const part of ["", "keys", "members", "invitations", "invited"])
      await makePrivateFolder(path.join(making, part));
    await writeKey(path.join(making, "keys", ROOT_KEY), root);
    for (const [key, { file }] of Object.entries(KEYS)) {
      await writeKey(path.join(making, "keys", file), keys[key as FederationKey]);
    }
    await writeJsonFile(path.join(making, FACTS), facts);
    await guarded(folder, "write", async () => {
      await rename(making, folder);
      await syncFolder(parent);
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return federationAt(folder, facts);
}

/**
 * Opens the folder of a federation.
 *
 * @throws UserError("config") where it is none, `storage` where it is damaged.
 */
export async function openFederation(folder: string): Promise<Federation> {
  const facts = await readJsonFile(path.join(folder, FACTS), federationSchema);
  if (facts === undefined) {
    throw new UserError("config", `${folder} is not the folder of a federation: it has no ${FACTS}`, {
      hint: `Make one with openfedllm federation init ${folder} --name NAME, or give its folder.`,
    });
  }
  return federationAt(folder, facts);
}

function federationAt(folder: string, facts: FederationRecord): Federation {
  const memberFile = (name: string): string => path.join(folder, "members", `${keySegment(name)}.json`);
  const memberKeyFile = (account: string): string => path.join(folder, "keys", "members", `${account}.nk`);
  const invitationFile = (id: string): string => path.join(folder, "invitations", `${id}.json`);
  const invitedFile = (client: string): string => path.join(folder, "invited", `${keySegment(client)}.json`);
  const invitedIds = async (client: string): Promise<readonly string[]> =>
    (await readJsonFile(invitedFile(client), invitedSchema))?.ids ?? [];
  const addressFile = path.join(folder, "addresses.json");
  /** Tasks of this process, one after another: the lock is between processes. */
  let last: Promise<unknown> = Promise.resolve();

  return {
    folder,
    facts,
    key: (name) => readKey(path.join(folder, "keys", KEYS[name].file), KEYS[name].kind, KEYS[name].publicKeyIn(facts)),
    members: jsonFolder(path.join(folder, "members"), memberSchema),
    member: (name) => readJsonFile(memberFile(name), memberSchema),
    saveMember: (member) => writeJsonFile(memberFile(member.name), member),
    memberKey: (account) => readKey(memberKeyFile(account), "account", account),
    saveMemberKey: (key) => writeKey(memberKeyFile(key.publicKey), key),
    invitations: jsonFolder(path.join(folder, "invitations"), invitationSchema),
    invitation: async (id) => (/^[\w-]+$/.test(id) ? readJsonFile(invitationFile(id), invitationSchema) : undefined),
    async invitationsOf(client) {
      const files = (await invitedIds(client)).map(invitationFile);
      const found = await Promise.all(files.map((file) => readJsonFile(file, invitationSchema)));
      return found.filter((invitation) => invitation !== undefined);
    },
    async saveInvitation(invitation) {
      const { client, id } = invitation;
      const ids = await invitedIds(client);
      // First: an invitation that no name leads to would stay open unseen.
      if (!ids.includes(id)) await writeJsonFile(invitedFile(client), { version: 1, ids: [...ids, id] });
      await writeJsonFile(invitationFile(id), invitation);
    },
    addresses: () => readJsonFile(addressFile, addressSchema),
    saveAddresses: (addresses) => writeJsonFile(addressFile, addresses),
    exclusively(work) {
      const next = last.then(async () => {
        const unlock = await lockedSoon(folder);
        try {
          return await work();
        } finally {
          unlock();
        }
      });
      last = next.catch(() => {});
      return next;
    },
  };
}

async function lockedSoon(folder: string): Promise<() => void> {
  const end = performance.now() + LONGEST_WAIT_MS;
  for (;;) {
    try {
      return lockFolder(folder);
    } catch (error) {
      if (!(error instanceof FolderInUse)) throw error;
      if (performance.now() > end) {
        throw new UserError("storage", `Another process has changed ${folder} for ${LONGEST_WAIT_MS / 1000} seconds.`, {
          hint: `Run the same command again. If there is no such process, remove ${path.join(folder, "lock")}.`,
          cause: error,
        });
      }
      await sleep(LOOK_AGAIN_MS);
    }
  }
}

async function refuseOccupied(folder: string): Promise<void> {
  const names = await guarded(folder, "read", () => absentAs<string[]>([], () => readdir(folder)));
  if (names.length === 0) return;
  const what = names.includes(FACTS) ? "there is already a federation at" : "there are other files in";
  throw new UserError("config", `${what} ${folder}`, {
    hint: names.includes(FACTS)
      ? "Use it as it is, or choose another folder. A new federation has new keys: every member has to join again."
      : "Choose another folder.",
  });
}
