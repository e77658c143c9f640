import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { newIdentity } from "../../identity/keys.ts";
import { initFederation } from "./federation-folder.ts";
import { leaveMember, revokeMember } from "./invite.ts";
import { openMemberDirectory } from "./member-directory.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-directory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("tells members that left from those that were put out, and keeps the accounts of both", async () => {
  const federation = await initFederation(path.join(folder, "federation"), { name: "Hospitals" });
  const now = new Date().toISOString();
  for (const name of ["ann", "bob", "cy"]) {
    await federation.saveMember({
      version: 1,
      name,
      account: newIdentity("account").publicKey,
      state: "member",
      users: [newIdentity().publicKey],
      revocations: {},
      since: now,
      expires: now,
      lastSeen: now,
      software: "test",
    });
  }
  const directory = await openMemberDirectory(federation);
  try {
    expect(directory.active()).toEqual(["ann", "bob", "cy"]);
    await leaveMember(federation, "bob", async () => undefined);
    await revokeMember(federation, "cy");
    await directory.refresh();
    expect(directory.active()).toEqual(["ann"]);
    const ann = (await federation.member("ann"))!;
    const joined = { ...ann, name: "ben", account: newIdentity("account").publicKey };
    directory.add(joined);
    directory.add({ ...ann, state: "waiting" });
    expect([...directory.active()].sort()).toEqual(["ann", "ben"]);
    expect(directory.clientOf(joined.account)).toBe("ben");
    expect(directory.bySegment("ann")).toMatchObject({ state: "waiting" });
    // The folder decides: ben is not there.
    await directory.refresh();
    expect(directory.active()).toEqual(["ann"]);
    expect([...directory.departed()]).toEqual(["bob"]);
    expect([...directory.revoked()]).toEqual(["cy"]);
    expect([...directory.accounts().keys()]).toEqual(["ann", "bob", "cy"]);
  } finally {
    directory.close();
  }
});
