import { UserError } from "../diagnostics/user-error.ts";
import { checkKey, keySegment, type MemberStore, type Store } from "../store/store.ts";
import { checkProtocol, createMessage, parseMessage, readMessage } from "./protocol/cells.ts";
import { MismatchError } from "../store/check.ts";
import { keys } from "./protocol/keys.ts";
import { manifest, type Manifest, member, type Member, PROTOCOL, roster } from "./protocol/messages.ts";

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

/** @throws UserError of kind `data` for a message that no client of this name and protocol writes. */
function memberIn(bytes: Uint8Array, client: string): Member {
  const refused = (why: string): UserError =>
    new UserError("data", `Client ${client} joined with a message that cannot be used: ${why}.`, {
      hint: `Delete the cell ${keys.member(client)} of the exchange, and let the client join again.`,
    });
  try {
    const found = parseMessage(bytes, member);
    if (found.protocol !== PROTOCOL) throw refused(`it speaks protocol ${found.protocol}, not ${PROTOCOL}`);
    if (found.client !== client) throw refused("it names another client");
    return found;
  } catch (error) {
    if (error instanceof MismatchError) throw refused(error.message);
    throw error;
  }
}

/**
 * The members of a run in the order of its manifest, once all have joined. It is settled then: a member that changes its
 * mind later changes nothing.
 *
 * @throws the signal's reason, once it is aborted.
 */
export async function gatherRoster(
  store: Store,
  clients: readonly string[],
  { signal, onWaiting }: { signal?: AbortSignal | undefined; onWaiting?: (clients: readonly string[]) => void } = {},
): Promise<readonly Member[]> {
  const watch = await store.watch(keys.members);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const settled = await readMessage(store, keys.roster, roster);
      if (settled !== undefined) return settled.members;
      const joined = new Set(await store.list(keys.members));
      const missing = clients.filter((client) => !joined.has(keys.member(client)));
      if (missing.length > 0) {
        onWaiting?.(missing);
        await watch.next({ signal });
        continue;
      }
      const members: Member[] = [];
      for (const client of clients) {
        members.push(memberIn((await store.read(keys.member(client)))!, client));
      }
      checkRoster(members.map(({ client, records, heldOut }) => ({ name: client, records, heldOut })));
      return (await createMessage(store, keys.roster, roster, { members })).members;
    }
  } finally {
    watch.close();
  }
}
