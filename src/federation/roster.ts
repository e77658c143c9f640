import { UserError } from "../diagnostics/user-error.ts";
import { checkKey, keySegment } from "../store/store.ts";

/** A member of the federation. */
export interface FederationClient {
  readonly name: string;
  /** Records it trains on: its weight in an average. */
  readonly records: number;
  /** Records it keeps for evaluation. */
  readonly heldOut: number;
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
