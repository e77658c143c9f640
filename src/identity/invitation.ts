import { z } from "zod";
import { UserError } from "../diagnostics/user-error.ts";
import { sha256 } from "../tensor/sha256.ts";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { isPublicKey } from "./keys.ts";

/** The public facts of a federation. Members pin them: they come from the invitation and never change. */
export interface FederationFacts {
  readonly name: string;
  /** The operator's public key. */
  readonly id: string;
  /** The public key that signs the coordinator's messages. */
  readonly key: string;
}

/** All that one organisation needs to join. Secret until it is used: who has it can join once, under this name. */
export interface Invitation {
  readonly version: 1;
  readonly federation: FederationFacts;
  /** Addresses of the server, in the order to try. */
  readonly servers: readonly string[];
  /** PEM of the authority that signed the server's certificate, where it is no public one. */
  readonly ca?: string | undefined;
  /** The name of the member. */
  readonly client: string;
  readonly id: string;
  /** ISO time by the coordinator's clock. */
  readonly expires: string;
  readonly creds: { readonly jwt: string; readonly seed: string };
}

export const federationFactsSchema: z.ZodType<FederationFacts> = z.strictObject({
  name: z.string().min(1),
  id: z.string().refine((text) => isPublicKey(text, "operator"), "expected the public key of an operator"),
  key: z.string().refine((text) => isPublicKey(text), "expected a public key"),
});

const schema: z.ZodType<Invitation> = z.strictObject({
  version: z.literal(1),
  federation: federationFactsSchema,
  servers: z.array(z.string().min(1)).min(1),
  ca: z.string().optional(),
  client: z.string().min(1),
  id: z.string().regex(/^[\w-]{16,64}$/),
  expires: z.iso.datetime(),
  creds: z.strictObject({ jwt: z.string().min(1), seed: z.string().min(1) }),
});

/** The begin of every invitation's text. */
export const INVITATION_PREFIX = "openfedllm-invite:";

/** Characters of the sha256 that the text carries: enough to find a slip of the pen. */
const CHECK_CHARACTERS = 8;

/** Writes an invitation as one line: the prefix, then base64url of a check value and JSON. */
export async function formatInvitation(invitation: Invitation): Promise<string> {
  const json = JSON.stringify(invitation);
  return INVITATION_PREFIX + toBase64Url(new TextEncoder().encode((await checkOf(json)) + json));
}

/**
 * Reads an invitation. Blanks and line breaks, which mail programs add, are ignored. An expired one is not refused here: the
 * coordinator's clock decides.
 *
 * @throws UserError("config") for another text and for a damaged or incomplete one. No message holds a part of the text.
 */
export async function parseInvitation(text: string): Promise<Invitation> {
  const line = text.replaceAll(/\s+/g, "");
  if (!line.startsWith(INVITATION_PREFIX)) {
    throw damaged("the text is not an invitation", `An invitation begins with ${INVITATION_PREFIX}`);
  }
  const bytes = fromBase64Url(line.slice(INVITATION_PREFIX.length));
  if (bytes === undefined) throw damaged("the invitation is mistyped: it has a character that no invitation has");
  const content = new TextDecoder().decode(bytes);
  const json = content.slice(CHECK_CHARACTERS);
  if ((await checkOf(json)) !== content.slice(0, CHECK_CHARACTERS)) {
    throw damaged(
      json.endsWith("}")
        ? "the invitation is mistyped: at least one character is wrong"
        : "the invitation is not complete: its end is missing or wrong",
    );
  }
  const value = JSON.parse(json) as { version?: unknown } | null;
  if (typeof value?.version === "number" && value.version > 1) {
    throw new UserError("config", `the invitation has format ${value.version}, and this version reads format 1`, {
      hint: "Install a newer version of openfedllm.",
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw damaged(`the invitation has a wrong field ${issue?.path.join(".") ?? ""}`);
}

async function checkOf(json: string): Promise<string> {
  return (await sha256(new TextEncoder().encode(json))).slice(0, CHECK_CHARACTERS);
}

function damaged(message: string, hint = "Copy the whole line again, or ask the coordinator for it."): UserError {
  return new UserError("config", message, { hint });
}
