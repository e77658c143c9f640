import { describe, expect, it } from "vitest";
import { type AuditEntry, type AuditLine, compareLogs, nextLine, verifyChain } from "./audit.ts";
import { auditedStore } from "./audited-store.ts";
import { STORE_CONFORMANCE } from "./conformance.ts";
import { memoryStore } from "./memory-store.ts";

const AT = new Date("2026-11-29T08:00:00Z");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function chain(entries: readonly AuditEntry[]): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of entries) lines.push(await nextLine(entry, lines.at(-1), AT));
  return lines;
}

const ENTRIES: AuditEntry[] = [
  { what: "enrolled", client: "clinic" },
  { what: "sent", run: "r", cell: "manifest", sha256: "a".repeat(64), bytes: 10 },
  { what: "received", run: "r", client: "clinic", cell: "round-0001/update/clinic", sha256: "b".repeat(64), bytes: 3 },
];

describe("the chain", () => {
  it("holds, and gives the entries back", async () => {
    const { entries, problem } = await verifyChain(await chain(ENTRIES));
    expect(problem).toBeUndefined();
    expect(entries).toMatchObject(ENTRIES);
    expect(await verifyChain([])).toEqual({ entries: [] });
  });

  it("is broken by a changed, removed, added or swapped line", async () => {
    const lines = await chain(ENTRIES);
    const problemOf = async (changed: string[]) => (await verifyChain(changed)).problem;
    expect(await problemOf([lines[0]!.replace("clinic", "bank"), ...lines.slice(1)])).toBe(
      "line 2 does not follow from the line before it: one of them was changed",
    );
    expect(await problemOf(lines.slice(1))).toBe("line 1 has the number 2");
    expect(await problemOf([lines[0]!, lines[2]!])).toBe("line 2 has the number 3");
    expect(await problemOf([lines[0]!, lines[0]!])).toBe("line 2 has the number 1");
    expect(await problemOf(["{}"])).toBe("line 1 is not an entry of an audit log");
    const other = await chain([{ what: "enrolled", client: "bank" }, ...ENTRIES.slice(1)]);
    expect(await problemOf([lines[0]!, ...other.slice(1)])).toContain("line 2 does not follow");
  });
});

describe("an audited store", () => {
  for (const { name, run } of STORE_CONFORMANCE) {
    it(name, async () => {
      const store = memoryStore();
      await run(async () => auditedStore(store, { log: async () => {}, run: "r" }));
    });
  }

  it("logs a write before it happens, and each content once when it is read", async () => {
    const store = memoryStore();
    const entries: AuditEntry[] = [];
    const log = async (entry: AuditEntry): Promise<void> => {
      if (entry.cell === "refused") throw new Error("the disk is full");
      entries.push(entry);
    };
    const site = auditedStore(store, { log, run: "r" });
    await expect(site.create("refused", bytes("x"))).rejects.toThrow("the disk is full");
    expect(await store.read("refused")).toBeUndefined();
    const hash = await site.putBlob(bytes("update"));
    await site.create("round-0001/update/a", bytes("{}"));
    await site.read("round-0001/update/a");
    await store.create("round-0001/open", bytes("open"));
    for (let i = 0; i < 2; i++) await site.read("round-0001/open");
    await store.setHead(0, bytes("one"));
    for (let i = 0; i < 2; i++) await site.head();
    await site.create("round-0002/update/a", bytes("{}"));
    expect(entries.map(({ what, cell, blob, bytes: size }) => [what, cell ?? blob, size])).toEqual([
      ["sent", hash, 6],
      ["sent", "round-0001/update/a", 2],
      ["received", "round-0001/open", 4],
      ["received", "head", 3],
      ["sent", "round-0002/update/a", 2],
    ]);
  });
});

describe("an audited store with a slow log", () => {
  it("lets a read go on, and holds the next write back until the read is in the log", async () => {
    const store = memoryStore();
    await store.create("round-0001/open", bytes("open"));
    let write!: () => void;
    const written = new Promise<void>((resolve) => (write = resolve));
    const log = (entry: AuditEntry): Promise<void> => (entry.what === "received" ? written : Promise.resolve());
    const site = auditedStore(store, { log, run: "r" });
    expect(await site.read("round-0001/open")).toEqual(bytes("open"));
    const created = site.create("round-0001/update/a", bytes("{}"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.read("round-0001/update/a")).toBeUndefined();
    write();
    await created;
    expect(await store.read("round-0001/update/a")).toEqual(bytes("{}"));
  });
});

describe("two logs", () => {
  const lines = (entries: readonly AuditEntry[]): AuditLine[] =>
    entries.map((entry, i) => ({ number: i + 1, at: "", previous: "", ...entry }));
  const update = { run: "r", cell: "round-0001/update/clinic" };
  const member = [
    { what: "received", run: "r", cell: "manifest", sha256: "a" },
    { what: "sent", ...update, sha256: "b" },
    { what: "sent", run: "r", cell: "round-0002/update/clinic", sha256: "late" },
  ];

  it("agree on each content that both have; what did not arrive is pending", () => {
    const coordinator = [
      { what: "sent", run: "r", cell: "manifest", sha256: "a" },
      { what: "received", client: "clinic", ...update, sha256: "b" },
      { what: "received", client: "bank", run: "r", cell: "round-0001/update/bank", sha256: "c" },
    ];
    expect(compareLogs(lines(coordinator), lines(member), "clinic")).toEqual({ agreed: 2, conflicts: [], pending: 1 });
  });

  it("conflict where a content differs, or where one side received what the other did not send", () => {
    const coordinator = [
      { what: "received", client: "clinic", ...update, sha256: "forged" },
      { what: "received", client: "clinic", run: "r", cell: "member/clinic", sha256: "x" },
    ];
    expect(compareLogs(lines(coordinator), lines(member), "clinic").conflicts).toEqual([
      "the coordinator received round-0001/update/clinic of run r with another content than the member clinic sent",
      "the coordinator received member/clinic of run r, and the member clinic did not log sending it",
      "the member clinic received manifest of run r, and the coordinator did not log sending it",
    ]);
  });

  it("agree where a member reads a cell of its own again, and where it joined again after it lost its log", () => {
    const own = { run: "r", cell: "member/clinic", sha256: "x" };
    const enrolled = { what: "enrolled", client: "clinic" };
    const coordinator = lines([enrolled, { what: "received", client: "clinic", ...own }, enrolled]);
    const found = compareLogs(coordinator, lines([enrolled, { what: "received", ...own }]), "clinic");
    expect(found).toEqual({ agreed: 0, conflicts: [], pending: 0 });
    const later = lines([enrolled, { what: "received", client: "clinic", ...own }]);
    expect(compareLogs(later, lines([enrolled]), "clinic").conflicts).toHaveLength(1);
  });
});
