import type { NatsConnection } from "@nats-io/nats-core";

/** Time for one answer: half a mebibyte, eight times, on a line of 150 kB/s. */
const ANSWER_MS = 30_000;

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
 */
export async function directGet(connection: NatsConnection, subject: string): Promise<StoredMessage | undefined> {
  const answer = await connection.request(subject, undefined, { timeout: ANSWER_MS });
  const status = answer.headers?.code ?? 0;
  if (status === 404) return undefined;
  if (status >= 400) throw new Error(`status ${status} ${answer.headers?.description ?? ""}`);
  return { revision: Number(answer.headers?.get("Nats-Sequence")), bytes: new Uint8Array(answer.data) };
}

/** The subject that asks the server itself. Only the coordinator's account has it. */
export function directGetSubject(stream: string, subject: string): string {
  return `$JS.API.DIRECT.GET.${stream}.${subject}`;
}
