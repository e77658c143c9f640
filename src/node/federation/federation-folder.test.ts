import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../diagnostics/user-error.ts";
import { readToken } from "../../identity/claims.ts";
import { enrolmentRequest } from "../../identity/enrolment.ts";
import { newIdentity } from "../../identity/keys.ts";
import { accountTokens } from "./accounts.ts";
import { type Federation, initFederation, openFederation, ROOT_KEY } from "./federation-folder.ts";
import { inviteMember, revokeMember } from "./invite.ts";
import { openMemberDirectory } from "./member-directory.ts";
import { enrolMember, renewMember } from "./members.ts";
import type { MemberRecord } from "./records.ts";
import { ownIdentity } from "./site-folder.ts";

const failureOf = async (work: Promise<unknown>): Promise<UserError> => {
  const error = await work.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

describe("the folder of a federation", () => {
  let root: string;
  let federation: Federation;
  const at = (...parts: string[]): string => path.join(root, "federation", ...parts);
  const servers = ["nats://127.0.0.1:4222"];
  const push = async (): Promise<void> => {};

  beforeAll(async () => {
    root = mkdtempSync(path.join(tmpdir(), "openfedllm-folder-"));
    federation = await initFederation(at(), { name: "Kliniken Zürich" });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it("has public facts without a seed, and keys that only the owner reads", async () => {
    const seeds = readdirSync(at("keys")).map((name) => readFileSync(at("keys", name), "utf8").trim());
    expect(seeds).toHaveLength(6);
    const facts = readFileSync(at("federation.json"), "utf8");
    for (const seed of seeds) {
      expect(seed).toMatch(/^S[OAU]/);
      expect(facts).not.toContain(seed);
    }
    expect(statSync(at("keys")).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(at("keys"))) expect(statSync(at("keys", name)).mode & 0o777).toBe(0o600);
    expect((await openFederation(at())).facts).toEqual(federation.facts);
  });

  it("gives a record that did not change as the same object, and sees each change at once", async () => {
    const other = await initFederation(path.join(root, "records"), { name: "records" });
    const [account, user] = [newIdentity("account").publicKey, newIdentity().publicKey];
    const record = (name: string, lastSeen: string): MemberRecord => ({
      version: 1,
      name,
      account,
      state: "member",
      users: [user],
      revocations: {},
      since: lastSeen,
      expires: lastSeen,
      lastSeen,
      software: "t",
    });
    const [then, later] = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"];
    for (const name of ["a", "b", "c"]) {
      await other.saveMember(record(name, then));
      const old = new Date(Date.now() - 60_000);
      utimesSync(path.join(root, "records", "members", `${name}.json`), old, old);
    }
    const changes: number[] = [];
    const directory = await openMemberDirectory(other, ({ active }) => changes.push(active().length));
    const first = await other.members();
    expect((await other.members()).every((member, i) => member === first[i])).toBe(true);
    await directory.refresh();
    expect(changes).toEqual([3]);
    // Same size, and as old as the file before: only its number on the disk tells.
    await other.saveMember(record("b", later));
    expect((await other.members()).map(({ lastSeen }) => lastSeen)).toEqual([then, later, then]);
    await other.saveMember({ ...record("c", then), state: "revoked" });
    await Promise.all([directory.refresh(), directory.refresh(), directory.refresh()]);
    expect(directory.revoked()).toEqual(new Set(["c"]));
    rmSync(path.join(root, "records", "members", "a.json"));
    await directory.refresh();
    expect(directory.active()).toEqual(["b"]);
    writeFileSync(path.join(root, "records", "members", "b.json"), "{");
    await expect(directory.refresh()).rejects.toThrow("b.json is damaged");
    expect(directory.active()).toEqual(["b"]);
    directory.close();
    rmSync(path.join(root, "records"), { recursive: true });
  });

  it("works without the root key, which signed the operator's token alone", async () => {
    expect(readToken(federation.facts.operatorJwt)).toMatchObject({
      subject: federation.facts.id,
      issuer: federation.facts.id,
    });
    rmSync(at("keys", ROOT_KEY));
    const tokens = [...(await accountTokens(federation)).values()].map((jwt) => readToken(jwt)!.issuer);
    expect(tokens).toEqual(Array.from({ length: 3 }, () => federation.facts.signingKey));
  });

  it("is not made where there is something, and nothing is left where it fails", async () => {
    expect((await failureOf(initFederation(at(), { name: "x" }))).message).toContain("already a federation");
    mkdirSync(path.join(root, "other"));
    writeFileSync(path.join(root, "other", "file"), "");
    expect((await failureOf(initFederation(path.join(root, "other"), { name: "x" }))).message).toContain("other files");
    mkdirSync(path.join(root, "empty"));
    expect((await initFederation(path.join(root, "empty"), { name: "x" })).facts.name).toBe("x");
    await failureOf(initFederation(path.join(root, "other", "file", "deep"), { name: "x" }));
    expect(readdirSync(root).sort()).toEqual(["empty", "federation", "other"]);
  });

  it("is told from another folder, a damaged file and one of a later version", async () => {
    const copy = path.join(root, "copy");
    mkdirSync(copy);
    const file = path.join(copy, "federation.json");
    expect((await failureOf(openFederation(copy))).message).toContain("has no federation.json");
    const facts = JSON.parse(readFileSync(at("federation.json"), "utf8")) as Record<string, unknown>;
    const cases: readonly (readonly [unknown, string])[] = [
      ["{", "is not JSON"],
      [JSON.stringify({ ...facts, version: 2 }), "has format 2"],
      [JSON.stringify({ ...facts, id: facts["key"] }), "id: expected the public key"],
      [JSON.stringify({ ...facts, more: 1 }), "is damaged"],
      ["[]", "is damaged"],
    ];
    for (const [text, expected] of cases) {
      writeFileSync(file, text as string);
      expect((await failureOf(openFederation(copy))).message).toContain(expected);
    }
    rmSync(copy, { recursive: true });
  });

  it("refuses a key that others may read, of another federation, damaged or missing, without showing it", async () => {
    const file = at("keys", "federation.nk");
    const seed = readFileSync(file, "utf8");
    chmodSync(file, 0o640);
    const open = await failureOf(federation.key("federation"));
    expect(open.message).toContain("its mode is 640, expected 600");
    expect(open.hint).toContain("chmod 600");
    chmodSync(file, 0o600);
    chmodSync(at("keys"), 0o755);
    expect((await failureOf(federation.key("federation"))).message).toContain("its mode is 755, expected 700");
    chmodSync(at("keys"), 0o700);
    for (const text of [newIdentity().seed, newIdentity("account").seed, seed.slice(0, 20), ""]) {
      writeFileSync(file, text);
      const { message } = await failureOf(federation.key("federation"));
      expect(message).toMatch(/is the key U|is damaged/);
      if (text !== "") expect(message).not.toContain(text);
    }
    rmSync(file);
    expect((await failureOf(federation.key("federation"))).message).toContain("no key");
    writeFileSync(file, seed, { mode: 0o600 });
    expect((await federation.key("federation")).publicKey).toBe(federation.facts.key);
  });

  it("gives one change at a time, among processes too, and takes over the lock of a dead one", async () => {
    const again = await openFederation(at());
    const steps: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      steps.push(`${name} ends`);
    };
    await Promise.all([
      federation.exclusively(work("a")),
      federation.exclusively(work("b")),
      again.exclusively(work("c")),
      failureOf(
        federation.exclusively(async () => {
          throw new UserError("config", "a failed change");
        }),
      ),
    ]);
    for (let i = 0; i < steps.length; i += 2) expect(steps[i]!.replace("begins", "ends")).toBe(steps[i + 1]);
    expect(steps).toHaveLength(6);
    writeFileSync(at("lock"), "999999999");
    await federation.exclusively(work("d"));
    expect(existsSync(at("lock"))).toBe(false);
  });

  it("reads the invitations of one name only, whoever else was invited", async () => {
    for (const client of ["first", "second"]) await inviteMember(federation, { client, servers, hours: 1 });
    const ids = (client: string) => federation.invitationsOf(client).then((all) => all.map(({ id }) => id));
    const [first] = await ids("first");
    // Damaged: whoever reads it fails.
    writeFileSync(at("invitations", `${(await ids("second"))[0]}.json`), "{");
    const again = await inviteMember(federation, { client: "first", servers, hours: 1, again: true });
    expect(await ids("first")).toEqual([first, again.id]);
    const [before, after] = await federation.invitationsOf("first");
    expect([before!.revoked, after!.revoked]).toEqual([expect.any(String), undefined]);
    expect(await federation.invitationsOf("nobody")).toEqual([]);
    await failureOf(inviteMember(federation, { client: "second", servers, hours: 1 }));
    rmSync(at("invitations", `${(await ids("first"))[0]}.json`));
    expect(await ids("first")).toEqual([again.id]);
    for (const name of readdirSync(at("invitations"))) rmSync(at("invitations", name));
  });

  it("keeps names that are no names of files apart, and refuses blank ones", async () => {
    for (const client of ["Zürich", "a/b", "..", "A", "a"]) {
      await inviteMember(federation, { client, servers, hours: 1 });
      const { id } = (await federation.invitations()).find((each) => each.client === client)!;
      const request = enrolmentRequest(newIdentity(), federation.facts.id, {
        invitation: id,
        name: client,
        software: "t",
      });
      expect(await enrolMember(federation, id, JSON.stringify(request), { push })).toHaveProperty("account");
    }
    expect((await federation.members()).map(({ name }) => name).sort()).toEqual(
      ["..", "A", "Zürich", "a", "a/b"].sort(),
    );
    for (const client of ["", " a", "x".repeat(201), "用".repeat(30)]) {
      expect((await failureOf(inviteMember(federation, { client, servers, hours: 1 }))).message).toContain("name");
    }
  });

  it("answers each request for what it is", async () => {
    const { id } = await inviteMember(federation, { client: "clinic", servers, hours: 1 });
    const user = newIdentity();
    const request = enrolmentRequest(user, federation.facts.id, { invitation: id, name: "clinic", software: "t" });
    const ask = async (change: object, at = id) => {
      const answer = await enrolMember(federation, at, JSON.stringify({ ...request, ...change }), { push });
      return "refused" in answer ? answer.refused : answer.account;
    };
    expect(await ask({ user: newIdentity().publicKey })).toBe("malformed");
    expect(await ask({ invitation: "another-invitation" })).toBe("malformed");
    expect(await ask({ name: "bank" })).toBe("malformed");
    expect(await ask({}, "another-invitation")).toBe("malformed");
    expect(await ask({ protocol: 2 })).toBe("protocol");
    expect(await enrolMember(federation, id, "x".repeat(1000), { push })).toMatchObject({ refused: "malformed" });
    const account = await ask({});
    expect(await ask({})).toBe(account);
    await revokeMember(federation, "clinic");
    expect(await ask({})).toBe("revoked");
    expect(await renewMember(federation, account)).toMatchObject({ refused: "no-member" });
    expect(await renewMember(federation, "../../x")).toMatchObject({ refused: "no-member" });
  });

  it("stores a member before the server has it: a failed push is repeated by the next request", async () => {
    const { id } = await inviteMember(federation, { client: "patient", servers, hours: 1 });
    const request = enrolmentRequest(newIdentity(), federation.facts.id, {
      invitation: id,
      name: "patient",
      software: "t",
    });
    const away = async (): Promise<void> => {
      throw new UserError("storage", "no server");
    };
    await failureOf(enrolMember(federation, id, JSON.stringify(request), { push: away }));
    const stored = await federation.member("patient");
    const pushed: string[] = [];
    const answer = await enrolMember(federation, id, JSON.stringify(request), {
      push: async (jwt) => {
        pushed.push(readToken(jwt)!.subject);
      },
    });
    expect(answer).toMatchObject({ account: stored!.account });
    expect(pushed).toEqual([stored!.account]);
  });

  it("a site's key is made once, for its owner alone", async () => {
    const site = path.join(root, "site");
    const first = await ownIdentity(site);
    expect((await ownIdentity(site)).publicKey).toBe(first.publicKey);
    expect(statSync(path.join(site, "identity.nk")).mode & 0o777).toBe(0o600);
    expect(statSync(site).mode & 0o777).toBe(0o700);
  });
});
