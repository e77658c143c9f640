import path from "node:path";
import { z } from "zod";
import { UserError } from "../../diagnostics/user-error.ts";
import { type FederationFacts, federationFactsSchema } from "../../identity/invitation.ts";
import { type Identity, newIdentity } from "../../identity/keys.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";
import { keyOf, makePrivateFolder, readKey, readSecret, writeKey } from "./secret-file.ts";

/** The folder's default place. */
export const SITE_FOLDER = "site";

const FACTS = "site.json";
const IDENTITY = "identity.nk";

/** A site's membership: `site.json`. */
export interface SiteRecord {
  readonly version: 1;
  /** The name of the member. */
  readonly client: string;
  readonly federation: FederationFacts;
  readonly servers: readonly string[];
  /** PEM of the authority of the server's certificate. */
  readonly ca?: string | undefined;
  /** The invitation that the site joined with. */
  readonly invitation: string;
  readonly account: string;
  /** The public key of the site's user, whose seed is in `identity.nk`. */
  readonly user: string;
  /** The public keys of the site before it was invited again: what they signed stays its own. */
  readonly earlier?: readonly string[] | undefined;
  /** Lets the holder of the seed log in, until it expires. */
  readonly jwt: string;
  readonly limits: Readonly<Record<string, number>>;
  /** ISO time of the coordinator's clock. */
  readonly joined: string;
}

const schema: z.ZodType<SiteRecord> = z.strictObject({
  version: z.literal(1),
  client: z.string().min(1),
  federation: federationFactsSchema,
  servers: z.array(z.string().min(1)).min(1),
  ca: z.string().optional(),
  invitation: z.string().min(1),
  account: z.string().min(1),
  user: z.string().min(1),
  earlier: z.array(z.string().min(1)).optional(),
  jwt: z.string().min(1),
  limits: z.record(z.string(), z.number()),
  joined: z.iso.datetime(),
});

/** Reads a site's membership; undefined where the site has not joined. */
export function readSite(folder: string): Promise<SiteRecord | undefined> {
  return readJsonFile(path.join(folder, FACTS), schema);
}

export function saveSite(folder: string, site: SiteRecord): Promise<void> {
  return writeJsonFile(path.join(folder, FACTS), site);
}

export interface Site {
  readonly folder: string;
  readonly record: SiteRecord;
  readonly identity: Identity;
}

/** Opens the folder of a site that has joined. @throws UserError("config") where it has not. */
export async function openSite(folder: string): Promise<Site> {
  const record = await readSite(folder);
  if (record === undefined) {
    throw new UserError("config", `${folder} is not the folder of a site that has joined: it has no ${FACTS}`, {
      hint: "Join with an invitation: openfedllm join.",
    });
  }
  return { folder, record, identity: await readKey(path.join(folder, IDENTITY), "user", record.user) };
}

/** Reads the site's key, or makes it: durably, before anyone is told of it. */
export async function ownIdentity(folder: string): Promise<Identity> {
  await makePrivateFolder(folder);
  const file = path.join(folder, IDENTITY);
  const seed = await readSecret(file);
  if (seed !== undefined) return keyOf(seed, "user", file);
  const identity = newIdentity();
  await writeKey(file, identity);
  return identity;
}
