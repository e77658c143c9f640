import type { webcrypto } from "node:crypto";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import type { RunEvent } from "../../federation/events.ts";
import type { TrackerSettings } from "../../settings/tracker-settings.ts";
import type { EnvironmentVariables } from "../federation/environment.ts";
import { answerOf, Delivery } from "./delivery.ts";
import type { TrackerKind } from "./tracker.ts";

type WebhookSettings = NonNullable<TrackerSettings["webhook"]>;

const SECRET = "OPENFEDLLM_WEBHOOK_SECRET";
const URL_VARIABLE = "OPENFEDLLM_WEBHOOK_URL";
const PREFIX = "whsec_";
/** Bytes of a secret, by the specification of Standard Webhooks. */
const FEWEST_BYTES = 24;
const MOST_BYTES = 64;

/** Messages about a run, signed as the Standard Webhooks specification has it (HMAC-SHA256 over id, time and body). */
export const webhook: TrackerKind<WebhookSettings> = {
  check(settings, env) {
    urlOf(settings, env);
    secretOf(env);
  },
  async open(settings, { folder, env, onNote }) {
    const url = urlOf(settings, env);
    const key = await crypto.subtle.importKey("raw", secretOf(env), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const run = path.basename(path.resolve(folder));
    const delivery = await Delivery.open<RunEvent>({
      // An address may hold a secret in its path.
      to: `the webhook at ${url.origin}`,
      file: path.join(folder, "trackers", "webhook.json"),
      batch: 1,
      async send([event], request, number) {
        const id = `${run}-${number}`;
        const seconds = Math.floor(Date.now() / 1000);
        const timestamp = new Date(1000 * seconds).toISOString();
        const body = JSON.stringify({ type: event!.type, timestamp, data: { run, event } });
        const headers = {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(seconds),
          "webhook-signature": `v1,${await signature(key, `${id}.${seconds}.${body}`)}`,
        };
        // A redirect would carry the message to a place that nobody named.
        await answerOf(await request(url, { method: "POST", headers, body, redirect: "error" }));
      },
      onNote,
    });
    const told = new Set<RunEvent["type"]>(settings.events);
    return {
      take(event) {
        if (told.has(event.type)) delivery.add(event);
      },
      begin: () => delivery.begin(),
      async close() {
        await delivery.close();
      },
    };
  },
};

async function signature(key: webcrypto.CryptoKey, text: string): Promise<string> {
  const bytes = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return Buffer.from(bytes).toString("base64");
}

function urlOf({ url }: WebhookSettings, env: EnvironmentVariables): URL {
  const given = url ?? env[URL_VARIABLE];
  if (given === undefined || given === "") {
    throw new UserError("config", "output.webhook has no url", {
      hint: `Set output.webhook.url, or the environment variable ${URL_VARIABLE}, which leaves no trace in the run folder.`,
    });
  }
  if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol)) {
    throw new UserError("config", `${URL_VARIABLE} is no address that begins with http:// or https://`);
  }
  return new URL(given);
}

function secretOf(env: EnvironmentVariables): Uint8Array<ArrayBuffer> {
  const given = env[SECRET] ?? "";
  const encoded = given.slice(PREFIX.length);
  const bytes = Uint8Array.from(Buffer.from(encoded, "base64"));
  const whole = given.startsWith(PREFIX) && /^[A-Za-z0-9+/]+={0,2}$/.test(encoded);
  if (whole && bytes.length >= FEWEST_BYTES && bytes.length <= MOST_BYTES) return bytes;
  const problem = given === "" ? "is not set" : "is no secret of a webhook";
  throw new UserError(
    "config",
    `messages of output.webhook are signed, and the environment variable ${SECRET} ${problem}`,
    {
      hint: `Set it to ${PREFIX} and 24 to 64 random bytes in base64. Make one: node -p "'${PREFIX}'+crypto.randomBytes(32).toString('base64')"`,
    },
  );
}
