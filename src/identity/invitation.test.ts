import { describe, expect, it } from "vitest";
import { UserError } from "../diagnostics/user-error.ts";
import { sha256 } from "../tensor/sha256.ts";
import { toBase64Url } from "./base64url.ts";
import { formatInvitation, type Invitation, INVITATION_PREFIX, parseInvitation } from "./invitation.ts";
import { newIdentity } from "./keys.ts";

const holder = newIdentity();
const invitation: Invitation = {
  version: 1,
  federation: { name: "Kliniken Zürich", id: newIdentity("operator").publicKey, key: newIdentity().publicKey },
  servers: ["wss://hub.example.org", "tls://hub.example.org:4222"],
  ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
  client: "clinic",
  id: "abcdefghijklmnopqrstuv",
  expires: "2026-03-01T12:00:00.000Z",
  creds: { jwt: "header.body.signature", seed: holder.seed },
};

const failure = async (text: string): Promise<UserError> => {
  const error = await parseInvitation(text).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};
/** A text whose check value is right, whatever its content. */
const lineOf = async (value: unknown): Promise<string> => {
  const json = JSON.stringify(value);
  const check = (await sha256(new TextEncoder().encode(json))).slice(0, 8);
  return INVITATION_PREFIX + toBase64Url(new TextEncoder().encode(check + json));
};

describe("an invitation", () => {
  it("comes back from its line, also with the line breaks of a mail program", async () => {
    const line = await formatInvitation(invitation);
    expect(line).toMatch(/^openfedllm-invite:[\w-]+$/);
    expect(await parseInvitation(line)).toEqual(invitation);
    expect(await parseInvitation(` ${line.replaceAll(/(.{60})/g, "$1\r\n  ")}\n`)).toEqual(invitation);
  });

  it("is refused at each changed or missing character, without its secrets in the message", async () => {
    const line = await formatInvitation(invitation);
    const first = INVITATION_PREFIX.length;
    for (let at = first; at < line.length - 1; at += 7) {
      const changed = line.slice(0, at) + (line[at] === "A" ? "B" : "A") + line.slice(at + 1);
      const { message, hint } = await failure(changed);
      expect(message).toMatch(/mistyped|not complete/);
      expect(`${message} ${hint}`).not.toContain(holder.seed);
      expect((await failure(line.slice(0, at))).message).toMatch(/not complete|mistyped/);
    }
    expect((await failure(line.slice(0, -40))).message).toContain("not complete");
    expect((await failure(`${line.slice(0, 40)}!${line.slice(41)}`)).message).toContain("mistyped");
  });

  it("is told from another text, from a later format, and from one with other fields", async () => {
    expect((await failure("invitation.txt")).message).toContain("not an invitation");
    expect((await failure("")).message).toContain("not an invitation");
    expect((await failure(await lineOf({ ...invitation, version: 2 }))).message).toContain("format 2");
    expect((await failure(await lineOf({ ...invitation, more: 1 }))).message).toContain("wrong field");
    expect((await failure(await lineOf({ ...invitation, servers: [] }))).message).toContain("servers");
    expect((await failure(await lineOf(null))).message).toContain("wrong field");
    const stranger = { ...invitation, federation: { ...invitation.federation, id: holder.publicKey } };
    expect((await failure(await lineOf(stranger))).message).toContain("federation.id");
  });
});
