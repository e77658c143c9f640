import { JetStreamApiError } from "@nats-io/jetstream";
import { type Msg, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";
import { withRetries } from "../concurrency/retry.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { requestAnswer } from "./answer.ts";

/** Pauses between attempts, milliseconds. The last one repeats. */
const PAUSES_MS = [50, 100, 200, 400, 800, 1600, 3200];

export interface Patience {
  /** Ends every pause and every request at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Seconds after which a server that does not answer is an error. Default: none, it is waited for. */
  readonly maxSilenceSeconds?: number | undefined;
  /** Tells the seconds since the server stopped to answer, at each attempt, and 0 once it answers again. It may throw to give up. */
  readonly onSilence?: ((seconds: number) => void) | undefined;
}

/** The server refused a message, and it would refuse it again. */
class Refused extends UserError {}

/** Requests over a connection. Each is repeated while the server does not answer. */
export interface Link {
  readonly connection: NatsConnection;
  ask<T>(what: string, request: () => Promise<T>): Promise<T>;
  /**
   * Publishes a message into a stream. `false`: the subject has one already, or is at another sequence than expected. A
   * repeated message counts as refused where the first one was stored and its answer lost.
   */
  publish(subject: string, bytes: Uint8Array, headers?: MsgHdrs): Promise<boolean>;
  /** Calls back after each reconnect. */
  onReconnect(callback: () => void): void;
}

export function openLink(connection: NatsConnection, patience: Patience = {}): Link {
  const { signal, maxSilenceSeconds = Number.POSITIVE_INFINITY, onSilence } = patience;
  const callbacks = new Set<() => void>();
  /** Ends each request that is on its way. One listener for all: there may be hundreds. */
  const pending = new Set<(reason: unknown) => void>();
  const endPending = (reason: unknown): void => {
    for (const end of pending) end(reason);
  };
  const stop = (): void => endPending(signal!.reason);
  signal?.addEventListener("abort", stop, { once: true });
  let broken: Error | undefined;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === "disconnect") endPending((broken = new Error("the connection broke off")));
      if (type === "reconnect") {
        broken = undefined;
        for (const callback of callbacks) callback();
      }
    }
    signal?.removeEventListener("abort", stop);
  })();
  const unlessEnded = async <T>(request: () => Promise<T>): Promise<T> => {
    signal?.throwIfAborted();
    // A request of a broken connection would be kept, and sent again beside the repeated one.
    if (broken !== undefined) throw broken;
    let end!: (reason: unknown) => void;
    const ended = new Promise<never>((_, reject) => (end = reject));
    pending.add(end);
    try {
      return await Promise.race([request(), ended]);
    } finally {
      pending.delete(end);
    }
  };

  const ask = async <T>(what: string, request: () => Promise<T>): Promise<T> => {
    let failures = 0;
    let silentSince: number | undefined;
    try {
      const answer = await withRetries(
        () => unlessEnded(request),
        (failure) => {
          if (connection.isClosed() || !isSilence(failure)) return undefined;
          const seconds = (performance.now() - (silentSince ??= performance.now())) / 1000;
          onSilence?.(seconds);
          return seconds < maxSilenceSeconds ? PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)] : undefined;
        },
        signal,
      );
      if (silentSince !== undefined) onSilence?.(0);
      return answer;
    } catch (cause) {
      if (signal?.aborted || cause instanceof UserError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UserError("storage", `The NATS server did not ${what}: ${why}.`, {
        hint: "Correct the problem, then run the same command again to continue.",
        cause,
      });
    }
  };

  return {
    connection,
    ask,
    publish: (subject, bytes, headers) =>
      ask(`write ${subject}`, async () =>
        isStored(subject, await requestAnswer(connection, subject, bytes, { headers })),
      ),
    onReconnect: (callback) => void callbacks.add(callback),
  };
}

/** True for a failure that another attempt may not have. */
function isSilence(failure: unknown): boolean {
  if (failure instanceof UserError) return false;
  // A cluster without a leader answers with 503.
  return !(failure instanceof JetStreamApiError) || failure.status === 503;
}

function isStored(subject: string, answer: Msg): boolean {
  const { error } = answer.json<{ error?: { code: number; err_code: number; description: string } }>();
  if (error === undefined) return true;
  // The same error code stands for a subject that is full and for a stream that is full.
  if (/maximum messages per subject|wrong last sequence/.test(error.description)) return false;
  if (error.code === 503 && !/maximum|insufficient/.test(error.description)) throw new Error(error.description);
  throw new Refused("storage", `The NATS server refused ${subject}: ${error.description}.`, {
    hint: /maximum|insufficient/.test(error.description)
      ? "The storage of this party is full: free some, or ask the operator of the federation for more."
      : undefined,
  });
}
