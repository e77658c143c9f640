import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { UserError } from "../../diagnostics/user-error.ts";
import { timeText } from "../../identity/clock.ts";
import { formatInvitation } from "../../identity/invitation.ts";
import { checkServerAddress } from "../../node/federation/connect.ts";
import type { Federation } from "../../node/federation/federation-folder.ts";
import { inviteMember } from "../../node/federation/invite.ts";
import type { AddressRecord } from "../../node/federation/records.ts";
import { readServerAddress } from "../../node/federation/server-address.ts";
import { storageError } from "../../node/store/durable-file.ts";
import { type Command, defineCommand } from "../command.ts";
import { parsed, repeated, text, toggle } from "../flag.ts";
import { federationFlag, withFederation } from "../work/federation.ts";

const HOURS: Readonly<Record<string, number>> = { m: 1 / 60, h: 1, d: 24 };

/** The address of a server that was not started yet. */
const DEFAULT_SERVER = "nats://127.0.0.1:4222";

export const command: Command = defineCommand({
  description:
    "Makes an invitation for one organisation and prints it as one line. The line is a secret until it is used: who has it can join once, under this name. It is printed only now.",
  argument: { placeholder: "<name>", description: "name of the member, as configurations list it under data.clients" },
  flags: {
    server: repeated(
      "<url>",
      "address of the server: wss://HOST or tls://HOST:4222; may be given several times, in the order to try; default: those of the last invitation",
    ),
    ca: text("<file>", "certificate (PEM) of the authority that signed the server's, if it is not a public one"),
    expires: parsed("<time>", "time until the invitation expires, such as 30m, 72h or 7d", hoursOf).default(72, "72h"),
    out: text("<file>", "write the invitation to this new file, not to stdout"),
    again: toggle("invite a member again that lost its folder, or was revoked; its earlier key is revoked"),
    federation: federationFlag,
  },
  examples: [
    ["npx openfedllm federation invite clinic --server wss://hub.example.org"],
    ["npx openfedllm federation invite clinic --expires 7d --out clinic.invitation", "write a file, valid for a week"],
    ["npx openfedllm federation invite clinic --again", "the clinic lost its folder"],
  ],
  async run({ server, ca, expires, out, again = false, federation: folder }, { stdout, stderr }, client) {
    if (out !== undefined && existsSync(out)) {
      throw new UserError("config", `there is already a file ${out}`, { hint: "Choose another file with --out." });
    }
    await withFederation(folder, async ({ federation, push, later }) => {
      const addresses = await addressesFor(federation, server, ca);
      const invitation = await inviteMember(federation, { client, ...addresses, hours: expires, again }, push);
      const line = await formatInvitation(invitation);
      if (out === undefined) stdout.write(`${line}\n`);
      else {
        await writeFile(out, `${line}\n`, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
          throw storageError(out, "write", error);
        });
        stdout.write(`${out}\n`);
      }
      const notes = [
        `${client} can join until ${timeText(new Date(invitation.expires))}, at ${invitation.servers.join(", ")}`,
        "Send the invitation on a private way. It is not stored here.",
        ...(invitation.servers.every((url) => /127\.0\.0\.1|localhost|\[::1\]/.test(url))
          ? ["These addresses lead to this machine only. For another machine give --server."]
          : []),
        ...(again && later !== undefined ? [`The earlier key: ${later}.`] : []),
      ];
      for (const note of notes) stderr.write(`${note}\n`);
    });
  },
});

function hoursOf(given: string): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([mhd])$/.exec(given.trim()) ?? [];
  const hours = Number(count) * (HOURS[unit ?? ""] ?? Number.NaN);
  if (!(hours > 0)) throw new InvalidArgumentError("Expected a time above 0 with its unit, such as 30m, 72h or 7d.");
  return hours;
}

/** The given addresses, which are kept for the next invitation, or the kept ones. */
async function addressesFor(
  federation: Federation,
  servers: readonly string[] | undefined,
  caFile: string | undefined,
): Promise<Pick<AddressRecord, "servers" | "ca">> {
  const kept = await federation.addresses();
  const own = kept?.servers ?? [(await readServerAddress(federation))?.url ?? DEFAULT_SERVER];
  if (servers === undefined && caFile === undefined) return { servers: own, ca: kept?.ca };
  for (const address of servers ?? []) checkServerAddress(address);
  const ca = caFile === undefined ? kept?.ca : await readAuthority(caFile);
  const addresses = { servers: servers ?? own, ...(ca !== undefined && { ca }) };
  await federation.saveAddresses({ version: 1, ...addresses });
  return addresses;
}

async function readAuthority(file: string): Promise<string> {
  const pem = await readFile(file, "utf8").catch((error: unknown) => {
    throw storageError(file, "read", error);
  });
  if (pem.includes("PRIVATE KEY")) {
    throw new UserError("config", `${file} holds a private key, and an invitation is sent to others`, {
      hint: "Give the file that holds the certificate alone.",
    });
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new UserError("config", `${file} is not a certificate in PEM`, {
      hint: "The file has a line -----BEGIN CERTIFICATE-----.",
    });
  }
  return pem;
}
