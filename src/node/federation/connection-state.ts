import type { NatsConnection } from "@nats-io/transport-node";

/** Seconds of silence that a note is worth. */
const NOTABLE_SILENCE_S = 5;

/**
 * Notes that the server does not answer, and that it answers again.
 *
 * @param check is called before the note. What it throws ends the request.
 */
export function silenceNotes(onNote: (note: string) => void, check?: () => void): (seconds: number) => void {
  let noted = false;
  return (seconds) => {
    if (seconds >= NOTABLE_SILENCE_S) check?.();
    if (seconds >= NOTABLE_SILENCE_S && !noted) onNote("the server does not answer; waiting for it");
    if (seconds === 0 && noted) onNote("the server answers again");
    noted = seconds >= NOTABLE_SILENCE_S || (noted && seconds > 0);
  };
}

/** Tells whether a connection is up now. */
export function connectionState(connection: NatsConnection): () => boolean {
  let isUp = true;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type === "disconnect" || type === "reconnect") isUp = type === "reconnect";
    }
  })();
  return () => isUp && !connection.isClosed();
}
