import { keySegment } from "../../store/store.ts";
import type { Federation } from "./federation-folder.ts";
import { isOut, type MemberRecord } from "./records.ts";

/** Time until the folder is read again: `federation revoke` of another process changes it too. */
const LOOK_AGAIN_MS = 2000;

/** The members of a federation for lookups that cannot wait. It is read again after each change and every two seconds. */
export interface MemberDirectory {
  /** Account by name, of everyone who ever joined: what a revoked member sent before stays readable. */
  readonly accounts: () => ReadonlyMap<string, string>;
  readonly clientOf: (account: string) => string | undefined;
  /** The member whose name is this segment of a key. */
  readonly bySegment: (segment: string | undefined) => MemberRecord | undefined;
  /** Names of the members that are neither revoked nor gone. */
  readonly active: () => readonly string[];
  /** Names of the members that the operator put out. */
  readonly revoked: () => ReadonlySet<string>;
  /** Names of the members that left by themselves. */
  readonly departed: () => ReadonlySet<string>;
  readonly refresh: () => Promise<void>;
  /** Takes in a member that the folder has already: of a thousand that join, each would read the whole folder. */
  readonly add: (member: MemberRecord) => void;
  readonly close: () => void;
}

/** @param onChange is called after a look that found other members. */
export async function openMemberDirectory(
  federation: Federation,
  onChange: (directory: MemberDirectory) => void = () => {},
): Promise<MemberDirectory> {
  let members: readonly MemberRecord[] = [];
  let accounts = new Map<string, string>();
  let byAccount = new Map<string, string>();
  let bySegment = new Map<string, MemberRecord>();
  let looking: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    const found = await federation.members();
    // A record that did not change is the same object.
    if (found.length === members.length && found.every((member, i) => member === members[i])) return;
    take(found);
  };
  const take = (found: readonly MemberRecord[]): void => {
    members = found;
    accounts = new Map(found.map(({ name, account }) => [name, account]));
    byAccount = new Map(found.map(({ name, account }) => [account, name]));
    bySegment = new Map(found.map((member) => [keySegment(member.name), member]));
    onChange(directory);
  };
  /** Calls during a look share the next one: of many members that join together. */
  let next: Promise<void> | undefined;
  const refresh = (): Promise<void> => {
    if (looking === undefined) {
      looking = look().finally(() => void (looking = undefined));
      return looking;
    }
    next ??= looking
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        return refresh();
      });
    return next;
  };
  const inState = (state: MemberRecord["state"]): ReadonlySet<string> =>
    new Set(members.filter((member) => member.state === state).map(({ name }) => name));
  // A look that fails is repeated; the folder's own commands tell of a damaged file.
  const timer = setInterval(() => void refresh().catch(() => undefined), LOOK_AGAIN_MS);
  timer.unref();
  const directory: MemberDirectory = {
    accounts: () => accounts,
    clientOf: (account) => byAccount.get(account),
    bySegment: (segment) => (segment === undefined ? undefined : bySegment.get(segment)),
    active: () => members.filter((member) => !isOut(member)).map(({ name }) => name),
    revoked: () => inState("revoked"),
    departed: () => inState("left"),
    refresh,
    add: (member) => take([...members.filter(({ name }) => name !== member.name), member]),
    close: () => clearInterval(timer),
  };
  await refresh();
  return directory;
}
