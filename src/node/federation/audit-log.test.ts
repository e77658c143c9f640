import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { verifyChain } from "../../store/audit.ts";
import { auditLines, openAuditLog } from "./audit-log.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "openfedllm-audit-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("entries of the same moment are one chain in the order in which they came, each content once", async () => {
  const file = path.join(folder, "audit.jsonl");
  const audit = await openAuditLog(file);
  const blobs = Array.from({ length: 40 }, (_, i) => String(i % 30));
  await Promise.all(blobs.map((blob) => audit.log({ what: "received", run: "r", blob })));
  await audit.log({ what: "received", run: "r", blob: "7" });
  await audit.log({ what: "enrolled", client: "clinic" });
  // A process that starts again goes on with the chain and knows what is in it.
  const again = await openAuditLog(file);
  await Promise.all([again.log({ what: "received", run: "r", blob: "3" }), again.log({ what: "revoked" })]);
  const { entries, problem } = await verifyChain(await auditLines(file));
  expect(problem).toBeUndefined();
  expect(entries.map(({ blob, what }) => blob ?? what)).toEqual([...blobs.slice(0, 30), "enrolled", "revoked"]);
});

it("an entry that cannot be written fails, and so does every later one", async () => {
  const audit = await openAuditLog(path.join(folder, "missing", "audit.jsonl"));
  const both = await Promise.allSettled([audit.log({ what: "enrolled" }), audit.log({ what: "revoked" })]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await expect(audit.log({ what: "hosting" })).rejects.toThrow("audit.jsonl");
});
