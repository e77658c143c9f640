import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { UserError } from "../diagnostics/user-error.ts";
import { STREAMS, coordinatorRun, headSubject, leadSubject } from "./layout.ts";
import { type Link, openLink, type Patience } from "./link.ts";
import { decodeJson, encodeJson } from "../store/codec.ts";

/** Tells two writes of the same bytes apart: the answer to a first attempt may be lost. */
const WRITE = "Openfedllm-Write";

/** The right to coordinate a run. The last who took it has it. */
export interface Lead {
  readonly epoch: number;
  /** @throws UserError("storage") where another coordinator has taken the run over. */
  check(): Promise<void>;
}

export interface Replaceable {
  readonly revision: number;
  readonly bytes: Uint8Array;
  /** The identifier of the write, where it has one. */
  readonly write: string | undefined;
}

/** The last message of a subject, from the stream's leader. */
export function lastMessage(
  link: Link,
  manager: JetStreamManager,
  stream: string,
  subject: string,
): Promise<Replaceable | undefined> {
  return link.ask(`read ${subject}`, async () => {
    const found = await manager.streams.getMessage(stream, { last_by_subj: subject });
    if (found === null) return undefined;
    return { revision: found.seq, bytes: new Uint8Array(found.data), write: found.header?.get(WRITE) };
  });
}

/** Replaces the last message of a subject if its revision is `expected` (0: it has none). */
export async function replaceMessage(
  link: Link,
  manager: JetStreamManager,
  subject: string,
  expected: number,
  bytes: Uint8Array,
): Promise<boolean> {
  const write = crypto.randomUUID();
  const marked = headers();
  marked.set(WRITE, write);
  marked.set("Nats-Expected-Last-Subject-Sequence", String(expected));
  if (await link.publish(subject, bytes, marked)) return true;
  return (await lastMessage(link, manager, STREAMS.head, subject))?.write === write;
}

/**
 * Takes the lead of a run. The head is written again at its own revision: a replacement that an older coordinator has under
 * way then fails, for it names the revision before.
 */
export async function takeLead(
  connection: NatsConnection,
  run: string,
  who: string,
  patience: Patience = {},
): Promise<Lead> {
  const link = openLink(connection, patience);
  const manager = await link.ask("tell its streams", () => jetstreamManager(connection));
  const subject = leadSubject(run);
  const current = (): Promise<Replaceable | undefined> => lastMessage(link, manager, STREAMS.head, subject);
  let epoch: number;
  for (;;) {
    const before = await current();
    epoch = before === undefined ? 1 : leadIn(before).epoch + 1;
    const lead = encodeJson({ epoch, who, since: new Date().toISOString() });
    if (await replaceMessage(link, manager, subject, before?.revision ?? 0, lead)) break;
  }
  const head = headSubject(coordinatorRun(run));
  for (;;) {
    const before = await lastMessage(link, manager, STREAMS.head, head);
    if (before === undefined || (await replaceMessage(link, manager, head, before.revision, before.bytes))) break;
  }
  return {
    epoch,
    async check() {
      const now = await current();
      if (now === undefined) throw new UserError("storage", `The run ${run} was deleted from the federation's server`);
      const other = leadIn(now);
      if (other.epoch === epoch) return;
      throw new UserError(
        "storage",
        `Another coordinator (${other.who}, since ${other.since}) has taken over the run ${run}`,
        { hint: "Let that one go on. To coordinate here, end it first, then run the same command again." },
      );
    },
  };
}

function leadIn({ bytes }: Replaceable): { epoch: number; who: string; since: string } {
  return decodeJson(bytes) as { epoch: number; who: string; since: string };
}
