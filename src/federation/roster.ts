import { UserError } from "../diagnostics/user-error.ts";
import { checkKey, keySegment, type MemberStore, type Store } from "../store/store.ts";
import { asLine, checkProtocol, createMessage, readMessage, readTheirs } from "./protocol/cells.ts";
import { MismatchError } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import { declining, manifest, type Manifest, member, type Member, PROTOCOL, roster } from "./protocol/messages.ts";

/** A member of the federation. */
export interface FederationClient {
  readonly name: string;
  /** Records it trains on: its weight in an average. */
  readonly records: number;
  /** Records it keeps for evaluation. */
  readonly heldOut: number;
  /** Fingerprint of its records. */
  readonly data?: string;
}

function isKeySegment(name: string): boolean {
  try {
    checkKey(keySegment(name));
    return true;
  } catch {
    return false;
  }
}

function shortened(name: string): string {
  return name.length <= 40 ? name : `${name.slice(0, 40)}…`;
}

/** Throws a `UserError` of kind `data` for no clients, two of one name, an unusable name, or a client without records. */
export function checkRoster(clients: readonly FederationClient[]): void {
  if (clients.length === 0) throw new UserError("data", "There are no clients to train with.");
  const seen = new Set<string>();
  for (const { name, records } of clients) {
    if (!isKeySegment(name)) {
      throw new UserError(
        "data",
        `A client cannot be called "${shortened(name)}": as part of a file name that is ${keySegment(name).length} characters, expected 1 to 200.`,
        {
          hint: "Give the client a shorter name; each byte of a character beyond a-z, 0-9, _ and - counts three times.",
        },
      );
    }
    if (seen.has(name)) {
      throw new UserError("data", `Two clients are called "${name}".`, {
        hint: "Give every client a name of its own.",
      });
    }
    seen.add(name);
    if (!Number.isInteger(records) || records < 1) {
      throw new UserError("data", `Client "${name}" has ${records} records to train on; it needs at least 1.`, {
        hint: "Give it records, or leave the client out.",
      });
    }
  }
}

/** Publishes the manifest of a run and returns the one that counts: its first. */
export async function publishManifest(store: Store, mine: Manifest): Promise<Manifest> {
  const published = await createMessage(store, keys.manifest, manifest, mine);
  checkProtocol(published.protocol);
  return published;
}

/**
 * The manifest of a run, once a coordinator has published it.
 *
 * @throws the signal's reason, once it is aborted.
 */
export async function awaitManifest(store: MemberStore, signal?: AbortSignal): Promise<Manifest> {
  const watch = await store.watch("");
  try {
    for (;;) {
      signal?.throwIfAborted();
      const published = await readMessage(store, keys.manifest, manifest);
      if (published !== undefined) {
        checkProtocol(published.protocol);
        return published;
      }
      await watch.next({ signal });
    }
  } finally {
    watch.close();
  }
}

/** A client that does not take part. */
export interface Declined {
  readonly client: string;
  readonly reason: string;
}

/** The member that a client's message makes it, or why the message cannot be used: then the client takes no part. */
export async function readMember(store: Store, client: string): Promise<Member | Declined> {
  const refused = (why: string): Declined => ({ client, reason: `its message to join cannot be used: ${asLine(why)}` });
  const found = (await readTheirs(store, keys.member(client), member))!;
  if (found instanceof MismatchError) return refused(found.message);
  if (found.protocol !== PROTOCOL) return refused(`it speaks protocol ${found.protocol}, not ${PROTOCOL}`);
  if (found.client !== client) return refused("it names another client");
  if (found.records < 1) return refused("it has no records to train on");
  return found;
}

/** Finds those of `clients` that have declined. The reason is one line without control characters. */
export async function readDeclined(store: Store, clients: readonly string[]): Promise<Declined[]> {
  const written = new Set(clients.length === 0 ? [] : await store.list(keys.declines));
  const found: Declined[] = [];
  for (const client of written.size === 0 ? [] : clients) {
    if (!written.has(keys.decline(client))) continue;
    const message = (await readTheirs(store, keys.decline(client), declining))!;
    const isMalformed = message instanceof MismatchError;
    found.push({
      client,
      reason: isMalformed ? `its message is malformed: ${message.message}` : asLine(message.reason),
    });
  }
  return found;
}

export interface GatheringOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the clients that are awaited, each time there is nothing else to do. */
  readonly onWaiting?: (clients: readonly string[]) => void;
  /** Called once for each client that declined, left or was put out, or sent a message that cannot be used. */
  readonly onDeclined?: ((declined: Declined) => void) | undefined;
  /** Clients that the operator has put out. Default: none. */
  readonly revoked?: (() => ReadonlySet<string>) | undefined;
  /** Clients that ended their membership of the federation themselves. Default: none. */
  readonly departed?: (() => ReadonlySet<string>) | undefined;
  /** Seconds to wait for all, by this process's clock; then `minClients` are enough. Default: without end. */
  readonly deadlineSeconds?: number | undefined;
  /** Fewest members to begin with; at least 1, which is the default. */
  readonly minClients?: number | undefined;
}

/**
 * The members that a run begins with, in the order of its manifest: settled once all of `clients` have joined or declined, or
 * after the deadline. A member that changes its mind later changes nothing here.
 *
 * @throws UserError of kind `data` where too many declined.
 * @throws the signal's reason, once it is aborted.
 */
export async function gatherRoster(
  store: Store,
  clients: readonly string[],
  {
    signal,
    onWaiting,
    onDeclined,
    revoked,
    departed,
    deadlineSeconds = Number.POSITIVE_INFINITY,
    minClients = 1,
  }: GatheringOptions = {},
): Promise<readonly Member[]> {
  const until = performance.now() + deadlineSeconds * 1000;
  const fewest = Math.max(1, minClients);
  /** What each client joined with. The first message of a client counts, so none is read again. */
  const found = new Map<string, Member | Declined>();
  const told = new Set<string>();
  const watch = await store.watch("");
  try {
    for (;;) {
      signal?.throwIfAborted();
      const settled = await readMessage(store, keys.roster, roster);
      if (settled !== undefined) return settled.members;
      const written = new Set(await store.list(keys.members));
      for (const client of clients) {
        if (!found.has(client) && written.has(keys.member(client))) found.set(client, await readMember(store, client));
      }
      const outside = new Set([...(revoked?.() ?? []), ...(departed?.() ?? [])]);
      const joined: Member[] = [];
      const declined: Declined[] = [];
      const silent: string[] = [];
      for (const client of clients) {
        const word = found.get(client);
        if (outside.has(client)) declined.push({ client, reason: "it is no member of the federation any more" });
        else if (word === undefined) silent.push(client);
        else if ("reason" in word) declined.push(word);
        else joined.push(word);
      }
      declined.push(...(await readDeclined(store, silent)));
      for (const each of declined) if (told.size < told.add(each.client).size) onDeclined?.(each);
      const out = new Set(declined.map(({ client }) => client));
      const missing = silent.filter((client) => !out.has(client));
      const left = until - performance.now();
      const enough = joined.length >= fewest;
      if (missing.length === 0 && !enough) throw tooFewJoined(joined.length, fewest, declined);
      if (missing.length > 0 && !(enough && left <= 0)) {
        onWaiting?.(missing);
        await watch.next({ signal, milliseconds: enough ? Math.min(left, LOOK_AGAIN_MS) : LOOK_AGAIN_MS });
        continue;
      }
      return (await createMessage(store, keys.roster, roster, { members: joined })).members;
    }
  } finally {
    watch.close();
  }
}

/** A change may be missed: after this time the cells are read again. */
const LOOK_AGAIN_MS = 5000;

function tooFewJoined(joined: number, fewest: number, declined: readonly Declined[]): UserError {
  const reasons = declined.map(({ client, reason }) => `${client}: ${reason}`).join("; ");
  const others = reasons === "" ? "there are no others" : `the others declined (${reasons})`;
  return new UserError("data", `The run has ${joined} members and needs ${fewest}; ${others}.`, {
    hint: "Run the same command again once more clients have joined, or lower federation.minClients in a new run.",
  });
}
