import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withoutSecrets } from "../src/cli/failure.ts";
import { parseInvitation } from "../src/identity/invitation.ts";
import { newIdentity } from "../src/identity/keys.ts";
import { connectAs, pushOver } from "../src/node/federation/accounts.ts";
import { connectNats } from "../src/node/federation/connect.ts";
import { LoginRefused } from "../src/node/federation/connection-errors.ts";
import { enrol, siteConnection } from "../src/node/federation/enrol.ts";
import { serveEnrolment } from "../src/node/federation/enrolment-service.ts";
import { initFederation, openFederation, ROOT_KEY } from "../src/node/federation/federation-folder.ts";
import { startNatsServer } from "../src/node/federation/nats-server.ts";
import { cliIn } from "./support/cli.ts";
import { natsProgram } from "./support/nats-server.ts";
import { freePort } from "../src/node/free-port.ts";

let folder: string;
let cli: ReturnType<typeof cliIn>;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "openfedllm-federation-cli-"));
  cli = cliIn(folder, { ...process.env, NO_COLOR: "1" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Columns of the table of members, without times. */
const table = (): string[][] =>
  cli("federation", "members")
    .stdout.trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/).slice(0, 2));

describe("the operator's commands without a server", () => {
  test("have a help that teaches, and a mistake is told with the nearest name", () => {
    const help = cli("federation", "--help").stdout;
    for (const word of ["init", "invite", "members", "revoke", "Examples:", "federation init --name"]) {
      expect(help).toContain(word);
    }
    const alone = cli("federation");
    expect([alone.status, alone.stderr]).toEqual([0, help]);
    expect(cli("help", "federation", "invite").stdout).toContain("--expires <time>");
    const mistake = cli("federation", "revok", "clinic");
    expect([mistake.status, mistake.stderr]).toEqual([
      2,
      "error: unknown command 'revok'\nhint: Did you mean 'revoke'?\n",
    ]);
    expect(cli("federation", "init").stderr).toContain("--name");
  });

  test("need a federation, make one, and tell where its root key is", () => {
    const none = cli("federation", "members");
    expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("openfedllm federation init")]);
    const made = cli("federation", "init", "--name", "Hospitals");
    expect([made.status, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).toContain(path.join("federation", "keys", ROOT_KEY));
    expect(cli("federation", "init", "--name", "Hospitals").status).toBe(2);
    expect(cli("federation", "members").stdout).toBe("no members and no invitations\n");
  });

  test("invite: the line goes to stdout or a private file, and addresses are kept", async () => {
    const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    writeFileSync(path.join(folder, "ca.pem"), certificate);
    writeFileSync(path.join(folder, "both.pem"), `${certificate}-----BEGIN PRIVATE KEY-----\n`);
    const leak = cli("federation", "invite", "clinic", "--server", "wss://hub.invalid", "--ca", "both.pem");
    expect([leak.status, leak.stderr]).toEqual([2, expect.stringContaining("holds a private key")]);
    const printed = cli("federation", "invite", "clinic", "--server", "wss://hub.invalid", "--ca", "ca.pem");
    expect(printed.status).toBe(0);
    const first = await parseInvitation(printed.stdout);
    expect(first).toMatchObject({ client: "clinic", servers: ["wss://hub.invalid"], ca: certificate });
    const hours = (Date.parse(first.expires) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(71.9);
    expect(hours).toBeLessThanOrEqual(72);
    expect(printed.stderr).not.toContain(first.creds.seed);
    const written = cli("federation", "invite", "bank", "--expires", "7d", "--out", "bank.invitation");
    expect([written.status, written.stdout]).toEqual([0, "bank.invitation\n"]);
    const file = path.join(folder, "bank.invitation");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await parseInvitation(readFileSync(file, "utf8"))).toMatchObject({ client: "bank", servers: first.servers });
    expect(cli("federation", "invite", "insurer", "--out", "bank.invitation").stderr).toContain("already a file");
    const again = cli("federation", "invite", "clinic");
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining("--again")]);
    expect(cli("federation", "invite", "insurer", "--expires", "soon").stderr).toContain("30m, 72h or 7d");
    expect(table()).toEqual([
      ["bank", "invited"],
      ["clinic", "invited"],
    ]);
  });

  test("revoke: it is kept until the server starts", () => {
    const revoked = cli("federation", "revoke", "bank");
    expect([revoked.status, revoked.stdout]).toEqual([
      0,
      "revoked the invitation of bank; no server is running: it is refused from the next start of the server on\n",
    ]);
    expect(cli("federation", "revoke", "bnk").stderr).toContain("Did you mean 'bank'?");
    expect(table()).toEqual([
      ["bank", "invitation revoked"],
      ["clinic", "invited"],
    ]);
  });
});

test("no message shows a seed or an invitation", () => {
  const { seed } = newIdentity();
  const told = withoutSecrets(`${seed} ${newIdentity("operator").seed} openfedllm-invite:MWJiMjhk_-x and SUN`);
  expect(told).toBe("SU… SO… openfedllm-invite:… and SUN");
});

describe.runIf(natsProgram !== undefined)(
  "the operator's commands beside a server (skipped without nats-server)",
  () => {
    test("revoke is kept though another federation's server is at the address, and says so", async () => {
      const other = await initFederation(path.join(folder, "other"), { name: "Other" });
      const server = await startNatsServer(other, { listener: { port: await freePort() } });
      try {
        cli("federation", "invite", "guest", "--server", server.address.url);
        expect(cli("federation", "revoke", "guest").stdout).toBe(
          `revoked the invitation of guest; the server at ${server.address.url} refuses the login: it is refused from the next start of the server on\n`,
        );
        expect(table()).toContainEqual(["guest", "invitation revoked"]);
      } finally {
        await server.stop();
      }
    });

    test("invite, list, invite again and revoke members while it runs", async () => {
      const federation = await openFederation(path.join(folder, "federation"));
      const server = await startNatsServer(federation, { listener: { port: await freePort() } });
      const local = { servers: [server.address.url] };
      const system = await connectAs(federation, "system", local);
      const coordinator = await connectAs(federation, "coordinator", local);
      serveEnrolment(coordinator, federation, { push: pushOver(system) });
      await coordinator.flush();
      try {
        const printed = cli("federation", "invite", "insurer", "--server", server.address.url);
        expect(printed.stderr).toContain("lead to this machine only");
        const site = await enrol(await parseInvitation(printed.stdout), path.join(folder, "site"), { software: "t" });
        const connection = await connectNats(siteConnection(() => site));
        expect(table()).toContainEqual(["insurer", "member"]);
        const again = cli("federation", "invite", "insurer", "--again");
        expect(again.stderr).not.toContain("earlier key");
        await connection.closed();
        expect(table()).toContainEqual(["insurer", "invited again"]);
        // A token is made for a second: what is revoked in that second stays void.
        await new Promise((resolve) => setTimeout(resolve, 1100));
        const second = await enrol(await parseInvitation(again.stdout), path.join(folder, "site-2"), { software: "t" });
        const live = await connectNats(siteConnection(() => second));
        expect(cli("federation", "revoke", "insurer").stdout).toBe(
          "revoked insurer; the server refuses it from now on\n",
        );
        await live.closed();
        expect(table()).toContainEqual(["insurer", "revoked"]);
        await expect(connectNats(siteConnection(() => second))).rejects.toThrow(LoginRefused);
        expect(existsSync(path.join(folder, "federation", "lock"))).toBe(false);
      } finally {
        await coordinator.close();
        await system.close();
        await server.stop();
      }
    }, 240_000);
  },
);
