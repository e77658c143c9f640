import { ConnectionError, type NatsConnection, RequestError, TimeoutError } from "@nats-io/nats-core";
import { requestAnswer } from "./answer.ts";
import { ANSWER_MS } from "./layout.ts";

export interface StoredMessage {
  /** Its sequence in the stream. */
  readonly revision: number;
  readonly bytes: Uint8Array;
}

/**
 * Asks a stream for the last message of a subject by DIRECT.GET: the content comes as it is, not as base64 in JSON, and in a
 * cluster any copy of the stream answers. Undefined where the one that answers has none, which a moment ago may have been so.
 *
 * @param subject that of the request: the server's, `$JS.API.DIRECT.GET.<stream>.<subject>`, or an account's name for it.
 * @param timeout milliseconds.
 */
export async function directGet(
  connection: NatsConnection,
  subject: string,
  timeout: number = ANSWER_MS,
): Promise<StoredMessage | undefined> {
  const answer = await requestAnswer(connection, subject, undefined, { timeout });
  const status = answer.headers?.code ?? 0;
  if (status === 404) return undefined;
  if (status >= 400) throw new StatusError(`status ${status} ${answer.headers?.description ?? ""}`);
  const { buffer, byteOffset, byteLength } = answer.data;
  return {
    revision: Number(answer.headers?.get("Nats-Sequence")),
    bytes: new Uint8Array(buffer, byteOffset, byteLength),
  };
}

/** The one that answered could not tell. */
class StatusError extends Error {}

/** True for a request without an answer that can be used: another one may have it. */
export function isUnanswered(error: unknown): boolean {
  return [TimeoutError, RequestError, ConnectionError, StatusError].some((kind) => error instanceof kind);
}

/** The subject that asks the server itself. Only the coordinator's account has it. */
export function directGetSubject(stream: string, subject: string): string {
  return `$JS.API.DIRECT.GET.${stream}.${subject}`;
}
