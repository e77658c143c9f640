import { UserError } from "../../diagnostics/user-error.ts";
import { decodeJson, encodeJson } from "../../store/codec.ts";
import type { MemberStore } from "../../store/store.ts";
import { type Check, json, MismatchError } from "../../store/check.ts";
import { PROTOCOL, type RunHead, runHead } from "./messages.ts";

/** @throws MismatchError for bytes that are no JSON or not of the type. */
function parseMessage<T>(bytes: Uint8Array, check: Check<T>): T {
  let value: unknown;
  try {
    value = decodeJson(bytes);
  } catch (cause) {
    throw new MismatchError("it is not JSON", { cause });
  }
  return check(value, "");
}

/** @throws MismatchError too for a cell that a store of signed cells does not give. */
async function read<T>(store: MemberStore, key: string, check: Check<T>): Promise<T | undefined> {
  const bytes = await store.read(key);
  return bytes && parseMessage(bytes, check);
}

/**
 * A message of another party, or the reason why it cannot be used: it is not signed by its writer, no JSON, or not of its type.
 * Undefined where it was not written.
 */
export async function readTheirs<T>(
  store: MemberStore,
  key: string,
  check: Check<T>,
): Promise<T | MismatchError | undefined> {
  try {
    return await read(store, key, check);
  } catch (error) {
    if (error instanceof MismatchError) return error;
    throw error;
  }
}

/** True where a cell is written, whether or not it can be used: a second write would change nothing. */
export async function isWritten(store: MemberStore, key: string): Promise<boolean> {
  return (await readTheirs(store, key, json)) !== undefined;
}

/** Turns a cell that cannot be used into an error of the run. */
async function usable<T>(key: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof MismatchError)) throw cause;
    throw new UserError("storage", `The cell ${key} of the run is damaged: ${cause.message}.`, {
      hint: "Put the run folder back from a copy, or start the run in a new folder.",
      cause,
    });
  }
}

/** A cell's message, or undefined where it was not written. Throws a `UserError` of kind `storage` for a damaged one. */
export function readMessage<T>(store: MemberStore, key: string, check: Check<T>): Promise<T | undefined> {
  return usable(key, () => read(store, key, check));
}

/** Writes a message once and returns the one that won. */
export function createMessage<T>(store: MemberStore, key: string, check: Check<T>, value: NoInfer<T>): Promise<T> {
  return usable(key, async () => parseMessage(await store.create(key, encodeJson(value)), check));
}

/**
 * The head and its revision; undefined where no run was started.
 *
 * @throws UserError of kind `storage` for a damaged head and for a run of another protocol.
 */
export function readHead(store: MemberStore): Promise<{ revision: number; head: RunHead } | undefined> {
  return usable("head", async () => {
    const found = await store.head();
    if (found === undefined) return undefined;
    checkProtocol(parseMessage(found.bytes, (value) => (value as { protocol?: unknown } | null)?.protocol));
    return { revision: found.revision, head: parseMessage(found.bytes, runHead) };
  });
}

/** The error where a head that was there is gone. */
export function runIsGone(): UserError {
  return new UserError("storage", "The run is gone from the exchange: its head was there and is not any more.", {
    hint: "Put the exchange back. Then run the same command again to continue.",
  });
}

/** Refuses the messages of another version of the protocol by name. */
export function checkProtocol(protocol: unknown): void {
  if (protocol === PROTOCOL) return;
  const newer = typeof protocol === "number" && protocol > PROTOCOL;
  const made = protocol === undefined ? "version 0.1 of this software" : `protocol ${JSON.stringify(protocol)}`;
  throw new UserError("storage", `The run was begun with ${made}; this version works with protocol ${PROTOCOL}.`, {
    hint: newer
      ? "Update this software to continue the run."
      : "Continue the run with the version it was begun with, or start it in a new folder.",
  });
}

/** Text of another party in one line of bounded length, without control characters. */
export function asLine(text: string): string {
  const line = text.replaceAll(/\p{Cc}+/gu, " ").trim();
  return line.length <= LONGEST_LINE ? line : `${line.slice(0, LONGEST_LINE)}…`;
}

const LONGEST_LINE = 300;
