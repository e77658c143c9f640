import { UserError } from "../../diagnostics/user-error.ts";
import { decodeJson, encodeJson } from "../../store/codec.ts";
import type { MemberStore } from "../../store/store.ts";
import { type Check, MismatchError } from "../../store/check.ts";
import { PROTOCOL, type RunHead, runHead } from "./messages.ts";

/** @throws MismatchError for bytes that are no JSON or not of the type. */
export function parseMessage<T>(bytes: Uint8Array, check: Check<T>): T {
  let value: unknown;
  try {
    value = decodeJson(bytes);
  } catch (cause) {
    throw new MismatchError("it is not JSON", { cause });
  }
  return check(value, "");
}

function parseOwn<T>(bytes: Uint8Array, check: Check<T>, key: string): T {
  try {
    return parseMessage(bytes, check);
  } catch (cause) {
    if (!(cause instanceof MismatchError)) throw cause;
    throw new UserError("storage", `The cell ${key} of the run is damaged: ${cause.message}.`, {
      hint: "Put the run folder back from a copy, or start the run in a new folder.",
      cause,
    });
  }
}

/** A cell's message, or undefined where it was not written. Throws a `UserError` of kind `storage` for a damaged one. */
export async function readMessage<T>(store: MemberStore, key: string, check: Check<T>): Promise<T | undefined> {
  const bytes = await store.read(key);
  return bytes === undefined ? undefined : parseOwn(bytes, check, key);
}

/** Writes a message once and returns the one that won. */
export async function createMessage<T>(
  store: MemberStore,
  key: string,
  check: Check<T>,
  value: NoInfer<T>,
): Promise<T> {
  return parseOwn(await store.create(key, encodeJson(value)), check, key);
}

/**
 * The head and its revision; undefined where no run was started.
 *
 * @throws UserError of kind `storage` for a damaged head and for a run of another protocol.
 */
export async function readHead(store: MemberStore): Promise<{ revision: number; head: RunHead } | undefined> {
  const found = await store.head();
  if (found === undefined) return undefined;
  checkProtocol(parseOwn(found.bytes, (value) => (value as { protocol?: unknown } | null)?.protocol, "head"));
  return { revision: found.revision, head: parseOwn(found.bytes, runHead, "head") };
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
