import { jetstream, JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { withRetries } from "../concurrency/retry.ts";
import { UserError } from "../diagnostics/user-error.ts";

/** The server's error code for a second message on a subject that takes one. */
const SUBJECT_IS_FULL = 10077;
/** The server's error code for another sequence than the one expected. */
const WRONG_SEQUENCE = 10071;

export interface StoredMessage {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Requests to JetStream. Each is repeated while the server does not answer. */
export interface NatsAccess {
  /** Publishes a message. False where the subject already has one. */
  readonly publishOnce: (subject: string, bytes: Uint8Array) => Promise<boolean>;
  /** Publishes a message at the expected sequence of its subject (0: it has none). False at another sequence. */
  readonly publishAt: (subject: string, sequence: number, bytes: Uint8Array) => Promise<boolean>;
  /** The last message of a subject, or undefined. */
  readonly last: (stream: string, subject: string) => Promise<StoredMessage | undefined>;
  /** The subjects of a stream that have a message, under a filter. */
  readonly subjects: (stream: string, filter: string) => Promise<string[]>;
  readonly purge: (stream: string, filter: string) => Promise<void>;
}

export function natsAccess(connection: NatsConnection, manager: JetStreamManager): NatsAccess {
  const publisher = jetstream(connection);
  return {
    publishOnce: (subject, bytes) =>
      answered(`write ${subject}`, () => unless(SUBJECT_IS_FULL, () => publisher.publish(subject, bytes))),
    publishAt: (subject, lastSubjectSequence, bytes) =>
      answered(`write ${subject}`, () =>
        unless(WRONG_SEQUENCE, () => publisher.publish(subject, bytes, { expect: { lastSubjectSequence } })),
      ),
    last: (stream, subject) =>
      answered(`read ${subject}`, async () => {
        const found = await manager.streams.getMessage(stream, { last_by_subj: subject });
        return found === null ? undefined : { sequence: found.seq, bytes: found.data.slice() };
      }),
    async subjects(stream, filter) {
      const info = await answered(`list ${filter}`, () => manager.streams.info(stream, { subjects_filter: filter }));
      return Object.keys(info.state.subjects ?? {});
    },
    async purge(stream, filter) {
      await answered(`delete ${filter}`, () => manager.streams.purge(stream, { filter }));
    },
  };
}

/** True once it is done, false at this error code. */
async function unless(code: number, publish: () => Promise<unknown>): Promise<boolean> {
  try {
    await publish();
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return false;
    throw error;
  }
}

/** A pause after each failure, milliseconds: a server that restarts is back within seconds, another within a minute. */
const PAUSES_MS = [50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600];

/** Repeats a request while the server does not answer. @throws UserError("storage") after the last pause. */
export async function answered<T>(what: string, ask: () => Promise<T>): Promise<T> {
  let failures = 0;
  try {
    return await withRetries(ask, (failure) =>
      failure instanceof JetStreamApiError ? undefined : PAUSES_MS[failures++],
    );
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UserError("storage", `The NATS server did not ${what}: ${why}.`, {
      hint: "Correct the problem, then run the same command again to continue.",
      cause,
    });
  }
}
