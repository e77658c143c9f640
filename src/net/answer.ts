import { type Msg, type MsgHdrs, type NatsConnection, TimeoutError } from "@nats-io/nats-core";
import { Notifier } from "../concurrency/notifier.ts";
import { ANSWER_MS } from "./layout.ts";

/** Time for an answer once the line is free, milliseconds. */
const FREE_LINE_MS = 2000;
/** The library's own limit, after which it forgets a request. */
const FORGET_MS = 600_000;

export interface RequestOptions {
  readonly headers?: MsgHdrs | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
}

/**
 * Sends a request and waits for its answer. A line that is slow or broken may hold up both for longer than `timeout`. So after
 * that it waits for the server to answer a ping, which comes behind both: sent again, they would only queue up.
 *
 * @throws TimeoutError where the server reads the request and does not answer; the library's errors where the connection breaks.
 */
export async function requestAnswer(
  connection: NatsConnection,
  subject: string,
  bytes?: Uint8Array,
  { headers, timeout = ANSWER_MS }: RequestOptions = {},
): Promise<Msg> {
  const over = new AbortController();
  const pause = async (milliseconds: number): Promise<void> => {
    await new Notifier().wait({ milliseconds, signal: over.signal });
    over.signal.throwIfAborted();
  };
  const silence = async (): Promise<never> => {
    await pause(timeout);
    await connection.flush();
    await pause(FREE_LINE_MS);
    throw new TimeoutError();
  };
  const answer = connection.request(subject, bytes, { timeout: FORGET_MS, ...(headers !== undefined && { headers }) });
  try {
    return await Promise.race([answer, silence()]);
  } finally {
    over.abort();
  }
}
