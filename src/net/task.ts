import { jetstream, type JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { UserError } from "../diagnostics/user-error.ts";
import { decodeJson } from "../store/codec.ts";
import { type Identity, signText, verifyText } from "../identity/keys.ts";
import { ANYBODY_MS, STREAMS } from "./layout.ts";
import { ifThere } from "./uplinks.ts";
import { directGet } from "./direct-get.ts";

/** The run that a federation works on now. */
export interface FederationTask {
  readonly protocol: number;
  readonly run: string;
  /** Version of the coordinator's program, for messages about a mismatch. */
  readonly software: string;
}

interface Signed {
  readonly body: string;
  readonly signature: string;
}

const SUBJECT = "fl.all.task";
const OWN_SUBJECT = "get.head.task";

function signedText(federation: string, body: string): string {
  return `openfedllm task 1\n${federation}\n${body}`;
}

/** Publishes the task over a connection of the coordinator. It replaces the one before. */
export async function publishTask(
  connection: NatsConnection,
  { federation, key, task }: { readonly federation: string; readonly key: Identity; readonly task: FederationTask },
): Promise<void> {
  const body = JSON.stringify(task);
  const signed: Signed = { body, signature: signText(key, signedText(federation, body)) };
  await jetstream(connection).publish(SUBJECT, JSON.stringify(signed));
}

function readSigned(bytes: Uint8Array): Partial<Signed> {
  try {
    return (decodeJson(bytes) as Partial<Signed> | null) ?? {};
  } catch {
    return {};
  }
}

/** The run of the task that is published; undefined where there is none. @param manager of the coordinator's account. */
export async function publishedRun(manager: JetStreamManager): Promise<string | undefined> {
  const found = await ifThere(() => manager.streams.getMessage(STREAMS.head, { last_by_subj: SUBJECT }));
  return found == null ? undefined : (JSON.parse(found.json<Signed>().body) as FederationTask).run;
}

/** Takes the published task back: members wait for the next one. */
export async function withdrawTask(manager: JetStreamManager): Promise<void> {
  await manager.streams.purge(STREAMS.head, { filter: SUBJECT });
}

/**
 * Reads the task over a connection of a member; undefined where there is none yet.
 *
 * @throws UserError of kind `config` for a task that the federation's key did not sign.
 */
export async function readTask(
  connection: NatsConnection,
  { id, key }: { readonly id: string; readonly key: string },
): Promise<FederationTask | undefined> {
  const found = await directGet(connection, OWN_SUBJECT, ANYBODY_MS);
  if (found === undefined) return undefined;
  const { body, signature } = readSigned(found.bytes);
  if (typeof body === "string" && typeof signature === "string" && verifyText(key, signedText(id, body), signature)) {
    return JSON.parse(body) as FederationTask;
  }
  throw new UserError("config", "the task on the server is not signed by the coordinator of this federation", {
    hint: "Do not take part. Ask the coordinator by another way whether its server is in the right hands.",
  });
}
